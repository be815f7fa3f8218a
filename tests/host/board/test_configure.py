"""`python3 -m tools configure`, and the files it takes."""

import asyncio
import copy
import json
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import documents
import pytest
from documents import CLAIM_KEY, claim
from rich.console import Console

from tests.host.board.support import DEADLINE_S, ROOT, WIFI, Board, on_terminal, run_verb, wired
from tools.board import configure as module
from tools.board import document
from tools.board.errors import BoardError

#: The start of what a program does from the device's first restart on.
RESTARTED = "import machine\nif machine.reset_cause() != machine.PWRON_RESET:"
SECRETS = ("correct horse", "-----BEGIN EC", CLAIM_KEY.split("\n")[1])


def write(path: Path, value: object) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = copy.deepcopy(claim())
    change(value)
    return value


def no_secret_in(*texts: str) -> None:
    for secret in SECRETS:
        assert not any(secret in text for text in texts)


def refusal(path: Path) -> BoardError:
    with pytest.raises(BoardError) as caught:
        document.load(path)
    no_secret_in(str(caught.value))
    return caught.value


# The file.


def test_certificates_may_be_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "AmazonRootCA1.pem").write_text("\ufeff# our root\n" + documents.ROOT.replace("\n", "\r\n"))
    (tmp_path / "certs/claim-private.pem.key").write_text(claim()["aws"]["claim_key"])
    names = {"root_ca": "AmazonRootCA1.pem", "claim_key": "certs/claim-private.pem.key"}
    file = tmp_path / "board.json"
    write(file, changed(lambda value: value["aws"].update(names)))
    assert document.load(file) == claim()
    (tmp_path / "AmazonRootCA1.pem").write_text(documents.ROOT, "utf-16")  # as PowerShell's > does
    assert document.load(file) == claim()


