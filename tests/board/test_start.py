"""The start beside umqtt.simple's, as a program of its own: `make test-board … ONLY=memory`."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator

import pytest

from tests.board.rig import ALL, Rig
from tests.board.runner import compiled

pytestmark = [pytest.mark.memory, pytest.mark.asyncio(loop_scope="session")]

ACKNOWLEDGED = r" I app: telemetry 1 acknowledged"
STARTS = 5


async def test_from_reset_to_the_first_puback(rig: Rig) -> None:
    """Beside umqtt.simple as a program of its own: both from the reset to the acknowledged message."""
    await rig.use_chain("p256")
    await rig.online()
    if (await rig.status())["clock"] != "sntp":
        rig.report.excuse(("start", "ratio"), "without NTP the device waits before it takes an estimate")
    ours = [await restarted(rig, ACKNOWLEDGED) for _ in range(STARTS)]
    async with umqtt(rig):
        theirs = [await restarted(rig, r"^simple: acknowledged") for _ in range(STARTS)]
    rig.report["start"].update(ours_s=statistics.median(ours), umqtt_s=statistics.median(theirs))


async def restarted(rig: Rig, last: str) -> float:
    """Seconds from a reset to a line of the console."""
    async with rig.repl() as repl:
        await asyncio.to_thread(repl.start, "import machine; machine.reset()")
    await rig.link.send("")
    await rig.expect(r"^rst:|^ets ")
    start = time.monotonic()
    await rig.expect(last)
    return time.monotonic() - start


@contextlib.asynccontextmanager
async def umqtt(rig: Rig) -> AsyncIterator[None]:
    """The board's main.py is a client on umqtt.simple."""
    certificate, key = rig.cloud.create_identity(ALL)
    options = rig.options
    wifi = (options.ssid, options.password) if options.password else (options.ssid,)
    main = (
        "import simple\n"
        f"simple.run({wifi}, {options.host!r}, {rig.cloud.port}, b'telemetry/umqtt', "
        f"*[open('/simple.' + name, 'rb').read() for name in ('ca', 'crt', 'key')], 0, {options.ntp!r})\n"
    )
    files = {
        "/simple.mpy": compiled("simple"),
        "/simple.ca": rig.cloud.root_ca.encode(),
        "/simple.crt": certificate.encode(),
        "/simple.key": key.encode(),
        "/main.py": main.encode(),
    }
    async with rig.repl() as repl:
        aside = "import os\nfor n in 'boot', 'main': os.rename(n + '.py', n + '.off')"
        await asyncio.to_thread(repl.exec, aside)
        for path, data in files.items():
            await asyncio.to_thread(repl.write_file, path, data)
    try:
        yield
    finally:
        async with rig.repl() as repl:
            await asyncio.to_thread(repl.exec, f"import os\nfor path in {list(files)}: os.remove(path)")
            await asyncio.to_thread(repl.exec, "for n in 'boot', 'main': os.rename(n + '.off', n + '.py')")
        await rig.reset()
