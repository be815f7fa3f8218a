"""The device's half of a session against a phone's half that the tests make by docs/ble.md."""

from binascii import hexlify, unhexlify

from check import araises, raises
from fakes import FakeDoor, forget
from iot.ble.codes import Refused
from iot.ble.session import Session
from iot.crypto import p256
from phone import CODE, CONFIG, DATA, DEVICE_PRIVATE, STATUS, Keys, Phone

# By Python's cryptography: both sides' proofs, the device's first message, and the stream of AES-256-CTR for
# the key 8081...9f and a counter block of zeros.
PHONES_PROOF = "029a2f268ac038a492aacb7e41a2c4fc93350d08203f61f91f1e63996b92e2794e"
DEVICES_PROOF = "02223eba859a1015964787abfb2979d511a5aa00d1c4a363df28b6d210b49e12a9"
SEALED = "00000000c0736c7ade5365e72ff99f3450849f3572d1f10b196a5e41cc4586319403599e25"
STREAM = "602d846ebd4a5431ba226be76d0bfc15a0a1edde5ec0cde0c54668a64ebdc7517745f6e1462bf457"


def session(code=CODE, door=None):
    return Session(code, door or FakeDoor(), lambda count: DEVICE_PRIVATE[:count])


async def proven(device=None):
    """A session and a phone that have proved themselves to each other."""
    device, phone = device or session(), Phone()
    hello = await device.auth(await phone.hello())
    phone.check(await device.auth(await phone.proof_for(hello)))
    assert device.proven
    return device, phone


def keyed():
    """Both halves with keys and no handshake, which takes its time."""
    device = session()
    okm = bytes([i for i in range(192)])
    device._keys, device.proven = okm, True
    return device, Keys(okm)


def refused(name, function, *args):
    assert raises(Refused, name, function, *args).name == name


async def arefused(name, coroutine):
    assert (await araises(Refused, name, coroutine)).name == name


async def test_both_prove_themselves_and_talk():
    device, phone = await proven(session(door=FakeDoor()))
    for text in (b"x", b"y" * 16, b"z" * 8000):
        assert device.open(CONFIG, phone.seal(CONFIG, text)) == text
        assert phone.open(STATUS, device.seal(STATUS, text)) == text


async def test_the_keys_are_those_of_the_document():
    device = session()
    phone = Phone()
    hello = await device.auth(memoryview(await phone.hello()))
    public = hexlify(await p256.public(DEVICE_PRIVATE)).decode()
    assert hexlify(hello).decode() == "0101" + public
    proof = await phone.proof_for(hello)
    assert hexlify(proof).decode() == PHONES_PROOF
    assert hexlify(await device.auth(memoryview(proof))).decode() == DEVICES_PROOF
    assert hexlify(device.seal(STATUS, b'{"scanning":true}')).decode() == SEALED


async def test_a_wrong_code():
    door = FakeDoor()
    device, phone = session(door=door), Phone("0123456789AC")
    proof = await phone.proof_for(await device.auth(await phone.hello()))
    await arefused("ACCESS_DENIED", device.auth(proof))
    assert door.count == 1 and not device.proven
    # The keys are gone: the next proof needs a hello, and so it is one guess each.
    await arefused("INVALID_REQUEST", device.auth(proof))
    assert door.count == 1


async def test_a_wrong_proof_of_any_form():
    door = FakeDoor()
    device, phone = session(door=door), Phone()
    hello = await phone.hello()
    for spoil in (
        lambda proof: proof[:-1],
        lambda proof: proof + b"\0",
        lambda proof: proof[:1],
        lambda proof: proof[:-1] + bytes([proof[-1] ^ 1]),
    ):
        proof = await phone.proof_for(await device.auth(hello))
        await arefused("LOCKED" if door.count == 4 else "ACCESS_DENIED", device.auth(spoil(proof)))
        assert not device.proven
    assert door.count == 4
    # The device's own proof, sent back.
    await phone.proof_for(await device.auth(hello))
    await arefused("LOCKED", device.auth(b"\2" + phone.proof(1, phone.salt)))


async def test_a_right_proof_begins_to_count_anew():
    door = FakeDoor()
    door.count = 4
    await proven(session(door=door))
    assert door.count == 0


async def test_a_proof_for_another_hello():
    """Each hello has keys of its own, so what was overheard once is of no use."""
    numbers = [b"\x33" * 32, DEVICE_PRIVATE]
    device, phone = Session(CODE, FakeDoor(), lambda count: numbers.pop()), Phone()
    hello = await phone.hello()
    proof = await phone.proof_for(await device.auth(hello))
    await device.auth(hello)
    await arefused("ACCESS_DENIED", device.auth(proof))


async def test_points_that_are_none():
    device, phone = session(), Phone()
    right = (await phone.hello())[2:]
    for point in (
        b"",
        b"\x04",
        right[:-1],
        right + b"\0",
        bytes(65),
        b"\x04" + bytes(64),
        b"\0",  # infinity in SEC 1
        b"\x02" + right[1:33],  # compressed
        b"\x06" + right[1:],
        right[:-1] + bytes([right[-1] ^ 1]),
        b"\x04" + b"\xff" * 64,
        bytes(8000),
    ):
        await arefused("INVALID_REQUEST", device.auth(b"\1\1" + point))
        await arefused("INVALID_REQUEST", device.auth(b"\2" + bytes(32)))  # no keys of a point that was none
        refused("ACCESS_DENIED", device.open, CONFIG, bytes(40))


