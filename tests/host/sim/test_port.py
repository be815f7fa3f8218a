"""`python3 -m tools sim --port`, `--set`, `--mac`: a simulated board for programs that expect one on a port.

The commands are those of docs/board.md. What needs MicroPython itself (the pack that `deploy` makes) runs
where there is a unix binary.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.host.board.support import run_verb
from tests.patience import PATIENCE_S
from tools.cloud import Cloud
from tools.sim.device import ROOT
from tools.sim.files import Image

pytestmark = pytest.mark.timeout(600)  # several programs, one after another
WAIT_S = PATIENCE_S


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.host.board.support.DEADLINE_S", WAIT_S)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


class Sim:
    """A `tools sim` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def expect(self, pattern: str) -> re.Match[str]:
        """The next line of its output in which this is found."""
        assert self.process.stdout
        async with asyncio.timeout(WAIT_S):
            while line := await self.process.stdout.readline():
                self.lines.append(line.decode(errors="replace").rstrip())
                if match := re.search(pattern, self.lines[-1]):
                    return match
        raise AssertionError(f"ended without {pattern!r}:\n" + "\n".join(self.lines[-20:]))


@contextlib.asynccontextmanager
async def sim(*arguments: str, micropython: str | None = None) -> AsyncIterator[Sim]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools", "sim", *arguments),
        cwd=ROOT,
        env={**os.environ, "MICROPYTHON": micropython or ""},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Sim(process)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(WAIT_S):
            await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def write_configuration(cloud: Cloud, file: Path) -> None:
    file.write_text(json.dumps(cloud.device_configuration([{"ssid": "Home", "password": "correct horse"}])))


@pytest.mark.parametrize("where", [("--port",), ("--port", "tcp:0")], ids=["pty", "tcp"])
async def test_the_steps_by_cable(tmp_path: Path, where: tuple[str, ...], micropython: str | None) -> None:
    """docs/board.md from 4 on: configure, console and the label's code, with a simulated board on a port."""
    file = tmp_path / "board.json"
    mac = ("--mac", "24:0a:c4:00:00:7f")
    folder = ("--folder", str(tmp_path / "device"))
    async with Cloud(tmp_path / "cloud", port=0) as cloud:
        write_configuration(cloud, file)
        async with sim(*folder, *mac, *where, micropython=micropython) as device:
            port = (await device.expect(r"^port (\S+)$"))[1]
            await device.expect("mode CONFIG$")
            code = (await device.expect(r"ble: code (\S+)$"))[1]
            label = await run_verb("qr", "--port", port)
            assert label.status == 0 and code in label.out, label
            stored = await run_verb("configure", port, str(file))
            assert stored.status == 0 and stored.out.endswith("Stored. The board has reached its cloud.\n"), (
                stored
            )
            status = await run_verb("console", "--json", port, "status")
            value = json.loads(status.out)["value"]
            assert value["thing"] == "esp32-240ac400007f" and value["cloud"] is True
            listed = await run_verb("console", port, stdin="mode\nhelp\n")
            assert listed.status == 0 and "NORMAL" in listed.out


@pytest.mark.micropython
async def test_a_deployment_on_an_empty_board(tmp_path: Path) -> None:
    """docs/board.md from 2 on: a board that has MicroPython alone, then all, then a changed file only."""
    folder = tmp_path / "device"
    arguments = ("--folder", str(folder), "--port", "--no-firmware")
    async with sim(*arguments, micropython=os.environ["MICROPYTHON"]) as device:
        port = (await device.expect(r"^port (\S+)$"))[1]
        await device.expect("for more information")  # the line of the prompt itself has no end yet
        first = await run_verb("deploy", port, "--no-packages", "--json")
        assert first.status == 0, first
        assert json.loads(first.out)["mode"] == "CONFIG"
        again = await run_verb("deploy", port, "--no-packages", "--json")
        assert again.status == 0 and json.loads(again.out)["sent_bytes"] < 5000, again
        assert (await run_verb("console", port, "mode")).out == "CONFIG\n"
    files = Image(folder / "vfs.bin").root
    assert (files / "firmware.pack").exists() and not (files / "lib" / "iot").exists()


async def test_a_deployment_to_an_interpreter_without_mpy_files_is_refused(tmp_path: Path) -> None:
    async with sim("--folder", str(tmp_path / "device"), "--port") as device:
        port = (await device.expect(r"^port (\S+)$"))[1]
        await device.expect("mode CONFIG$")
        refused = await run_verb("deploy", port, "--no-packages")
        assert refused.status == 1 and "this is no ESP32 but" in refused.err, refused


