"""Certificate requests, byte by byte; tests/host/test_csr.py has others' software read them."""

import asyncio
import binascii
import hashlib
from binascii import unhexlify

from check import araises
from iot.crypto import csr, p256
from iot.crypto.der import BIT_STRING, SEQUENCE, sequence

# RFC 6979, A.2.5.
PRIVATE = unhexlify("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
PUBLIC = unhexlify(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BEGIN, END = "-----BEGIN CERTIFICATE REQUEST-----\n", "-----END CERTIFICATE REQUEST-----\n"

# 0, a SEQUENCE with CN=lamp, the public key, no attributes: written by hand after RFC 2986.
INFO = (
    unhexlify("3071020100300f310d300b06035504030c046c616d70")
    + unhexlify("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    + PUBLIC
    + unhexlify("a000")
)
ALGORITHM = unhexlify("06082a8648ce3d040302")


async def test_a_request_is_what_the_standard_says():
    der = await csr.request(PRIVATE, PUBLIC, "lamp")
    reader = sequence(der, "request")
    info = reader.read(SEQUENCE, "info")
    assert unhexlify("30") + bytes((len(info),)) + info == INFO
    reader.read(SEQUENCE, "algorithm", ALGORITHM)
    signature = reader.octets("signature")
    reader.end()
    assert await p256.verify(PUBLIC, hashlib.sha256(INFO).digest(), signature)
    assert not await p256.verify(PUBLIC, hashlib.sha256(INFO + b"\0").digest(), signature)
    assert der[-len(signature) - 3 : -len(signature)] == bytes((BIT_STRING, len(signature) + 1, 0))


async def test_it_is_the_same_each_time():
    assert await csr.request(PRIVATE, PUBLIC, "lamp") == await csr.request(PRIVATE, PUBLIC, "lamp")


async def test_pem_is_the_request_in_lines_of_64():
    for size in (1, 47, 48, 49, 96, 300):
        der = bytes([number & 255 for number in range(size)])
        text = csr.pem(der)
        assert text.startswith(BEGIN) and text.endswith(END)
        lines = text[len(BEGIN) : -len(END)].split("\n")
        assert lines.pop() == "" and all([len(line) == 64 for line in lines[:-1]])
        assert 1 <= len(lines[-1]) <= 64
        assert binascii.a2b_base64("".join(lines)) == der


async def test_a_new_key_and_its_request_belong_together():
    key, text = await csr.make(lambda size: PRIVATE[:size], "lamp")
    assert p256.private_from_der(key) == PRIVATE and PUBLIC in key
    assert text == csr.pem(await csr.request(PRIVATE, PUBLIC, "lamp"))
    encoded = binascii.b2a_base64(PRIVATE).decode()[:40]
    assert encoded not in text


async def test_random_bytes_that_are_no_key_are_not_taken():
    given = [bytes(32), b"\xff" * 32, N.to_bytes(32, "big"), PRIVATE]
    key, _ = await csr.make(lambda size: given.pop(0), "lamp")
    assert p256.private_from_der(key) == PRIVATE and not given


async def test_names_of_1_to_64_bytes():
    for name in ("", "x" * 65, "\u00fc" * 33):
        await araises(ValueError, "common name: 1 to 64 bytes", csr.request(PRIVATE, PUBLIC, name))
    assert b"x" * 64 in await csr.request(PRIVATE, PUBLIC, "x" * 64)


async def test_others_have_their_turns_meanwhile():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep_ms(0)

    task = asyncio.create_task(count())
    await csr.make(lambda size: PRIVATE[:size], "lamp")
    task.cancel()
    assert turns > 2 * 64  # two scalars, with a turn for each four bits
