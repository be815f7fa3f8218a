"""`python3 -m tools console`: for a script, for a pipe, and for a person at a terminal."""

import asyncio
import json

import pytest

from tests.host.board.support import Board, NetworkPort, on_terminal, run_verb, wired
from tools.board.editor import History
from tools.board.link import Answer
from tools.board.view import JsonView, TextView, mask

# For a script.


async def test_a_command_is_asked_once(board: Board) -> None:
    done = await run_verb("console", board.port, "mode")
    assert (done.status, done.out, done.err) == (0, "CONFIG\n", "")
    done = await run_verb("console", board.port, "log", "debug")
    assert (done.status, done.out) == (0, "log level debug\n")
    done = await run_verb("console", board.port, "status")
    assert json.loads(done.out)["mode"] == "CONFIG"


async def test_a_command_that_is_refused(board: Board) -> None:
    done = await run_verb("console", board.port, "nonsense")
    assert (done.status, done.out, done.err) == (1, "", "error: no such command; help lists them\n")


async def test_json(board: Board) -> None:
    done = await run_verb("console", "--json", board.port, "status")
    answer = json.loads(done.out)
    assert done.status == 0 and answer["ok"] is True and answer["value"]["mode"] == "CONFIG"
    done = await run_verb("console", board.port, "nonsense", "--json")
    assert done.status == 1
    assert json.loads(done.out) == {"ok": False, "text": "no such command; help lists them"}


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_over_the_network(board: Board, scheme: str) -> None:
    with NetworkPort(board.port, scheme) as far:
        done = await run_verb("console", far.name, "mode")
    assert (done.status, done.out) == (0, "CONFIG\n")


async def test_every_mode_answers(board: Board) -> None:
    await board.device.power_off()
    store = board.device.files / "lib/iot/storage/store.py"
    store.write_text(
        store.read_text().replace("def load(self):", "def load(self):\n        raise OSError(5)\n")
    )
    await board.device.power_on()
    await board.device.expect("mode IDLE")
    assert (await run_verb("console", board.port, "mode")).out == "IDLE\n"


# For a pipe.


async def test_piped_commands(board: Board) -> None:
    done = await run_verb("console", board.port, stdin="mode\n\n  nonsense\nmode")
    assert (done.status, done.out) == (1, "CONFIG\nCONFIG\n")
    assert done.err == "error: no such command; help lists them\n"
    assert (await run_verb("console", board.port, stdin="mode\r\n")).status == 0
    assert (await run_verb("console", board.port)).status == 0  # nothing to ask


async def test_piped_commands_as_json(board: Board) -> None:
    done = await run_verb("console", board.port, "--json", stdin="restart\n")
    assert done.status == 0
    assert {"ok": True, "text": "restarting"} in map(json.loads, done.out.splitlines())


async def test_the_log_as_json(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView()
    for line in (
        "    12.345 W wifi: lost: gone",
        "Traceback (most recent call last):",
        '= ok {"a": [1]}',
        "= ok 5",
    ):
        view.line(line)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"uptime_s": 12.345, "level": "warning", "area": "wifi", "text": "lost: gone"},
        {"text": "Traceback (most recent call last):"},
        {"ok": True, "value": {"a": [1]}},
        {"ok": True, "text": "5"},
    ]


async def test_a_pipe_and_a_cable_that_is_pulled(board: Board) -> None:
    process = asyncio.create_task(run_verb("console", board.port, "--json", stdin="mode\n" * 50_000))
    await board.device.expect("^= ok")
    board.wire.pull()
    done = await process
    assert done.status == 1
    assert done.err.startswith(f"console: {board.port}: the connection to the board is gone\n")


# Failures.


async def test_failures_say_what_to_do(tmp_path: object) -> None:
    done = await run_verb("console", f"{tmp_path}/ttyUSB0", "status")
    first, second = done.err.splitlines()
    assert done.status == 1 and first == f"console: {tmp_path}/ttyUSB0: no such port"
    assert "serial port" in second or "This machine has" in second
    async with wired() as wire:
        wire.on_data = lambda data: wire.write(data + b"\r\n>>> ")
        done = await run_verb("console", wire.port, "status")
    assert done.status == 1 and "at MicroPython's prompt" in done.err


async def test_a_port_that_is_in_use(board: Board) -> None:
    async with on_terminal("console", board.port) as terminal:
        await terminal.shows("Ctrl-] leaves")
        done = await run_verb("console", board.port, "status")
    assert done.status == 1 and "in use by another program" in done.err


# For a person.