async def test_sensors_are_set_while_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / "device"
    sensors = tmp_path / "sensors.json"
    sensors.write_text('{"adc": {"34": 0.5}, "dht": {"4": {"temperature": 20, "humidity": 40}}}')
    here = ("--folder", str(folder))
    program = """
import time
from machine import ADC
adc = ADC(34)
while True:
    print("reads", adc.read_uv())
    time.sleep(0.1)
"""
    Image(made(folder) / "vfs.bin").install({"/main.py": program.encode()})
    async with sim(*here, "--no-firmware", "--sensors", str(sensors), "--set", "pin.15=1") as device:
        await device.expect(r"^\[adc.34 set to 0.5\]$")
        await device.expect(r"^\[pin.15 set to 1\]$")
        await device.expect("^reads 500000$")
        assert (await run_verb("sim", *here, "--set", "adc.34=0.75")).status == 0
        await device.expect("^reads 750000$")
        for setting, complaint in (
            ("adc.34=9", "adc.34: 0 to 3.6 V"),
            ("adc.99=1", "adc.99: nothing can be wired there"),
            ("adc.34", "NAME=VALUE"),
        ):
            wrong = await run_verb("sim", *here, "--set", setting)
            assert wrong.status == 2 and complaint in wrong.err, wrong
        assert (await run_verb("sim", *here, "--set", "adc.34=none")).status == 0
        await device.expect("^reads 0$")
        second = await run_verb("sim", *here)
        assert second.status == 1 and "its device runs already" in second.err
    assert not (folder / "world.json").exists()


async def test_what_was_left_by_a_killed_process_is_no_device(tmp_path: Path) -> None:
    folder = tmp_path / "device"
    async with sim("--folder", str(folder)) as device:
        await device.expect("mode CONFIG$")
        left = (folder / "world.json").read_text()
        assert (folder / "world.json").stat().st_mode & 0o077 == 0
    (folder / "world.json").write_text(left)
    async with sim("--folder", str(folder), "--set", "adc.34=1") as device:
        await device.expect("mode CONFIG$")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--port", "serial"), "error: --port serial: pty or tcp:PORT"),
        (("--port", "tcp:99999"), "error: --port tcp:99999: pty or tcp:PORT"),
        (("--radio", "9001"), "tcp:PORT"),
        (("--mac", "24-0a-c4"), "an address as 24:0a:c4:00:00:01"),
        (("--sensors", "/no/such/file"), "error: "),
    ],
)
async def test_arguments_that_make_no_sense(
    tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = await run_verb("sim", "--folder", str(tmp_path / "device"), *arguments)
    assert done.status in (1, 2) and complaint in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    "interpreter", ["cpython", pytest.param("micropython", marks=pytest.mark.micropython)]
)
async def test_the_prompt_of_a_board(tmp_path: Path, interpreter: str) -> None:
    """Ctrl-C stops what runs; lines, the raw REPL, raw paste, an error, a soft reset, as mpremote speaks."""
    folder = tmp_path / "device"
    program = b"import time\nprint('main runs')\nwhile True:\n    time.sleep(1)\n"
    Image(made(folder) / "vfs.bin").install({"/main.py": program})
    where = ("--folder", str(folder), "--port", "tcp:0", "--no-firmware")
    binary = os.environ["MICROPYTHON"] if interpreter == "micropython" else None
    async with sim(*where, micropython=binary) as device, asyncio.timeout(WAIT_S):
        place = (await device.expect(r"^port socket://(\S+)$"))[1]
        reader, writer = await asyncio.open_connection(*place.split(":"))

        async def ask(typed: bytes, until: bytes) -> bytes:
            writer.write(typed)
            return await reader.readuntil(until)

        await device.expect("^main runs$")
        assert b"KeyboardInterrupt" in await ask(b"\x03\x03", b">>> ")
        assert (await ask(b"6*7\r", b"42\r\n>>> ")).endswith(b"42\r\n>>> ")
        assert b"NameError" in await ask(b"missing\r", b"Error: ") + await reader.readuntil(b">>> ")
        await ask(b"\x01", b"raw REPL; CTRL-B to exit\r\n>")
        assert await ask(b"print('raw')\x04", b"\x04\x04>") == b"OKraw\r\n\x04\x04>"
        assert b"ValueError: 5" in await ask(b"raise ValueError(5)\x04", b"\r\n\x04>")
        assert await ask(b"\x05A\x01", b"\x01\x80\x00\x01") == b"R\x01\x80\x00\x01"
        assert (await ask(b"#" * 128 + b"\nprint('paste')\x04", b"paste\r\n\x04\x04>")).startswith(
            b"\x01\x04"
        )
        assert b"KeyboardInterrupt" in await ask(b"import time\ntime.sleep(100)\x04", b"OK") + await ask(
            b"\x03", b"\x04>"
        )
        assert b"main runs" not in await ask(b"\x04", b"raw REPL; CTRL-B to exit\r\n>")
        await ask(b"\x02", b">>> ")
        await ask(b"\x04", b"main runs\r\n")
        writer.close()
