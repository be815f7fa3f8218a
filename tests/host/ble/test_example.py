"""The worked example of docs/ble.md, recomputed by the device's modules and by the client's."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from iot.ble import frames
from iot.ble import session as device_session

from tools.ble.protocol import STATUS
from tools.ble.session import Session

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/ble.md"
CODE = "ABCDEFGHJKMN"
REQUEST, ANSWER = b"\x01", b'{"op":1,"code":0,"name":"SUCCESS"}'


class Door:
    """One that nobody has tried yet."""

    pause_ms = 0

    def right(self) -> None:
        pass


@pytest.fixture
def example() -> dict[str, list[bytes]]:
    """The lines of bytes under each title."""
    block = DOCUMENT.read_text().partition("## A worked example")[2].split("```")[1]
    found: dict[str, list[bytes]] = {}
    lines: list[bytes] = []
    for line in block.strip().splitlines():
        if re.fullmatch(r"    [0-9a-f]+", line):
            lines.append(bytes.fromhex(line.strip()))
        else:
            found[line] = lines = []
    return found


async def test_both_sides_by_the_example(example: dict[str, list[bytes]]) -> None:
    whole = {title: b"".join(lines) for title, lines in example.items()}
    device = device_session.Session(CODE, Door(), lambda n: whole["device's private key"])
    private = ec.derive_private_key(int.from_bytes(whole["phone's private key"], "big"), ec.SECP256R1())
    phone = Session(CODE, private)

    assert phone.hello() == whole["HELLO of the phone"]
    assert await device.auth(phone.hello()) == whole["HELLO of the device"]
    phone.on_hello(whole["HELLO of the device"])
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), whole["HELLO of the device"][2:])
    assert private.exchange(ec.ECDH(), point) == whole["Z"]
    assert device._keys == whole["OKM"]
    assert phone.proof() == whole["PROOF of the phone"]
    assert await device.auth(phone.proof()) == whole["PROOF of the device"]
    phone.on_proof(whole["PROOF of the device"])
    request = whole["STATUS GET, sealed, counter 0"]
    assert phone.seal(STATUS, REQUEST) == request
    assert device.open(STATUS, request) == REQUEST
    answer = whole["the answer, sealed, counter 0"]
    assert device.seal(STATUS, ANSWER) == answer
    assert phone.open(STATUS, answer) == ANSWER


def test_the_frames_of_the_example(example: dict[str, list[bytes]]) -> None:
    (hello,) = (b"".join(example[title]) for title in example if title == "HELLO of the phone")
    assert list(frames.split(hello, 23)) == example["the frames of the phone's HELLO at an MTU of 23"]
    assert len(example["the answer, sealed, counter 0"]) == 2 and len(ANSWER) + 20 + 1 + 3 == 58
