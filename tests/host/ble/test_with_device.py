"""The client with the device's own modules: what one says, the other understands."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from iot.crypto import pem

from tests.host.ble.memory import CODE, NETWORKS, Board, Memory, large
from tests.patience import PATIENCE_S
from tools.ble import BleError, Client, LinkLost
from tools.ble.protocol import NAMES

WRONG = "0000-0000-0000"


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board() as board:
        yield board


async def failure(client: Client, document: dict[str, Any] | None = None) -> BleError:
    with pytest.raises(BleError) as caught:
        async with client:
            await client.configure(document or large())
    assert caught.value.name in NAMES and caught.value.remedy
    return caught.value


@pytest.mark.parametrize("mtu", [23, 24, 185, 247, 515, 517])
async def test_everything(board: Board, mtu: int) -> None:
    heard: list[bytes] = []
    board.packets.on("tes", heard.append)
    steps: list[tuple[str, int, int]] = []
    async with Client(Memory(board, mtu), "abcd-efgh-jkmn") as client:
        assert client.about["id"] == "esp32-240ac4000001"
        assert (await client.refresh())["mode"] == "CONFIG"
        assert await client.scan() == NETWORKS
        await client.send("tes", bytes(1024))
        assert board.packets.send("reply", b"hello")
        assert await anext(client.packets) == ("reply", b"hello")
        await client.configure(large(), lambda *step: steps.append(step))
        assert client.status["progress"] == {"step": "restarting"} and client.status["error"] is None
    assert heard == [bytes(1024)] and board.restarted
    (saved,) = board.saved
    assert saved["wifi"][0] == large()["wifi"][0] and saved["aws"]["claim_key"] == pem.key(
        large()["aws"]["claim_key"]
    )
    size = steps[0][2]
    assert 6000 < size < 7000
    assert steps[:2] == [("sending", 0, size), ("sending", 1024, size)]
    assert [step[0] for step in steps if not step[2]] == ["checking", "joining Home", "storing", "restarting"]


@pytest.mark.parametrize("mtu", [23, 247])
@pytest.mark.parametrize("lost", [4, 11, 13, 20, 23])
async def test_a_frame_that_is_lost(board: Board, mtu: int, lost: int) -> None:
    written = []
    for lose in (frozenset((lost,)), frozenset[int]()):
        transport = Memory(board, mtu, lose=lose)
        async with Client(transport, CODE, answer_s=1) as client:
            await client.configure(large())
        written.append(transport.written)
    assert len(board.saved) == 2 and written[0] > written[1]


@pytest.mark.parametrize("mtu", [23, 247])
async def test_the_link_is_lost_half_way(board: Board, mtu: int) -> None:
    half = 15 if mtu == 247 else 200
    error = await failure(Client(Memory(board, mtu, cut_at=half), CODE))
    assert isinstance(error, LinkLost) and not board.saved
    there = board.setup.document.at
    assert 0 < there < 6000
    steps: list[tuple[str, int, int]] = []
    async with Client(Memory(board, mtu), CODE) as client:
        await client.configure(large(), lambda *step: steps.append(step))
    assert steps[0][1] == there
    assert board.saved


async def test_another_document_begins_anew(board: Board) -> None:
    await failure(Client(Memory(board, cut_at=15), CODE))
    other = large()
    other["wifi"][0]["password"] = "another horse"
    async with Client(Memory(board), CODE) as client:
        await client.configure(other)
    assert board.saved[0]["wifi"][0]["password"] == "another horse"


async def test_the_wrong_code_and_the_right_one(board: Board) -> None:
    for _ in range(2):
        error = await failure(Client(Memory(board), WRONG))
        assert error.name == "ACCESS_DENIED" and "label" in error.remedy and "0000" not in str(error)
    async with Client(Memory(board), CODE):
        pass
    for _ in range(2):  # the count began anew
        assert (await failure(Client(Memory(board), WRONG))).name == "ACCESS_DENIED"


async def test_wrong_codes_cost_pauses_and_not_the_door(board: Board) -> None:
    names = [(await failure(Client(Memory(board), WRONG))).name for _ in range(3)]
    assert names == ["ACCESS_DENIED"] * 2 + ["LOCKED"]
    assert isinstance(await failure(Client(Memory(board), CODE)), LinkLost)
    board.door.pause_ms = 0  # it is over
    assert (await failure(Client(Memory(board), WRONG))).name == "LOCKED"
    board.door.pause_ms = 0
    async with Client(Memory(board), CODE):
        pass


@pytest.mark.parametrize("result", ["WRONG_SSID", "WRONG_PASSWORD", "NO_ADDRESS"])
async def test_no_network_lets_it_in(board: Board, result: str) -> None:
    board.results = {"Home": result}
    client = Client(Memory(board), CODE)
    error = await failure(client)
    assert error.name == result and 'network "Home"' in error.text
    assert client.status["error"]["name"] == result and not board.saved
    board.results = {"Café": "SUCCESS"}
    async with Client(Memory(board), CODE) as client:
        await client.configure(large())
    assert board.saved


async def test_documents_that_are_wrong(board: Board) -> None:
    for member, value, name in (
        ("wifi", [], "INVALID_VALUE"),
        ("aws", {}, "MISSING_ELEMENTS"),
    ):
        error = await failure(Client(Memory(board), CODE), {**large(), member: value})
        assert error.name == name and member in error.text
    assert not board.saved


async def test_pieces_that_were_changed_in_the_device(board: Board) -> None:
    async with Client(Memory(board), CODE) as client:
        text = json.dumps(large(), ensure_ascii=False, separators=(",", ":")).encode()
        board.setup.document.begin(len(text).to_bytes(4, "big") + hashlib.sha256(text).digest())
        board.setup.document.add(bytes(4) + b"?" * 100)
        with pytest.raises(BleError) as caught:
            await client.configure(large())
        assert caught.value.name == "CHECKSUM_FAILED"
        await client.configure(large())  # it has forgotten them
    assert board.saved


async def test_a_packet_that_nobody_wants(board: Board) -> None:
    async with Client(Memory(board), CODE) as client:
        with pytest.raises(BleError, match="no packets called 'tes'"):
            await client.send("tes")
        await client.refresh()


async def test_it_is_busy_while_it_tries(board: Board) -> None:
    async with Client(Memory(board), CODE) as client:
        trying = asyncio.create_task(client.configure(large()))
        async with asyncio.timeout(PATIENCE_S):
            while client.status.get("progress", {}).get("step") != "joining":
                await asyncio.sleep(0)
        with pytest.raises(BleError) as caught:
            await client.configure(large())
        assert caught.value.name == "BUSY"
        await client.refresh()
        await trying
