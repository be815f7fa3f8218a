"""`python3 -m tools ble`: as a program on a machine without Bluetooth, and with devices around it."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError

from tests.host.ble.fake_bleak import Bluetooth
from tests.host.ble.memory import CODE, Board, large
from tests.host.board.support import on_terminal, run_verb
from tools.__main__ import main
from tools.ble import cli, over_bleak

NOWHERE = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere/at/all"}
NAME = "esp32-240ac4000001"


def configuration(folder: Path, document: dict[str, Any] | None = None) -> str:
    file = folder / "board.json"
    file.write_text(json.dumps(document or large()))
    return str(file)


# As a program.


@pytest.mark.parametrize(
    "arguments", [["ble", "--help"], ["ble", "configure", "--help"], ["ble", "send", "-h"]]
)
async def test_help_has_examples(arguments: list[str]) -> None:
    done = await run_verb(*arguments)
    assert done.status == 0 and "python3 -m tools ble configure" in done.out and "exit status" in done.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "ACTION"),
        (["nonsense"], "invalid choice"),
        (["scan", "--seconds", "0"], "must be over 0"),
        (["scan", "--code", CODE], "unrecognized"),
        (["configure"], "FILE"),
        (["status", "--code", "ABCD"], "ABCD-EFGH-JKMN"),
        (["status"], "--code ABCD-EFGH-JKMN"),
        (["send", NAME], "PACKET"),
        (["send", NAME, "x" * 17], "1 to 16 bytes"),
        (["send", NAME, "x", "y" * 1025], "at most 1024 bytes"),
    ],
)
async def test_wrong_arguments(arguments: list[str], complaint: str) -> None:
    done = await run_verb("ble", *arguments, SETUP_CODE="")
    assert (done.status, done.out) == (2, "") and complaint in done.err


async def test_a_code_in_the_environment_that_is_none() -> None:
    done = await run_verb("ble", "status", SETUP_CODE="SECRET-CODE")
    assert done.status == 2 and "SETUP_CODE: that is not a device's code" in done.err
    assert "SECRET" not in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="D-Bus is Linux's way to Bluetooth")
async def test_a_machine_without_bluetooth() -> None:
    for arguments in (["scan"], ["status", NAME, "--code", CODE]):
        done = await run_verb("ble", *arguments, **NOWHERE)
        first, second = done.err.splitlines()
        assert done.status == 1 and not done.out
        assert "this machine has no Bluetooth that works" in first and "apt install bluez" in second
    done = await run_verb("ble", "scan", "--json", **NOWHERE)
    answer = json.loads(done.out)
    assert done.status == 1 and answer["ok"] is False and answer["text"] in done.err and answer["remedy"]


async def test_a_file_that_is_wrong_needs_no_bluetooth(tmp_path: Path) -> None:
    file = configuration(tmp_path, {"wifi": []})
    done = await run_verb("ble", "configure", file, "--code", CODE, **NOWHERE)
    assert done.status == 1 and f"{file}: aws: missing" in done.err and "docs/configuration.md" in done.err


async def test_the_code_is_asked_for_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETUP_CODE", raising=False)
    monkeypatch.setenv(*next(iter(NOWHERE.items())))
    async with on_terminal("ble", "status") as terminal:
        await terminal.shows("The code on the device's label: ")
        terminal.type("abcd\r")
        await terminal.shows("It has 12 letters and digits.*ABCD-EFGH-JKMN")
        terminal.type("abcd efgh jkmn\r")
        await terminal.shows("ble status: ")
        assert await terminal.ended() == 1
    async with on_terminal("ble", "status") as terminal:
        await terminal.shows("The code on the device's label: ")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.ended() == 130


# With devices around.

Run = Callable[..., int]


@pytest.fixture
def bluetooth(monkeypatch: pytest.MonkeyPatch) -> Bluetooth:
    bluetooth = Bluetooth({})
    monkeypatch.setattr(over_bleak, "BleakScanner", bluetooth.scanner)
    monkeypatch.setattr(over_bleak, "BleakClient", bluetooth.client)
    return bluetooth


@pytest.fixture
def run(bluetooth: Bluetooth, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run `python3 -m tools ble …` here, with one loop for it and the boards."""
    real_run = asyncio.run
    monkeypatch.delenv("SETUP_CODE", raising=False)

    def run(*arguments: str, boards: tuple[str, ...] = (NAME,)) -> int:
        fresh = {name: board for name, board in bluetooth.boards.items() if not board.used}
        bluetooth.boards = {name: fresh.get(name) or Board() for name in boards}

        async def among_boards(verb: Any) -> None:
            for board in bluetooth.boards.values():
                await board.__aenter__()
            try:
                await verb
            finally:
                for board in bluetooth.boards.values():
                    await board.__aexit__()

        monkeypatch.setattr(asyncio, "run", lambda verb: real_run(among_boards(verb)))
        monkeypatch.setattr(sys, "argv", ["tools", "ble", *arguments])
        return main()

    yield run
    monkeypatch.undo()


