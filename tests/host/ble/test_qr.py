"""`python3 -m tools qr`: the label of a device."""

import json
import struct
import zlib
from pathlib import Path

import pytest
import segno

from tests.host.board.conftest import board, world  # noqa: F401 (fixtures)
from tests.host.board.support import Board, on_terminal, run_verb, wired
from tools.ble.qr import PAGE, make_link

NAME = "esp32-240ac4000001"
LINK = f"{PAGE}#code=ABCDEFGHJKMN&name={NAME}"


def modules(link: str, border: int) -> list[list[bool]]:
    """The symbol of a link, dark modules True."""
    symbol = segno.make_qr(link, error="m")
    return [[bool(module) for module in row] for row in symbol.matrix_iter(border=border)]


def pixels(png: bytes) -> list[list[bool]]:
    """A PNG of one bit a pixel, grey or of a palette (RFC 2083); dark pixels True."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        assert zlib.crc32(kind + data) == struct.unpack_from(">I", png, place + 8 + size)[0]
        chunks[kind] = chunks.get(kind, b"") + data
        place += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (1, 0)
    data, stride = zlib.decompress(chunks[b"IDAT"]), 1 + (width + 7) // 8
    rows = [bytes(stride - 1)]
    for start in range(0, height * stride, stride):
        kind_of_filter, row = data[start], data[start + 1 : start + stride]
        assert kind_of_filter in (0, 2)  # none; up: the difference to the row above
        above = rows[-1] if kind_of_filter else bytes(stride - 1)
        rows.append(bytes((a + b) % 256 for a, b in zip(row, above, strict=True)))
    return [[not row[x // 8] >> (7 - x % 8) & 1 for x in range(width)] for row in rows[1:]]


def test_the_link() -> None:
    assert make_link("https://example.com/setup/", "abcd-efgh-jkmn") == (
        "https://example.com/setup/#code=ABCDEFGHJKMN"
    )
    assert make_link(PAGE, "ABCDEFGHJKMN", "Lamp & 7") == f"{PAGE}#code=ABCDEFGHJKMN&name=Lamp%20%26%207"


async def test_to_a_pipe_it_has_no_colours() -> None:
    done = await run_verb("qr", "ABCD-EFGH-JKMN", "--name", NAME, FORCE_COLOR="")
    *drawing, code, link = done.out.splitlines()
    assert done.status == 0 and "\x1b" not in done.out
    assert (code, link) == (f"ABCD-EFGH-JKMN {NAME}", LINK)
    light = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    halves = [[not light[character][half] for character in line] for line in drawing for half in (0, 1)]
    assert halves[: len(modules(LINK, 2))] == modules(LINK, 2)


async def test_on_a_terminal_it_is_white_on_black() -> None:
    async with on_terminal("qr", "ABCD-EFGH-JKMN") as terminal:
        await terminal.shows("█▀")
        await terminal.shows("#code=ABCDEFGHJKMN")
        assert await terminal.ended() == 0


async def test_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "label.png"
    done = await run_verb("qr", "ABCD-EFGH-JKMN", "--name", NAME, "--png", str(file))
    assert done.status == 0 and done.out.splitlines() == [f"ABCD-EFGH-JKMN {NAME}", f"{file}: {LINK}"]
    assert [row[::10] for row in pixels(file.read_bytes())[::10]] == modules(LINK, 4)
    done = await run_verb("qr", "ABCD-EFGH-JKMN", "--svg", str(tmp_path / "label.svg"))
    assert done.status == 0 and "<svg" in (tmp_path / "label.svg").read_text()


async def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    done = await run_verb("qr", "ABCD-EFGH-JKMN", "--png", str(tmp_path / "none/label.png"))
    assert done.status == 1 and "label.png: cannot be written" in done.err and "Use a place" in done.err


async def test_json() -> None:
    done = await run_verb("qr", "abcd efgh jkmn", "--name", NAME, "--json")
    assert json.loads(done.out) == {"link": LINK, "code": "ABCD-EFGH-JKMN", "name": NAME}
    done = await run_verb("qr", "abcdefghjkmn", "--page", "https://example.com/", "--json")
    link = "https://example.com/#code=ABCDEFGHJKMN"
    assert json.loads(done.out) == {"link": link, "code": "ABCD-EFGH-JKMN", "name": None}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give CODE or --port PORT"),
        (["ABCD-EFGH-JKMN", "--port", "x"], "give CODE or --port PORT"),
        (["ABCD"], "not a device's code"),
        (["ABCD-EFGH-JKMN", "--png", "a", "--svg", "b"], "not allowed with"),
        (["ABCD-EFGH-JKMN", "--page", "example.com"], "address of a web page"),
        (["ABCD-EFGH-JKMN", "--page", "https://example.com/#x"], "without a fragment"),
    ],
)
async def test_wrong_arguments(arguments: list[str], complaint: str) -> None:
    done = await run_verb("qr", *arguments)
    assert (done.status, done.out) == (2, "") and complaint in done.err


async def test_help_has_examples() -> None:
    done = await run_verb("qr", "--help")
    assert done.status == 0 and "python3 -m tools qr --port" in done.out


async def test_a_board_is_asked(board: Board) -> None:  # noqa: F811
    code = (await board.device.expect(r"I ble: code (\S+)"))[1]
    done = await run_verb("qr", "--port", board.port, "--json")
    assert done.status == 0, done.err
    link = f"{PAGE}#code={code.replace('-', '')}&name={NAME}"
    assert json.loads(done.out) == {"link": link, "code": code, "name": NAME}


async def test_a_board_that_knows_no_code() -> None:
    async with wired() as wire:
        wire.on_data = lambda data: wire.write(b"= error no such command; help lists them\r\n")
        done = await run_verb("qr", "--port", wire.port)
    assert done.status == 1 and "the board knows of no code" in done.err and "tools deploy" in done.err
    async with wired() as wire:
        wire.on_data = lambda data: wire.write(b"= error flash could not be initialised\r\n")
        done = await run_verb("qr", "--port", wire.port)
    assert done.status == 1 and "flash could not be initialised" in done.err
