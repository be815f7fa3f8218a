"""`deflate` of the simulated chip on CPython against that of the oldest MicroPython, byte by byte."""

import contextlib
import io
import random
import zlib

from tests.host.sim import deflate_cases
from tests.host.sim.conftest import Says
from tools.sim.cpython import deflate

BEHIND = b"what is behind it"
FORMS = (  # bits for zlib, arguments behind the stream, which byte of the end is of the checksum
    (-10, ("1,10", "1,15"), 0),
    (10, ("2", "2,12", "0", "3"), 3),
    (25, ("3", "3,15", "0", "2"), 6),
)


def deflated(data: bytes, bits: int) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, bits, 9)
    return stream.compress(data) + stream.flush()


def lines() -> list[str]:
    """Data in each form: whole, with something behind it, cut off, with a wrong checksum."""
    chance = random.Random(15)
    texts = (
        b"",
        b"a",
        b"line\n" * 40,
        b"a long line that comes again\nand another\n" * 90,
        chance.randbytes(700),
    )
    found = []
    for text in texts:
        for bits, options, checksum in FORMS:
            whole = deflated(text, bits)
            variants = [whole, whole + BEHIND, whole[: chance.randrange(len(whole) // 2, len(whole))]]
            if checksum:
                damaged = bytearray(whole)
                damaged[-checksum] ^= 1
                variants.append(bytes(damaged))
            found += [f"{option} {data.hex()}" for data in variants for option in options]
    found += [f"{wrong} {deflated(b'a' * 40, -10).hex()}" for wrong in ("1,4", "1,16", "4", "-1", "1,5", "1")]
    return found


def test_every_stream_means_the_same(micropython_says: Says) -> None:
    texts = lines()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        deflate_cases.run(texts)
    assert said.getvalue().splitlines() == micropython_says(deflate_cases, texts)


def test_a_stream_may_go_on_elsewhere_behind_a_stored_block() -> None:
    """As lib/pack.py has it: of the source no byte is read before it is needed."""
    known = b"what both streams have"
    stream = zlib.compressobj(9, zlib.DEFLATED, -10, 9, zdict=known)
    second = stream.compress(known + b" in them") + stream.flush()
    stored = b"\0" + len(known).to_bytes(2, "little") + (len(known) ^ 0xFFFF).to_bytes(2, "little") + known
    source = io.BytesIO(stored + b"something else" + second + BEHIND)
    inflated = deflate.DeflateIO(source, deflate.RAW, 10)
    assert inflated.read(len(known)) == known and source.tell() == len(stored)
    source.seek(len(stored + b"something else"))
    assert inflated.read() == known + b" in them" and source.read() == BEHIND