async def test_a_person_types(board: Board) -> None:
    async with on_terminal("console", board.port) as terminal:
        await terminal.shows("Ctrl-] leaves, help helps")
        await terminal.shows(">")
        terminal.type("statis\x7f\x7fus\r")  # a line editor
        await terminal.shows("> status")
        await terminal.shows("mode +CONFIG")
        await terminal.shows(r"uptime +\d+ s")
        terminal.type("nonsense\r")
        await terminal.shows("error: no such command")
        terminal.type("\x1b[A\x1b[A\r")  # up, up: the history
        await terminal.shows("> status")
        await terminal.shows("mode +CONFIG")
        terminal.type("restart\r")
        await terminal.shows(r"I system: restarting: asked on the console")
        await terminal.shows(r"I system: mode CONFIG")  # the board restarted, the console stays
        terminal.type("\x1d")
        assert await terminal.ended() == 0
    assert board.device.chip.boots == 2


@pytest.mark.parametrize("key", ["\x1d", "\x03", "\x04"])
async def test_ways_to_leave(board: Board, key: str) -> None:
    async with on_terminal("console", board.port) as terminal:
        await terminal.shows(">")
        terminal.type(key)
        assert await terminal.ended() == 0
    assert board.device.chip.boots == 1


async def test_a_factory_reset_is_confirmed(board: Board) -> None:
    async with on_terminal("console", board.port) as terminal:
        await terminal.shows(">")
        terminal.type("factory-reset\r")
        await terminal.shows("Type yes to go on:")
        terminal.type("y\r")
        await terminal.shows("left as it is")
        terminal.type("factory-reset\r")
        await terminal.shows("Type yes to go on:")
        terminal.type("yes\r")
        await terminal.shows("certificate, then restarting")
        terminal.type("\x1d")
        assert await terminal.ended() == 0
    async with on_terminal("console", board.port, "factory-reset") as terminal:
        await terminal.shows("Type yes to go on:")
        terminal.type("no\r")
        assert await terminal.ended() == 1


async def test_a_cable_that_is_pulled_is_waited_for(board: Board) -> None:
    link = board.device.folder / "port"
    link.symlink_to(board.port)
    async with on_terminal("console", str(link)) as terminal:
        await terminal.shows(">")
        board.wire.pull()
        await terminal.shows("the connection to the board is gone; waiting for it to come back")
        terminal.type("status\r")
        await terminal.shows("the board is not connected")
        async with wired() as wire:
            link.unlink()
            link.symlink_to(wire.port)
            await terminal.shows("connected again")
            wire.write(b"     1.000 I app: hello\r\n")
            await terminal.shows("I app: hello")
            terminal.type("\x1d")
            assert await terminal.ended() == 0


async def test_secrets_are_not_shown_again(board: Board) -> None:
    async with on_terminal("console", board.port) as terminal:
        await terminal.shows(">")
        terminal.type('configure begin\rconfigure data {"password":"correct horse"}\r')
        await terminal.shows("> configure data …")
        await terminal.shows("28\r")
        terminal.type("\x1b[A\r")
        await terminal.shows("> configure begin")
        terminal.type("\x1d")
        assert await terminal.ended() == 0


def test_what_is_remembered() -> None:
    history = History()
    for line in ("status", 'configure data {"password":"correct horse"}', "configure commit"):
        history.append_string(line)
    assert history.get_strings() == ["status", "configure commit"]
    assert mask('configure data {"password":"x"}') == "configure data …" and mask("status") == "status"


# What it looks like.


def test_colours_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "    12.345 W wifi: lost",
        "    12.345 E app: [bold]failed[/bold]",
        '    12.345 I x: 1.5 "a"',
        "= ok 1",
    ]
    for line in lines:
        TextView().line(line)
    assert capsys.readouterr().out.splitlines() == [*lines[:3], "1"]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    TextView().line(lines[0])
    TextView().line(lines[1])
    warning, error = capsys.readouterr().out.splitlines()
    assert "\x1b[33m" in warning and "\x1b[1;31m" in error and "[bold]failed" in error


def test_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    value: dict[str, object] = {
        "uptime_s": 93_784,
        "heap_free": 113664,
        "cloud": True,
        "rssi": None,
        "networks": [],
        "a": {"b": ["c", 1]},
    }
    TextView().answer(Answer(True, json.dumps(value)))
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "uptime     1 d 2 h",
        "rssi       -",
        "networks   -",
        "cloud      yes",
        "heap free  113,664",
        "a          b c, 1",
    ]
    TextView().answer(Answer(True, '{"x": 1, "rssi": -50, "wifi": "Home", "mode": "NORMAL"}'))
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["mode", "wifi", "rssi", "x"]  # whatever order the board has them in
    TextView().answer(Answer(True, '[{"ssid": "Home", "rssi": -50}, {"ssid": "Café"}]'))
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "ssid  rssi",
        "Home  -50",
        "Café  -",
    ]
