"""The phone's half of a session, against the document made a second time."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.ble.model import CODE, G, Half, N, encode, multiply
from tools.ble.errors import BleError, LinkLost
from tools.ble.protocol import CONFIG, DATA, NAMES, STATUS
from tools.ble.session import Session, normalise_code, refused, spell_code

DOCUMENT = Path(__file__).parents[3] / "docs/ble.md"
PHONE = 0x1F2E3D4C5B6A79880123456789ABCDEF00112233445566778899AABBCCDDEEFF
DEVICE = 0x0FEDCBA9876543210FEDCBA9876543210FEDCBA9876543210FEDCBA987654321


def session(code: str = CODE, private: int = PHONE) -> Session:
    return Session(code, ec.derive_private_key(private, ec.SECP256R1()))


def opened(phone: Session, device: Half) -> tuple[Session, Half]:
    phone.on_hello(device.on_hello(phone.hello()))
    proof = device.on_proof(phone.proof())
    assert proof
    phone.on_proof(proof)
    return phone, device


def refusal(function: object, *arguments: object) -> BleError:
    with pytest.raises(BleError) as caught:
        function(*arguments)  # type: ignore[operator]
    assert caught.value.remedy
    return caught.value


# The code.


@pytest.mark.parametrize(
    "text", ["ABCDEFGHJKMN", "ABCD-EFGH-JKMN", "abcd efgh jkmn", " ab-cd ef\tgh--jkmn\n"]
)
def test_the_code_as_people_write_it(text: str) -> None:
    assert normalise_code(text) == CODE
    assert spell_code(text) == "ABCD-EFGH-JKMN"


def test_letters_that_look_like_digits() -> None:
    assert normalise_code("oOiI-lL01-2345") == "001111012345"


@pytest.mark.parametrize(
    "text", ["", "ABCDEFGHJKM", "ABCDEFGHJKMNP", "ABCDEFGHJKMU", "ABCD_EFGHJKM", "ABCDEFGHJKMÄ"]
)
def test_what_is_no_code_is_not_quoted(text: str) -> None:
    error = refusal(normalise_code, text)
    assert error.name == "INVALID_VALUE"
    assert not text or text not in str(error)


# The composition.


def test_the_documents_example() -> None:
    """The other half of these tests is right, too: it gives the numbers of docs/ble.md."""
    block = DOCUMENT.read_text("utf-8").partition("## A worked example")[2].split("```")[1]
    titles = re.findall(r"(?m)^(\S.*)\n((?:    [0-9a-f]+\n)+)", block)
    example = {title: bytes.fromhex("".join(lines.split())) for title, lines in titles}
    private = {who: int.from_bytes(example[f"{who}'s private key"], "big") for who in ("phone", "device")}
    phone, device = session(private=private["phone"]), Half(private["device"])
    assert device.on_hello(phone.hello()) == example["HELLO of the device"]
    assert b"".join(device.keys) == example["OKM"]
    assert device.on_proof(example["PROOF of the phone"]) == example["PROOF of the device"]
    assert device.open(STATUS, example["STATUS GET, sealed, counter 0"]) == b"\x01"
    answer = b'{"op":1,"code":0,"name":"SUCCESS"}'
    assert device.seal(STATUS, answer) == example["the answer, sealed, counter 0"]


@pytest.mark.parametrize("number", range(5))
def test_both_halves_agree(number: int) -> None:
    phone, device = opened(Session("abcd-efgh-jkmn"), Half(DEVICE + number))
    for size in (1, 15, 16, 17, 1029, 8172):
        text = bytes(range(256)) * 32
        for channel in (CONFIG, STATUS, DATA):
            assert device.open(channel, phone.seal(channel, text[:size])) == text[:size]
            assert phone.open(channel, device.seal(channel, text[:size])) == text[:size]


def test_a_secret_that_begins_with_zeros() -> None:
    """Z has 32 bytes, whatever its value: 1 in 256 phones would fail."""
    phone = session()
    public = (int.from_bytes(phone.hello()[3:35], "big"), int.from_bytes(phone.hello()[35:], "big"))
    private = next(number for number in range(1, N) if multiply(number, public)[0] >> 248 == 0)
    opened(phone, Half(private))


def test_every_session_has_its_own_key() -> None:
    assert Session(CODE).hello() != Session(CODE).hello()


# What is refused.


def test_the_wrong_code_is_seen_by_both() -> None:
    phone, device = session("ABCDEFGHJKMP"), Half()
    phone.on_hello(device.on_hello(phone.hello()))
    assert device.on_proof(phone.proof()) is None
    right = session()
    right.on_hello(device.on_hello(right.hello()))
    lie = device.on_proof(right.proof())
    assert lie and refusal(phone.on_proof, lie).name == "ACCESS_DENIED"


def test_a_device_that_returns_the_phones_proof() -> None:
    phone, device = session(), Half()
    phone.on_hello(device.on_hello(phone.hello()))
    error = refusal(phone.on_proof, phone.proof())
    assert error.name == "ACCESS_DENIED" and "does not know the code" in error.text


@pytest.mark.parametrize(
    "key",
    [
        b"",
        encode(G)[:-1],
        encode(G) + b"\0",
        encode(G)[:-1] + b"\0",  # not on the curve
        b"\x04" + bytes(64),
        b"\x03" + encode(G)[1:],
        (b"\x02" if G[1] % 2 == 0 else b"\x03") + encode(G)[1:33],  # compressed
    ],
)
def test_keys_that_are_none(key: bytes) -> None:
    assert refusal(session().on_hello, b"\x01\x01" + key).name == "ACCESS_DENIED"


def test_another_version() -> None:
    assert refusal(session().on_hello, b"\x01\x02" + encode(G)).name == "UNSUPPORTED_VERSION"


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x02" + bytes(32), b"\x01", b"\xff", b"\xff\x03\x00"])
def test_messages_that_make_no_sense(message: bytes) -> None:
    assert refusal(session().on_hello, message).name in ("ACCESS_DENIED", "UNSUPPORTED_VERSION")


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_refusals_carry_their_name(number: int) -> None:
    error = refused(bytes((0xFF, number)))
    assert error and error.name == NAMES[number] and error.remedy
    assert refusal(session().on_hello, bytes((0xFF, number))).name == NAMES[number]


def test_a_code_of_a_later_version() -> None:
    error = refused(b"\xff\xfe")
    assert error and error.name == "UNKNOWN_FAILURE"


@pytest.mark.parametrize("place", range(4 + 5 + 16))
def test_one_bit_that_is_turned(place: int) -> None:
    phone, device = opened(session(), Half())
    message = bytearray(device.seal(STATUS, b"hello"))
    message[place] ^= 0x10
    assert refusal(phone.open, STATUS, bytes(message)).name == "ACCESS_DENIED"


def test_what_is_sealed_belongs_to_its_place() -> None:
    phone, device = opened(session(), Half())
    first, second = device.seal(STATUS, b"1"), device.seal(STATUS, b"2")
    assert refusal(phone.open, CONFIG, first).name == "ACCESS_DENIED"
    with pytest.raises(LinkLost):
        phone.open(STATUS, second)
    assert phone.open(STATUS, first) == b"1"
    with pytest.raises(LinkLost):
        phone.open(STATUS, first)
    assert refusal(phone.open, STATUS, phone.seal(STATUS, b"2")).name == "ACCESS_DENIED"  # its own, reflected
    for length in (0, 1, 16, 19):
        assert refusal(phone.open, STATUS, second[:length]).name == "ACCESS_DENIED"
