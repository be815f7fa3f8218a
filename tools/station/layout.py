"""One label, as a picture, on a sheet of paper, for a label printer: a QR code, beside it name and code."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import segno
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tools.ble.protocol import on_air
from tools.board.errors import BoardError

COLUMNS, ROWS = 3, 8  # of a sheet: 70 mm x 37 mm each, as the usual sheets of 24 have them
_WIDTH_MM, _HEIGHT_MM = 50, 25  # of a label by itself
_DPI, _DOTS_PER_MM = 300, 8  # of the picture; of a label printer, 203 dpi
_BORDER = 4  # modules around a QR code: ISO/IEC 18004
_EDGE_MM = 1.0
_LOWER_DOTS = 10  # label printers set a QR code so much lower than anything else
_SHEET_EDGE_MM = 4.0  # what office printers leave white, and more
_LINES = (0.36, 0.56, 0.76)  # where the text's lines stand, of the height
_INCH_MM = 25.4


@dataclass(frozen=True)
class Label:
    """What stands on it."""

    number: int
    name: str
    code: str  # as people read it
    link: str

    @property
    def lines(self) -> tuple[str, str, str]:
        return on_air(self.name), self.code, f"No. {self.number}"


@dataclass(frozen=True)
class _Symbol:
    """A QR code: its modules a side, and the dark ones side by side as column, row, how many."""

    side: int
    runs: tuple[tuple[int, int, int], ...]


def png(label: Label) -> bytes:
    """A picture of 50 mm x 25 mm, 300 dpi, black and white."""
    width, height = (round(side * _DPI / _INCH_MM) for side in (_WIDTH_MM, _HEIGHT_MM))
    symbol = _symbol(label.link)
    scale = height // (symbol.side + 2 * _BORDER)
    picture = Image.new("1", (width, height), 1)
    pen = ImageDraw.Draw(picture)
    side = scale * (symbol.side + 2 * _BORDER)
    top = (height - side) // 2
    for x, y, length in symbol.runs:
        left, upper = (x + _BORDER) * scale, top + (y + _BORDER) * scale
        pen.rectangle((left, upper, left + length * scale - 1, upper + scale - 1), fill=0)
    room = width - side - round(_EDGE_MM * _DPI / _INCH_MM)
    font = _font(max(label.lines, key=len), room)
    for line, part in zip(label.lines, _LINES, strict=True):
        pen.text((side, round(height * part)), line, font=font, fill=0, anchor="lm")
    file = io.BytesIO()
    picture.save(file, "PNG", dpi=(_DPI, _DPI), optimize=True)
    return file.getvalue()


def sheet(labels: list[Label]) -> bytes:
    """A page of A4 as PDF; each label has the place of its number, whichever are there."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)  # the same labels are the same bytes
    width, height = A4[0] / COLUMNS, A4[1] / ROWS
    for label in labels:
        row, column = divmod((label.number - 1) % (COLUMNS * ROWS), COLUMNS)
        _draw(canvas, label, column * width, A4[1] - (row + 1) * height, width, height)
    canvas.save()
    return file.getvalue()


def _draw(canvas: Canvas, label: Label, left: float, bottom: float, width: float, height: float) -> None:
    edge, symbol = _SHEET_EDGE_MM * mm, _symbol(label.link)
    side = height - 2 * edge
    module = side / (symbol.side + 2 * _BORDER)
    path = canvas.beginPath()
    for x, y, length in symbol.runs:
        upper = bottom + edge + side - (y + 1 + _BORDER) * module
        path.rect(left + edge + (x + _BORDER) * module, upper, length * module, module)
    canvas.drawPath(path, stroke=0, fill=1)
    room = width - side - 2 * edge
    size = min(10.0, *(10.0 * room / stringWidth(line, "Helvetica", 10) for line in label.lines))
    canvas.setFont("Helvetica", size)
    for line, part in zip(label.lines, _LINES, strict=True):
        canvas.drawString(left + edge + side, bottom + height * (1 - part) - size / 3, line)


def zpl(label: Label) -> bytes:
    """For a label printer that speaks ZPL II, 203 dpi, labels of 50 mm x 25 mm.

    Raises:
        BoardError: the link is too long for the label.
    """
    width, height = _WIDTH_MM * _DOTS_PER_MM, _HEIGHT_MM * _DOTS_PER_MM
    modules = _symbol(label.link).side
    scale = min(10, height // (modules + 2 * _BORDER))
    if scale < 2:
        raise BoardError(f"{label.link}: too long for a label", "Take a shorter address: --page.")
    edge, side = _BORDER * scale, modules * scale
    text, top = side + 2 * edge, (height - side) // 2 - _LOWER_DOTS
    size = min(20, 2 * (width - text) // max(map(len, label.lines)))  # a letter is half as wide
    lines = [
        f"^FO{text},{round(height * part) - 10}^A0N,22,{size}^FB{width - text}^FH\\^FD{_escaped(line)}^FS"
        for line, part in zip(label.lines, _LINES, strict=True)
    ]
    # A printer makes the symbol itself: M is its error correction, A: it finds the mode for the data.
    code = f"^FO{edge},{top}^BQN,2,{scale},M^FH\\^FDMA,{_escaped(label.link)}^FS"
    return "\n".join(("^XA", f"^PW{width}^LL{height}^CI28", code, *lines, "^PQ1^XZ", "")).encode()


def _escaped(text: str) -> str:
    """What would be a command, or the escape itself, by its code."""
    return "".join(f"\\{ord(one):02X}" if one in "^~\\" else one for one in text)


@lru_cache(maxsize=2 * COLUMNS * ROWS)  # a sheet is drawn anew with each of its labels
def _symbol(link: str) -> _Symbol:
    """Of medium error correction, as `tools qr` draws it."""
    matrix = segno.make_qr(link, error="m").matrix
    return _Symbol(len(matrix), tuple(run for y, row in enumerate(matrix) for run in _runs(y, row)))


def _runs(y: int, row: bytearray) -> Iterator[tuple[int, int, int]]:
    start = 0
    for x, module in enumerate(bytes(row) + b"\0"):
        if not module:
            if x > start:
                yield start, y, x - start
            start = x + 1


def _font(line: str, room: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest that a line has room with."""
    size = 40
    while (font := ImageFont.load_default(size)).getlength(line) > room and size > 8:
        size -= 1
    return font
