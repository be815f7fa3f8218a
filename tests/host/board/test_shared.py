"""Names that only the library's modules call each other by: in ROM, and the same in all of them."""

import ast
from pathlib import Path

import pytest

from tools import application
from tools.board import files, private, shared
from tools.board.mpy import table
from tools.board.view import own_names

LIBRARY = [*(files.ROOT / "lib/iot").rglob("*.py")]
QUEUES, CLIENT = "lib/iot/mqtt/queues.py", "lib/iot/mqtt/client.py"


def names(file: str) -> list[bytes]:
    return table(files.compile_for_chip((files.ROOT / file).read_bytes(), file))


def test_the_list_is_up_to_date() -> None:
    """Else: .venv/bin/python -m tools.board.shared."""
    assert shared.chosen() == shared.listed()


def test_each_name_has_one_of_its_own() -> None:
    listed = shared.listed()
    assert len(set(listed.values())) == len(listed) and set(listed.values()) <= set(shared.IN_ROM)
    assert not set(listed.values()) & {name.decode() for name in private._NUMBERS}


def test_nothing_here_means_what_stands_in_their_place() -> None:
    device = [*(files.ROOT / "lib").rglob("*.py"), *(files.ROOT / name for name in ("boot.py", "main.py"))]
    device += (files.ROOT / "firmware").rglob("*.py")
    assert not shared._words(device) & set(shared.IN_ROM)


def test_what_modules_share_is_in_rom_in_all_of_them() -> None:
    for name in ("Outbox", "acknowledge"):
        assert name in (files.ROOT / QUEUES).read_text() and name.encode() not in names(QUEUES)
        assert shared.listed()[name].encode() in names(QUEUES)
    assert b"acknowledge" not in names(CLIENT)


@pytest.mark.parametrize(
    "name",
    ["publish", "telemetry", "rssi", "MQTTError", "uptime_s", "jobs", "queues", "starved", "notify", "wait"],
)
def test_what_others_mean_stays(name: str) -> None:
    """An application, a person who reads an error, JSON, an import, aioble, MicroPython."""
    assert name not in shared.candidates()


def test_what_is_gathered_by_name_becomes_a_text_and_stays() -> None:
    tree = ast.parse(
        "class Box:\n  def __init__(self, **sizes): pass\nBox(width=1)\nbox.fill(height=2)\ndict(depth=3)"
    )
    assert set(shared._gathered([tree])) == {"width", "depth"}
    assert {"networks", "clientToken"} <= set(shared._gathered([ast.parse(f.read_bytes()) for f in LIBRARY]))


def test_what_an_application_takes_up_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware/app.py").write_text("async def main(thing):\n    thing.client.acknowledge(1)\n")
    with monkeypatch.context() as patch:
        patch.setenv(application.SETTING, str(tmp_path))
        files.look_again()
        assert b"acknowledge" in names(QUEUES) and b"Outbox" not in names(QUEUES)
    files.look_again()
    assert b"acknowledge" not in names(QUEUES)


def test_a_traceback_has_them_back() -> None:
    line = f'  File "iot.mqtt.queues", line 1, in {shared.listed()["acknowledge"]}'
    assert own_names(line) == '  File "iot.mqtt.queues", line 1, in acknowledge'
