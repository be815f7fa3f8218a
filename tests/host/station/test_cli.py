"""`station`: what it refuses before it begins, and what it shows."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.host.station.faked import IMAGE, PAGE, Bay, FakedBoard
from tests.host.thing.conftest import Done, in_process
from tools.board.errors import BoardError
from tools.station import cli
from tools.station.ledger import Board, Ledger
from tools.station.view import View
from tools.station.watch import DONE, FAILED, WORKING, Place


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(IMAGE.data)
    return path


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ((), 2, "IMAGE is missing"),
        (("no.bin",), 2, "--page URL is missing"),
        (("no.bin", "--page", PAGE), 1, "no.bin: no such file"),
        (("image.bin", "--page", PAGE), 1, "nobody is here to be asked"),
        (("no.bin", "--page", "http://example.com/"), 2, "must begin with https"),
        (("no.bin", "--page", PAGE, "--labels", "png,gif"), 2, "some of png,zpl,pdf,csv"),
        (("no.bin", "--page", PAGE, "--wifi", "a:b"), 2, "--wifi goes with --configure"),
        (("--reprint", "lamp"), 2, "--reprint needs --print"),
    ],
)
def test_what_is_refused(
    arguments: tuple[str, ...],
    status: int,
    text: str,
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    done = in_process(monkeypatch, capsys, "station", *arguments, "--json")
    assert done.status == status and text in done.objects[-1]["text"]
    assert list(tmp_path.iterdir()) == [image]


def test_one_code_for_all_is_refused(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"SETUP_CODE": "ABCDEFGHJKMN", "NAME_PREFIX": "esp32", "LED_PIN": 2, "BUTTON_PIN": 0}
    monkeypatch.setattr(cli.settings, "values", lambda: known)
    done = in_process(monkeypatch, capsys, "station", str(image), "--page", PAGE, "--json")
    assert done.status == 1 and "SETUP_CODE gives all boards one code" in done.failure["text"]


def test_a_run_tells_programs_all_but_codes(
    bay: Bay, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port, tell = str(tmp_path / "port"), View.tell
    bay.plug(port, FakedBoard(1, pulls=(5,)))

    def watched(view: View, place: Place) -> None:
        tell(view, place)
        if place.state == FAILED:
            bay.plug(port, bay.at[port])

    monkeypatch.setattr(View, "tell", watched)

    def run(*arguments: str) -> Done:
        batch = str(tmp_path / "batch")
        return in_process(monkeypatch, capsys, "station", "--batch", batch, *arguments)

    done = run(str(image), "--page", PAGE, "--port", port, "--count", "1", "--yes", "--json")
    assert done.status == 0 and done.value == {"finished": 1, "failed": 1, "done": 1, "begun": 0}
    states = [change["state"] for change in done.objects if "state" in change]
    assert states[0] == "waiting" and "failed" in states and states[-1] == "done"
    failure = next(change for change in done.objects if change.get("state") == "failed")
    assert failure["text"].endswith("the connection is lost") and failure["remedy"]
    ledger = Ledger(tmp_path / "batch")
    code = ledger.boards()[0].code
    ledger.close()
    assert code not in done.out + done.err and code == bay.at[port].code
    name = bay.at[port].name
    again = run("--print", "lp", "--reprint", name)
    assert (again.err, again.out) == ("", f"{name}: printed\n") and bay.printed == [name]
    assert run("--print", "lp", "--reprint", "lamp", "--json").status == 1


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    view, out = View(False), io.StringIO()
    view._console = Console(file=out, force_terminal=True, width=100, color_system=None)
    view._live.console = view._console
    view._is_live = True
    lamp = Board(
        "24:0a:c4:00:00:01", "esp32-240ac4000001", "ABCDEFGHJKMN", "ESP32", number=12, wifi="-52 dBm"
    )
    places = [
        Place("/dev/ttyUSB0", None, WORKING, lamp, "writing", 0.5),
        Place("/dev/ttyUSB1", None, DONE, lamp),
        Place("/dev/ttyUSB2", None, FAILED, failure=BoardError("it is broken", "Mend it.")),
        Place("/dev/ttyUSB3", None),
    ]
    with view.shown():
        for place in places[1:3]:
            view.tell(place)
        view.draw(places, 12, 1)
    shown = out.getvalue()
    for text in (
        "writing",
        "done: label 12, Wi-Fi -52 dBm; take it off",
        "it is broken",
        "Mend it.",
        "waiting",
        "12 done",
    ):
        assert text in shown
    assert "ABCD" not in shown


def test_json_has_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    board = Board("24:0a:c4:00:00:01", "esp32-240ac4000001", "ABCDEFGHJKMN", "ESP32", wifi="-52 dBm")
    View(True).tell(Place("COM3", None, WORKING, board, "writing"))
    told = json.loads(capsys.readouterr().out)
    assert told == {"port": "COM3", "state": "working", "step": "writing", **_shown(board)}


def _shown(board: Board) -> dict[str, str]:
    return {"mac": board.mac, "name": board.name, "chip": "ESP32", "wifi": "-52 dBm"}
