"""`python3 -m tools dev` at a terminal: an application of one's own, edited while it runs."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.host.board.support import on_terminal, run_verb
from tests.host.dashboard.browser import Api
from tests.patience import PATIENCE_S
from tools.new.project import make, source

NAME = "lamp-240ac4000001"


async def test_what_is_saved_runs_and_what_is_wrong_shows_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "lamp", source(None))
    monkeypatch.setenv("IOT_APP", str(tmp_path / "lamp"))
    app = tmp_path / "lamp/firmware/app.py"
    good = app.read_text()
    begin = good.index("    sensor, led, rhythm")
    line = good[:begin].count("\n") + 1

    def with_line(text: str) -> None:
        app.write_text(f"{good[:begin]}    {text}\n{good[begin:]}")

    arguments = ("dev", "--state", str(tmp_path / "state"), "--sensors", str(tmp_path / "lamp/sensors.json"))
    async with on_terminal(*arguments) as terminal:
        url = (await terminal.shows(r"page +all devices, live: (http://localhost:\d+/)"))[1]
        await terminal.shows("keyboard +a line goes to the device")
        await terminal.shows(rf"subscriber +telemetry/{NAME} .*19\.0")
        with_line("thing.log.info('app', 'the new one')")
        await terminal.shows(r"dev +saved: .*firmware/app.py")
        await terminal.shows(rf"dev +{NAME} runs it \d+\.\d s after it was saved")
        await terminal.shows("app +the new one")
        async with Api(url) as api, asyncio.timeout(PATIENCE_S):
            while (shown := (await api.get("api/fleet"))["devices"][0])["version"] is None:
                await asyncio.sleep(0.1)
        assert (shown["name"], shown["version"]) == (NAME, "0.1.0")
        with_line("wrong = = 1")
        await terminal.shows(rf'File ".*firmware/app.py", line {line}')
        await terminal.shows("wrong = = 1\\s")
        await terminal.shows("SyntaxError")
        await terminal.shows("not brought: the device keeps the version before")
        terminal.type("mode\n")
        await terminal.shows("console += ok NORMAL")
        with_line("thing.no_such_call()  # a mistake")
        await terminal.shows(rf'File ".*firmware/app.py", line {line}, in main')
        await terminal.shows(r"thing\.no_such_call\(\)  # a mistake")
        terminal.type("\x03")
        assert await terminal.ended() == 0
        assert "Traceback (most recent call last):\r\n  File" not in await terminal.rest()
    app.write_text(good)
    async with on_terminal(*arguments) as terminal:  # configuration and certificate are still there
        shown = await terminal.shows(rf"(?s).*subscriber +telemetry/{NAME}")
        assert "mode NORMAL" in shown[0] and not re.search("CONFIG|provisioning", shown[0])
        terminal.type("\x03")
        assert await terminal.ended() == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("/no/such/port",), "/no/such/port"),
        (("--state", "/proc/no"), "/proc/no"),
        (("--sensors", "no.json"), "no.json"),
    ],
)
async def test_what_does_not_begin_says_why(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    arguments = arguments if "--state" in arguments else (*arguments, "--state", str(tmp_path))
    done = await run_verb("dev", *arguments)
    assert done.status == 1 and reason in done.err and "Traceback" not in done.err


async def test_an_application_that_does_not_compile_shows_its_line(tmp_path: Path) -> None:
    (tmp_path / "firmware").mkdir()
    for name in ("app", "settings"):
        (tmp_path / f"firmware/{name}.py").write_text("x = = 1\n")
    done = await run_verb("dev", "--state", str(tmp_path / "state"), IOT_APP=str(tmp_path))
    assert done.status == 1 and 'firmware/app.py", line 1' in done.err and "x = = 1" in done.err