def test_scan(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scan", "--seconds", "0.05", "--json", boards=(NAME, "esp32-2")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] and [device["name"] for device in answer["value"]] == [NAME, "esp32-2"]
    assert answer["value"][0]["address"] == "24:0A:C4:00:00:00"
    assert run("scan", "--seconds", "0.05", boards=()) == 0
    assert "Nobody is heard" in capsys.readouterr().err


def test_configure(
    run: Run, bluetooth: Bluetooth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configuration(tmp_path)
    assert run("configure", NAME, file, "--code", "abcd-efgh-jkmn") == 0
    assert capsys.readouterr().out == "Stored. The device restarts with it.\n"
    assert bluetooth.boards[NAME].saved and bluetooth.boards[NAME].restarted
    assert run("configure", NAME, file, "--code", CODE, "--json") == 0
    assert json.loads(capsys.readouterr().out)["value"] == {"id": NAME, "result": "CONFIG_DONE"}


def test_configure_with_a_product_file(
    run: Run, bluetooth: Bluetooth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(Path(configuration(tmp_path)).read_text())
    del document["wifi"]
    file = configuration(tmp_path, document)
    assert run("configure", NAME, file, "--code", CODE) == 1
    assert "or by --wifi SSID:PASSWORD" in capsys.readouterr().err
    assert (
        run("configure", NAME, file, "--code", CODE, "--wifi", "Home:correct:horse", "--wifi", "Open:") == 0
    )
    networks = bluetooth.boards[NAME].saved[-1]["wifi"]
    assert [(network["ssid"], network["password"]) for network in networks] == [
        ("Home", "correct:horse"),
        ("Open", ""),
    ]


def test_configure_over_links_that_get_lost(
    run: Run, bluetooth: Bluetooth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bluetooth.cuts = [12, 12]
    assert run("configure", NAME, configuration(tmp_path), "--code", CODE) == 0
    assert bluetooth.connections == 3
    bluetooth.cuts = [5, 5, 5]
    assert run("configure", NAME, configuration(tmp_path), "--code", CODE) == 1
    assert bluetooth.connections == 6 and "goes on where it stopped" in capsys.readouterr().err


def test_the_wrong_code(
    run: Run, bluetooth: Bluetooth, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("configure", NAME, configuration(tmp_path), "--code", "0" * 12, "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["name"] == "ACCESS_DENIED" and "label" in captured.err
    assert bluetooth.connections == 1, "a wrong code must not be tried again"
    assert "0000" not in captured.out + captured.err


def test_status(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", NAME, "--code", CODE, "--scan", "--json") == 0
    status = json.loads(capsys.readouterr().out)["value"]
    assert status["id"] == NAME and [network["ssid"] for network in status["networks"]] == ["Home", "Café"]


def test_the_code_comes_from_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETUP_CODE", "ABCD-EFGH-JKMN")
    assert run("status", NAME) == 0
    assert json.loads(capsys.readouterr().out)["mode"] == "CONFIG"


def test_send(
    run: Run, bluetooth: Bluetooth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[str] = []
    monkeypatch.setattr(cli, "bar", lambda: nullcontext(lambda what, done, total: waits.append(what)))
    board = bluetooth.boards[NAME] = Board()
    board.packets.on("led", lambda payload: board.packets.send("led", payload.upper()))
    assert run("send", NAME, "led", "on", "--code", CODE, "--wait", "0.2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["value"] == {"packet": "led", "payload": "ON"}
    assert waits == ["looking for it", "connecting", "waiting for the application"]
    assert run("send", NAME, "fan", "--code", CODE) == 1
    assert "takes no packets called 'fan'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("boards", "said"),
    [
        ((), "no device is heard"),
        (("esp32-1", "esp32-2"), "more than one device is heard: esp32-1, esp32-2"),
    ],
)
def test_a_name_that_is_left_out(
    run: Run,
    boards: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tools.ble.cli._SEARCH_S", 0.05)
    assert run("status", "--code", CODE, boards=boards) == 1
    assert said in capsys.readouterr().err
    assert run("status", "--code", CODE, boards=("esp32-1",)) == 0


def test_a_device_that_is_not_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.ble.cli._SEARCH_S", 0.05)
    assert run("status", NAME, "--code", CODE, boards=("esp32-2",)) == 1
    assert f"{NAME} is not heard; but esp32-2" in capsys.readouterr().err


Reason = BleakBluetoothNotAvailableReason


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (BleakBluetoothNotAvailableError("", Reason.NO_BLUETOOTH), "Plug in an adapter"),
        (BleakBluetoothNotAvailableError("", Reason.POWERED_OFF), "Switch it on"),
        (BleakBluetoothNotAvailableError("", Reason.DENIED_BY_USER), "Allow this terminal"),
        (BleakBluetoothNotAvailableError("odd", Reason.UNKNOWN), "not available: odd"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", ["x"]), "BlueZ does not run"),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", ["x"]), "group bluetooth"),
        (BleakDBusError("org.bluez.Error.NotReady", ["x"]), "Bluetooth is off"),
        (BleakDBusError("org.bluez.Error.Failed", ["so and so"]), "Bluetooth failed: so and so"),
        (PermissionError(13, "Permission denied"), "D-Bus: Permission denied"),
        (EOFError(), "D-Bus: it hung up"),
        (TimeoutError(), "does not answer"),
    ],
)
def test_what_bluetooth_says_is_told_with_a_remedy(
    run: Run,
    bluetooth: Bluetooth,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    said: str,
) -> None:
    bluetooth.failure = failure
    assert run("scan") == 1
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 2