async def test_messages_that_are_none():
    device = session()
    for message in (b"\0", b"\3", b"\xff\3", b"\2", b"\2" + bytes(32)):
        await arefused("INVALID_REQUEST", device.auth(message))
    for message in (b"\1", b"\1\0", b"\1\2" + bytes(65)):
        await arefused("UNSUPPORTED_VERSION", device.auth(message))


async def test_a_hello_in_an_open_session_ends_it():
    device, phone = await proven()
    old = phone.seal(CONFIG, b"old")
    await device.auth(await phone.hello())
    assert not device.proven
    refused("ACCESS_DENIED", device.open, CONFIG, old)
    device, phone = await proven(device)
    assert device.open(CONFIG, phone.seal(CONFIG, b"new")) == b"new"  # counters begin at 0 again


async def test_a_proof_in_an_open_session():
    door = FakeDoor()
    device, _ = await proven(session(door=door))
    await arefused("INVALID_REQUEST", device.auth(b"\2" + bytes(32)))
    assert door.count == 0


def test_nothing_is_opened_before_the_proof():
    device, phone = keyed()
    device.proven = False
    refused("ACCESS_DENIED", device.open, CONFIG, phone.seal(CONFIG, b"x"))
    device.proven = True
    device.reset()
    refused("ACCESS_DENIED", device.open, CONFIG, bytes(40))


def test_messages_too_short_for_a_seal():
    device, phone = keyed()
    for size in range(21):
        refused("ACCESS_DENIED", device.open, CONFIG, bytes(size))
    refused("ACCESS_DENIED", device.open, CONFIG, phone.seal(CONFIG, b""))


def test_a_message_comes_once_and_in_its_turn():
    device, phone = keyed()
    first, second, third = [phone.seal(CONFIG, text) for text in (b"1", b"2", b"3")]
    refused("ACCESS_DENIED", device.open, CONFIG, second)
    assert device.open(CONFIG, memoryview(first)) == b"1"
    refused("ACCESS_DENIED", device.open, CONFIG, first)
    refused("ACCESS_DENIED", device.open, CONFIG, third)
    assert device.open(CONFIG, bytearray(second)) == b"2"


def test_a_message_belongs_to_its_characteristic_and_direction():
    device, phone = keyed()
    message = phone.seal(CONFIG, b"1")
    for channel in (1, STATUS, DATA):
        refused("ACCESS_DENIED", device.open, channel, message)
    refused("ACCESS_DENIED", device.open, CONFIG, device.seal(CONFIG, b"1"))
    assert device.open(CONFIG, message) == b"1"


def test_any_bit_of_a_message_counts():
    device, phone = keyed()
    message = phone.seal(CONFIG, b"12")
    for bit in range(8 * len(message)):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        refused("ACCESS_DENIED", device.open, CONFIG, changed)
    assert device.open(CONFIG, message) == b"12"


def test_all_lengths_around_the_blocks_of_the_cipher():
    device, phone = keyed()
    for size in (1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 1029):
        text = bytes([i * 7 % 256 for i in range(size)])
        assert device.open(DATA, phone.seal(DATA, text)) == text
        assert phone.open(DATA, device.seal(DATA, text)) == text


def test_counters_never_begin_again():
    device, phone = keyed()
    device._sent = device._received = 0xFFFFFFFF
    phone.sent = phone.received = 0xFFFFFFFF
    assert device.open(CONFIG, phone.seal(CONFIG, b"last")) == b"last"
    assert phone.open(CONFIG, device.seal(CONFIG, b"last")) == b"last"
    phone.sent = 0
    refused("ACCESS_DENIED", device.open, CONFIG, phone.seal(CONFIG, b"x"))
    refused("ACCESS_DENIED", device.seal, CONFIG, b"x")


def test_the_key_stream_is_that_of_aes_in_counter_mode():
    device, phone = keyed()
    sealed = device.seal(STATUS, bytes(40))
    assert sealed[4:44] == unhexlify(STREAM)
    assert phone.open(STATUS, sealed) == bytes(40)


async def test_a_point_is_looked_at_before_anything_is_multiplied():
    """Else whoever is near makes the device calculate, a second for every bad hello."""
    multiplied = []

    async def combine(*pairs):
        multiplied.append(pairs)
        raise AssertionError

    device = session()
    phone = Phone()
    right = (await phone.hello())[2:]
    for point in (b"", bytes(65), right[:-1], right[:-1] + bytes([right[-1] ^ 1]), b"\x04" + b"\xff" * 64):
        with Replaced(combine):
            await arefused("INVALID_REQUEST", device.auth(b"\1\1" + point))
    assert not multiplied
    with Replaced(combine):
        await araises(AssertionError, "", device.auth(b"\1\1" + right))
    assert len(multiplied) == 1


class Replaced:
    """The session, which loads iot.crypto.p256 for each hello, gets it with another `combine`."""

    def __init__(self, combine):
        self._combine = combine

    def __enter__(self):
        forget("iot.crypto.p256", "iot.crypto.curve")
        from iot.crypto import curve

        curve.combine = self._combine

    def __exit__(self, *error):
        forget("iot.crypto.p256", "iot.crypto.curve")
