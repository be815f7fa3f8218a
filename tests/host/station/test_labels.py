"""Labels: others read the link from the picture; the sheet and the printer's file hold what they must."""

import base64
import io
import re
import zlib
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageOps

from tools.ble.qr import make_link
from tools.board.errors import BoardError
from tools.station import layout
from tools.station.labels import Labels
from tools.station.layout import Label
from tools.station.ledger import Board

PAGE = "https://example.com/setup/"


def label(number: int, name: str = "", page: str = PAGE) -> Label:
    name = name or f"esp32-240ac4{number:06x}"
    return Label(number, name, "ABCD-EFGH-JKMN", make_link(page, "ABCD-EFGH-JKMN", name))


def board(number: int) -> Board:
    mac = f"24:0a:c4:00:00:{number:02x}"
    return Board(mac, f"esp32-{mac.replace(':', '')}", "ABCDEFGHJKMN", "ESP32", number=number)


def operations(pdf: bytes) -> str:
    """What a page draws (PDF 32000-1, 8 and 9)."""
    stream = re.search(rb"stream\r?\n(.*?)~>endstream", pdf, re.DOTALL)
    assert stream
    return zlib.decompress(base64.a85decode(stream[1])).decode("latin-1")


@pytest.mark.parametrize("name", ["", "a-product-with-a-long-name-240ac4000001", "x" * 115 + "-240ac4000001"])
def test_the_picture_is_read_by_others(name: str) -> None:
    one = label(7, name)
    picture = Image.open(io.BytesIO(layout.png(one)))
    assert picture.size == (591, 295) and picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    (found,) = zxingcpp.read_barcodes(picture.convert("L"))
    assert found.text == one.link
    left, top, right, bottom = ImageOps.invert(picture.convert("L")).getbbox() or (0, 0, 0, 0)
    assert min(left, top, 591 - right, 295 - bottom) > 4, "cut at its edge"


def test_a_label_has_one_place_on_one_sheet(tmp_path: Path) -> None:
    labels = Labels(tmp_path, PAGE, ("pdf",))
    boards = [board(number) for number in range(1, 27)]
    for at in (24, 25, 26):
        labels.write(boards[at - 1], boards[:at])
    first, second = ((tmp_path / f"labels-00{sheet}.pdf").read_bytes() for sheet in (1, 2))
    assert [re.findall(r"\((No\. \d+)\) Tj", operations(pdf)) for pdf in (first, second)] == [
        [f"No. {number}" for number in range(1, 25)],
        ["No. 25", "No. 26"],
    ]
    places = [re.findall(r"1 0 0 1 ([\d.]+) ([\d.]+) Tm", operations(pdf)) for pdf in (first, second)]
    assert places[0][:6] == places[1] and len(set(places[0])) == 3 * 24
    assert layout.sheet([label(3)]) == layout.sheet([label(3)])


def test_for_a_label_printer() -> None:
    lines = layout.zpl(label(7)).decode().splitlines()
    assert lines[0] == "^XA" and lines[-1] == "^PQ1^XZ"
    code = re.fullmatch(r"\^FO16,(\d+)\^BQN,2,(\d+),M\^FH\\\^FDMA,(.*)\^FS", lines[2])
    assert code and code[3] == label(7).link
    assert 2 * (int(code[1]) + 10) + int(code[2]) * 37 == 200  # 37 modules, on a label of 200 dots
    assert [re.search(r"\^FD(.*)\^FS", line)[1] for line in lines[3:6]] == [  # type: ignore[index]
        label(7).name,
        "ABCD-EFGH-JKMN",
        "No. 7",
    ]
    odd = layout.zpl(label(7, page="https://example.com/~me/^/\\")).decode()
    assert "https://example.com/\\7Eme/\\5E/\\5C#code" in odd and "~" not in odd
    with pytest.raises(BoardError, match="too long for a label"):
        layout.zpl(label(7, page="https://example.com/" + "x" * 2000))


def test_a_printer_that_does_not_print(tmp_path: Path) -> None:
    printed = tmp_path / "printed.zpl"
    assert Labels(tmp_path, PAGE, command=f"tee {printed}").print(board(1))
    assert printed.read_bytes().startswith(b"^XA")
    for command, said in (
        ("false", "false: status 1"),
        ("/no/such/printer", "/no/such/printer: No such file"),
    ):
        with pytest.raises(BoardError, match=said):
            Labels(tmp_path, PAGE, command=command).print(board(1))
