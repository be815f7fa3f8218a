"""The client that docs/phone-client.md builds: by the worked example, and with the device's own modules."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.ble.fake_bleak import Bluetooth, FakeClient
from tests.host.ble.memory import CODE, Board, large
from tests.host.ble.test_example import ANSWER, REQUEST, example

__all__ = ["example"]
PAGE = (Path(__file__).resolve().parents[3] / "docs/phone-client.md").read_text("utf-8")
NAME = "esp32-240ac4000001"


def client_of_the_page(bluetooth: Bluetooth | None = None) -> dict[str, Any]:
    """What the page's blocks define, one behind the other."""

    class Connected(FakeClient):
        def __init__(self, device: Any) -> None:
            assert bluetooth
            super().__init__(bluetooth, device.name, lambda _: None)

        async def __aenter__(self) -> "Connected":
            await self.connect()
            return self

        async def __aexit__(self, *_: object) -> None:
            await self.disconnect()

    class Scanner:
        @staticmethod
        async def find_device_by_name(name: str) -> Any:
            return SimpleNamespace(name=name)

    bleak: Any = ModuleType("bleak")
    bleak.BleakClient, bleak.BleakScanner = Connected, Scanner
    blocks = re.findall(r"(?s)```python\n(.*?)```", PAGE)
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bleak", bleak)
        exec(compile("\n".join(blocks), "docs/phone-client.md", "exec"), found)
    return found


def test_its_parts_by_the_worked_example(example: dict[str, list[bytes]]) -> None:
    whole = {title: b"".join(lines) for title, lines in example.items()}
    page = client_of_the_page()
    private = ec.derive_private_key(int.from_bytes(whole["phone's private key"], "big"), ec.SECP256R1())
    session = page["Session"](CODE, private)
    assert session.hello() == whole["HELLO of the phone"]
    assert session.proof(whole["HELLO of the device"]) == whole["PROOF of the phone"]
    session.check(whole["PROOF of the device"])
    with pytest.raises(PermissionError):
        session.check(bytes(33))
    assert session.seal(3, REQUEST) == whole["STATUS GET, sealed, counter 0"]
    assert session.open(3, whole["the answer, sealed, counter 0"]) == ANSWER
    with pytest.raises(PermissionError):
        session.open(3, whole["the answer, sealed, counter 0"])  # the counter is an old one
    assert (
        list(page["split"](session.hello(), 20)) == example["the frames of the phone's HELLO at an MTU of 23"]
    )


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


async def test_it_sets_a_device_up(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    page = client_of_the_page(Bluetooth({NAME: board}))
    board.results["Home"] = "WRONG_PASSWORD"
    assert (await page["set_up"](NAME, CODE, large()))["name"] == "WRONG_PASSWORD" and not board.saved
    board.results["Home"] = "SUCCESS"
    assert (await page["set_up"](NAME, CODE, large()))["name"] == "CONFIG_DONE"
    assert board.saved[0]["wifi"][0] == large()["wifi"][0] and board.restarted
    assert "joining" in capsys.readouterr().out


async def test_it_refuses_a_device_of_another_code(board: Board) -> None:
    page = client_of_the_page(Bluetooth({NAME: board}))
    with pytest.raises((PermissionError, OSError)):
        await page["set_up"](NAME, "ABCDEFGHJKMM", large())
    assert not board.saved