def test_files_that_are_missing_or_no_text(tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    write(file, changed(lambda value: value["aws"].update(claim_key="key.pem")))
    error = refusal(file)
    assert error.text == f"{file}: aws.claim_key: {tmp_path}/key.pem: no such file"
    assert "relative to the JSON's folder" in error.remedy
    (tmp_path / "key.pem").write_bytes(b"\xff")
    assert refusal(file).text.endswith("key.pem: no text")
    (tmp_path / "key.pem").write_bytes(b"x" * 100_000)
    assert refusal(file).text.endswith("key.pem: more than 65536 bytes")
    (tmp_path / "key.pem").write_text("hello")
    assert refusal(file).text.startswith(f"{file}: aws.claim_key: no private key, but no PEM block")
    (tmp_path / "key.pem").unlink()
    (tmp_path / "key.pem").mkdir()
    assert refusal(file).text.endswith("key.pem: no file")


def test_a_key_without_its_first_line_is_not_shown(tmp_path: Path) -> None:
    key = "".join(claim()["aws"]["claim_key"].split("\n")[1:-2])
    write(tmp_path / "board.json", changed(lambda value: value["aws"].update(claim_key=key)))
    assert "aws.claim_key: no private key, but no PEM block" in refusal(tmp_path / "board.json").text


def test_files_that_make_no_sense(tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    assert refusal(file).text == f"{file}: no such file"
    file.write_text('{"wifi": [\n{"ssid": "Home" "password": "correct horse"}]}')
    assert refusal(file).text == f"{file}: not JSON at line 2, column 17: Expecting ',' delimiter"
    file.write_text("[" * 60_000)
    assert refusal(file).text == f"{file}: nested too deep"
    for text in ("[]", "null", "3", '{"aws": 3}', '{"wifi": [], "aws": {"root_ca": 3}}'):
        file.write_text(text)
        assert refusal(file).text.startswith(f"{file}: ")
    write(file, changed(lambda value: value["wifi"].append({"ssid": ""})))
    error = refusal(file)
    assert error.text == f"{file}: wifi[2].ssid: 1 to 32 bytes"
    assert "docs/configuration.md" in error.remedy
    assert refusal(Path("/dev/null")).text == "/dev/null: no file"


def test_what_is_written_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    for _ in range(2):  # also over what is there
        document.save(file, claim())
        files = sorted(path.name for path in tmp_path.iterdir())
        assert files == [
            f"board.{end}" for end in ("claim_certificate.pem", "claim_key.pem", "json", "root_ca.pem")
        ]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
        assert "-----BEGIN" not in file.read_text()
        assert document.load(file) == claim()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot be written: No such file or directory"):
        document.save(tmp_path / "nowhere/board.json", claim())
    with pytest.raises(BoardError, match=r"wifi\[0\].password: 8 to 64 bytes"):
        document.save(
            tmp_path / "board.json", changed(lambda value: value["wifi"][0].update(password="short"))
        )
    assert not list(tmp_path.iterdir())
    (tmp_path / "board.json").mkdir()
    with pytest.raises(BoardError, match="cannot be written: Is a directory"):
        document.save(tmp_path / "board.json", claim())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


# The verb.


async def test_a_file_is_checked(tmp_path: Path) -> None:
    file = write(tmp_path / "board.json", claim())
    done = await run_verb("configure", "--check", file)
    assert (done.status, done.out, done.err) == (0, f"{file}: valid\n", "")
    write(tmp_path / "board.json", changed(lambda value: value["aws"].update(port=0)))
    done = await run_verb("configure", "--check", file)
    assert done.status == 1 and done.err.startswith(
        f"configure: {file}: aws.port: an integer from 1 to 65535\n"
    )


async def test_wrong_arguments(tmp_path: Path) -> None:
    file = write(tmp_path / "board.json", claim())
    for arguments in (["--check", "/dev/ttyUSB0", file], []):
        assert (await run_verb("configure", *arguments)).status == 2


async def test_nothing_is_sent_before_the_file_is_right(tmp_path: Path) -> None:
    heard = bytearray()
    async with wired(heard.extend) as wire:
        file = write(tmp_path / "board.json", changed(lambda value: value.update(wifi=[])))
        done = await run_verb("configure", wire.port, file)
    assert done.status == 1 and "wifi: a list of 1 to 8" in done.err
    assert not heard


async def test_a_board_is_configured(board: Board, tmp_path: Path) -> None:
    file = write(tmp_path / "board.json", claim())
    done = await run_verb("configure", "--reach", "0", board.port, file)
    assert done.status == 0, done.err
    assert done.out == (
        f"Stored. The board came up in mode NORMAL. Watch it: python3 -m tools console {board.port}\n"
    )
    assert (await run_verb("configure", "--reach", "0", board.port, file)).status == 0  # also in NORMAL
    no_secret_in(done.out, done.err, *board.device.lines)


async def test_a_board_that_does_not_reach_its_cloud(board: Board, tmp_path: Path) -> None:
    for change, text in (
        (lambda value: value["aws"].update(endpoint="nowhere.example.com"), "EAI_FAIL"),
        (lambda value: value["wifi"].__setitem__(0, {"ssid": "Home", "password": "wrong horse"}), "password"),
    ):
        value = changed(change)
        del value["wifi"][1:]
        file = write(tmp_path / "board.json", value)
        done = await run_verb("configure", "--reach", "8", board.port, file)
        assert done.status == 1
        first, second = done.err.splitlines()
        assert first.startswith(f"configure: {board.port}: stored, but the board has not reached its cloud: ")
        assert re.search(text, first) and "configure it again" in second
        no_secret_in(done.out, done.err)


async def change(board: Board, file: str, function: Callable[[str], str]) -> None:
    """Have another text in a file of it; it is in CONFIG again."""
    await board.device.power_off()
    path = board.device.files / file
    path.write_text(function(path.read_text()))
    await board.device.power_on()
    await board.device.expect("mode CONFIG")


async def test_a_board_that_is_back_in_config(board: Board, tmp_path: Path) -> None:
    await change(board, "firmware/settings.py", lambda text: text + "WIFI_REACH_MS = 1000\n")
    value = changed(lambda value: value.update(wifi=[{"ssid": "Nowhere", "password": "correct horse"}]))
    done = await run_verb("configure", board.port, write(tmp_path / "board.json", value))
    assert done.status == 1
    assert 'has not reached its cloud: network "Nowhere": no network of this name is heard' in done.err


async def test_on_a_terminal_there_is_progress(board: Board, tmp_path: Path) -> None:
    file = write(tmp_path / "board.json", claim())
    async with on_terminal("configure", "--reach", "0", board.port, file) as terminal:
        await terminal.shows("sending +━+ \\d:\\d\\d:\\d\\d")
        await terminal.shows("came up in mode NORMAL")
        assert await terminal.ended() == 0


async def test_a_board_that_refuses(board: Board, tmp_path: Path) -> None:
    networks = "_NETWORKS_MAX = const({})"  # a firmware that wants less
    await change(
        board, "lib/iot/config.py", lambda text: text.replace(networks.format(8), networks.format(1))
    )
    done = await run_verb("configure", board.port, write(tmp_path / "board.json", claim()))
    assert done.status == 1
    assert done.err.startswith(
        f"configure: {board.port}: the board refuses it: wifi: a list of 1 to 1\nNothing was"
    )


async def test_a_board_that_does_not_come_up(board: Board, tmp_path: Path) -> None:
    luck = f"{RESTARTED}\n    print('no such luck')\nelse:\n"
    await change(board, "main.py", lambda text: luck + indent(text, "    "))
    file = write(tmp_path / "board.json", claim())
    done = await run_verb("configure", "--timeout", "3", board.port, file)
    assert done.status == 1
    assert "stored, but the board did not come up within 3 s; it said:\n" in done.err
    assert "  no such luck\n" in done.err
    no_secret_in(done.err)


async def test_a_board_that_comes_up_otherwise(board: Board, tmp_path: Path) -> None:
    fault = "    def load(self):\n        raise OSError(5)\n    Store.load = load\n"
    await change(board, "lib/iot/storage/store.py", lambda text: f"{text}\n{RESTARTED}\n{fault}")
    file = write(tmp_path / "board.json", claim())
    done = await run_verb("configure", board.port, file)
    assert done.status == 1
    assert "the board came up in mode IDLE, not NORMAL; it said:\n" in done.err


def speaks(answers: dict[bytes, bytes]) -> Callable[[bytes], bytes]:
    """What some other board answers to a line."""
    return lambda data: b"".join(answer for line, answer in answers.items() if line in data)


@pytest.mark.parametrize(
    ("answers", "what", "remedy"),
    [
        ({b"configure": b"= error no such command; help lists them\r\n"}, "no such command", "tools deploy"),
        ({b"configure": b"SyntaxError: invalid syntax\r\n>>> "}, "at MicroPython's prompt", "reset button"),
    ],
)
async def test_other_boards(tmp_path: Path, answers: dict[bytes, bytes], what: str, remedy: str) -> None:
    async with wired() as wire:
        wire.on_data = lambda data: wire.write(speaks(answers)(data))
        done = await run_verb("configure", wire.port, write(tmp_path / "board.json", claim()))
    assert done.status == 1
    first, second = done.err.splitlines()
    assert first.startswith(f"configure: {wire.port}: ") and what in first
    assert remedy in second


async def test_a_board_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.5)
    async with wired() as wire:
        with pytest.raises(BoardError, match=f"{wire.port}: the board says nothing") as caught:
            await module.configure_board(wire.port, claim(), DEADLINE_S, Console(quiet=True))
    assert f"tools flash {wire.port}" in caught.value.remedy


async def test_a_cable_pulled_in_the_middle(tmp_path: Path) -> None:
    def pull(data: bytes) -> None:
        wire.write(b"= ok\r\n") if b"begin" in data else wire.pull()

    async with wired(pull) as wire:
        done = await run_verb("configure", wire.port, write(tmp_path / "board.json", claim()))
    assert done.status == 1
    assert "the connection to the board is gone" in done.err and "cable" in done.err


# The local cloud's file.


async def test_a_board_joins_the_local_cloud(board: Board, tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    wifi = f"{WIFI['ssid']}:{WIFI['password']}"
    command = [sys.executable, "-m", "tools", "cloud", "--port", "0", "--state", str(tmp_path / "cloud")]
    cloud = await asyncio.create_subprocess_exec(
        *command,
        "--wifi",
        wifi,
        "--wifi",
        "Guests:",
        "--write-config",
        str(file),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert cloud.stdout
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not (line := (await cloud.stdout.readline()).decode()).startswith("next: "):
                assert line
        assert line == f"next: python3 -m tools configure PORT {file}\n"
        done = await run_verb("configure", board.port, str(file))
        assert done.status == 0, done.err
        assert done.out.endswith("Stored. The board has reached its cloud.\n")
        assert any("cloud: connected" in line for line in board.device.lines)
        await board.device.expect("app: telemetry 1 acknowledged", DEADLINE_S)
    finally:
        cloud.terminate()
        await cloud.communicate()
    written = json.loads(file.read_text())
    assert written["wifi"] == [WIFI, {"ssid": "Guests", "password": ""}]
    assert written["aws"]["endpoint"] == "localhost"
