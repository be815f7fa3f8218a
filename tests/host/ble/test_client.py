"""The client against devices that do what no right device does: silent, lying, broken, gone."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.host.ble.model import CODE, Half
from tests.host.ble.scripted import Answer, Scripted, answer, ordinary
from tests.patience import PATIENCE_S
from tools.ble import BleError, Client, LinkLost
from tools.ble.conversation import ANSWER_S
from tools.ble.protocol import AUTH, CONFIG, DATA, PIECE_MAX, STATUS

DOCUMENT = {"wifi": [{"ssid": "Zuhause äöü", "password": "correct horse"}], "app": {"text": "x" * 6000}}
SOON_S = 0.05


async def refusal(device: Scripted, use: Callable[[Client], Any] | None = None, **settings: Any) -> BleError:
    """How it ends; the client hangs up in any case."""
    with pytest.raises(BleError) as caught:
        async with Client(device, CODE, **settings) as client:
            if use:
                await use(client)
    assert not device.connected and caught.value.remedy
    return caught.value


def impatient(client: Client) -> None:
    """From now on it waits hardly at all: nothing is to come, which before would have to come in time."""
    client._talk._answer_s = SOON_S


class Store:
    """A device that takes a configuration: the CONFIG part of a script."""

    def __init__(self, outcome: Iterable[Answer] = (answer(CONFIG, 3, 1), answer(CONFIG, 3, 2))) -> None:
        self.data = b""
        self.announced = b""
        self.outcome = outcome

    def __call__(self, channel: int, request: bytes) -> Iterable[Answer]:
        if channel != CONFIG:
            yield from ordinary(channel, request)
        elif request[0] == 1:
            if request[1:] != self.announced:
                self.announced, self.data = request[1:], b""
            yield answer(CONFIG, 1, at=len(self.data))
        elif request[0] == 2:
            right = int.from_bytes(request[1:5], "big") == len(self.data)
            if right:
                self.data += request[5:]
            yield answer(CONFIG, 2, 0 if right else 9, at=len(self.data))
        else:
            whole = len(self.data).to_bytes(4, "big") + hashlib.sha256(self.data).digest() == self.announced
            yield from self.outcome if whole else [answer(CONFIG, 3, 10)]


# The way in.


async def test_a_right_device() -> None:
    device = Scripted()
    async with Client(device, "abcd-efgh-jkmn") as client:
        assert client.about["id"] == "esp32-240ac4000001"
        assert (await client.refresh())["mode"] == "CONFIG"
        assert client.frames == (len(device.frames), 3)
    assert not device.connected


@pytest.mark.parametrize(
    ("code", "name"),
    [(3, "ACCESS_DENIED"), (18, "LOCKED"), (19, "UNSUPPORTED_VERSION"), (99, "UNKNOWN_FAILURE")],
)
async def test_a_refusal_is_told_though_the_device_hangs_up(code: int, name: str) -> None:
    device = Scripted()

    def refuse(message: bytes) -> Iterable[bytes]:
        device.notify(AUTH, bytes((0xFF, code)))
        device.hang_up()
        return ()

    device.auth = refuse
    assert (await refusal(device)).name == name


async def test_a_device_that_lies_about_its_proof() -> None:
    for lie in (b"\x02" + bytes(32), b"\x02", b"\x01\x01" + bytes(65), b"\x02" + bytes(33)):
        device = Scripted()
        device.auth = lambda message, device=device, lie=lie: (  # type: ignore[misc]
            device.authenticate(message) if message[0] == 1 else [lie]
        )
        error = await refusal(device)
        assert error.name == "ACCESS_DENIED" and not device.requests


async def test_a_device_with_another_code() -> None:
    device = Scripted()
    device.half = Half(code="ABCDEFGHJKMP")
    error = await refusal(device)
    assert error.name == "ACCESS_DENIED" and "label" in error.remedy
    assert CODE not in str(error)


@pytest.mark.parametrize("about", [b'{"protocol":2}', b"{}"])
async def test_another_protocol(about: bytes) -> None:
    device = Scripted()
    device.about = about
    assert (await refusal(device)).name == "UNSUPPORTED_VERSION"
    assert not device.frames


@pytest.mark.parametrize("about", [b"", b"\xff", b"[]", b"3"])
async def test_something_else_that_has_the_service(about: bytes) -> None:
    device = Scripted()
    device.about = about
    assert "makes no sense" in (await refusal(device)).text


async def test_what_the_device_sends_before_its_proof() -> None:
    device = Scripted()

    def auth(message: bytes) -> Iterable[bytes]:
        if message[0] == 2:
            device.say(STATUS, b'{"mode":"CONFIG"}')
            return ()
        return device.authenticate(message)

    device.auth = auth
    assert (await refusal(device)).name == "ACCESS_DENIED"


async def test_what_the_device_pushes_right_after_its_proof() -> None:
    device = Scripted()

    def auth(message: bytes) -> Iterable[bytes]:
        replies = list(device.authenticate(message))
        for reply in replies:
            device.notify(AUTH, reply)
        if message[0] == 2:
            device.say(STATUS, b'{"mode":"CONFIG"}')
        return ()

    device.auth = auth
    async with Client(device, CODE) as client:
        await client.refresh()
        assert client.status["mode"] == "CONFIG"


# Silence, and links that end.


def silent(channel: int, request: bytes) -> Iterable[Answer]:
    return ()


async def test_silence() -> None:
    device = Scripted()
    device.auth = lambda message: ()
    error = await refusal(device, answer_s=SOON_S)
    assert isinstance(error, LinkLost) and "no answer within" in error.text

    async def refresh(client: Client) -> None:
        impatient(client)
        await client.refresh()

    error = await refusal(Scripted(silent), refresh)
    assert isinstance(error, LinkLost) and error.name == "TIMEOUT"


async def test_a_write_that_is_never_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Scripted()

    async def write(uuid: str, data: bytes) -> None:
        await asyncio.Event().wait()

    async with Client(device, CODE) as client:
        monkeypatch.setattr(device, "write", write)
        impatient(client)
        with pytest.raises(LinkLost):
            await client.refresh()


async def test_a_link_that_ends_while_somebody_waits() -> None:
    def script(channel: int, request: bytes) -> Iterable[Answer]:
        device.hang_up()
        return ()

    device = Scripted(script)
    assert isinstance(await refusal(device, Client.refresh), LinkLost)
    device = Scripted()
    async with Client(device, CODE) as client:
        device.hang_up()
        with pytest.raises(LinkLost):
            async for _ in client.packets:
                raise AssertionError
        with pytest.raises(LinkLost):
            await client.send("name")


async def test_a_request_that_is_broken_off_ends_the_session() -> None:
    """Its counter is used up, its message perhaps half sent: what follows could not be understood."""
    async with Client(Scripted(silent), CODE) as client:
        task = asyncio.create_task(client.refresh())
        await asyncio.sleep(SOON_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(LinkLost):
            await client.refresh()


async def test_the_client_stays_while_nobody_asks() -> None:
    device = Scripted()
    async with Client(device, CODE, keep_alive_s=SOON_S):
        async with asyncio.timeout(PATIENCE_S):
            while len(device.requests) < 3:
                await asyncio.sleep(SOON_S)
    assert set(device.requests) == {(STATUS, b"\x01")}


async def test_it_stays_while_the_device_tries_a_configuration() -> None:
    store = Store(outcome=[answer(CONFIG, 3, 1)])

    def script(channel: int, request: bytes) -> Iterable[Answer]:
        yield from store(channel, request)
        if channel == STATUS and len(device.requests) > 10:
            yield answer(CONFIG, 3, 2)

    device = Scripted(script)
    async with Client(device, CODE, keep_alive_s=SOON_S / 10) as client:
        await client.configure(DOCUMENT)


# Frames that are lost, and messages that are wrong.


@pytest.mark.parametrize("mtu", [23, 247, 515])
@pytest.mark.parametrize("lost", [0, 1, 2, 3, 4, 5])
async def test_a_frame_that_is_lost(mtu: int, lost: int) -> None:
    """Any but the last one of a message."""
    device = Scripted(Store(), mtu=mtu)
    take, sent = device.take, 0

    def lossy(channel: int, frame: bytes) -> None:
        nonlocal sent
        if not frame[0] & 0x40:
            sent += 1
            if sent - 1 == lost * 7:
                return
        take(channel, frame)

    device.take = lossy  # type: ignore[method-assign]
    async with Client(device, CODE) as client:
        await client.configure(DOCUMENT)


@pytest.mark.parametrize("mtu", [23, 247])
async def test_a_last_frame_that_is_lost(mtu: int) -> None:
    """Nobody can miss it: silence is all there is."""
    device = Scripted(mtu=mtu)
    take, lost = device.take, 0

    def lossy(channel: int, frame: bytes) -> None:
        nonlocal lost
        if channel == STATUS and frame[0] & 0x40 and not lost:
            lost += 1
            impatient(client)
        else:
            client._talk._answer_s = ANSWER_S
            take(channel, frame)

    async with Client(device, CODE) as client:
        device.take = lossy  # type: ignore[method-assign]
        assert (await client.refresh())["mode"] == "CONFIG"
    assert lost and len(device.requests) == 1


async def test_frames_that_are_lost_for_ever() -> None:
    device = Scripted(mtu=23)

    def script(channel: int, message: bytes) -> None:
        device.say(*answer(channel, None, 9))

    async with Client(device, CODE) as client:
        device.on_message = script  # type: ignore[method-assign]
        with pytest.raises(BleError) as caught:
            await client.refresh()
    assert caught.value.name == "MISSING_PACKETS"
    requests = [frame for channel, frame in device.frames if channel == STATUS]
    assert len(requests) == 2 * 5 and requests[:2] * 5 == requests  # the very same bytes


async def test_a_piece_of_an_answer_that_is_lost() -> None:
    def script(channel: int, request: bytes) -> Iterable[Answer]:
        device.half.seal(STATUS, b"{}")
        return [answer(STATUS, 1)]

    device = Scripted(script)
    assert isinstance(await refusal(device, Client.refresh), LinkLost)

    def out_of_sequence(channel: int, request: bytes) -> Iterable[Answer]:
        device.notify_frame(STATUS, b"\x80begun")
        device.notify_frame(STATUS, b"\x42ended")
        return ()

    device = Scripted(out_of_sequence)
    assert "lost on the way" in (await refusal(device, Client.refresh)).text


async def test_a_wrong_tag() -> None:
    def script(channel: int, request: bytes) -> Iterable[Answer]:
        message = device.half.seal(STATUS, b'{"op":1,"code":0}')
        device.notify(STATUS, message[:-1] + bytes((message[-1] ^ 1,)))
        return ()

    device = Scripted(script)
    assert (await refusal(device, Client.refresh)).name == "ACCESS_DENIED"


@pytest.mark.parametrize("text", [b"", b"[]", b'{"op":1,"code":"0"}', b"\xff", b'{"op":1,"code":null}'])
async def test_answers_that_make_no_sense(text: bytes) -> None:
    device = Scripted(lambda channel, request: [(STATUS, text)])
    error = await refusal(device, Client.refresh)
    assert "makes no sense" in error.text


@pytest.mark.parametrize("at", [-1, 10**9, None, "3", 1.5])
async def test_places_that_make_no_sense(at: object) -> None:
    device = Scripted(lambda channel, request: [answer(channel, request[0], at=at)])
    assert "makes no sense" in (await refusal(device, lambda client: client.configure(DOCUMENT))).text


# The configuration.


async def configured(device: Scripted, document: dict[str, Any] = DOCUMENT) -> list[tuple[str, int, int]]:
    seen: list[tuple[str, int, int]] = []
    async with Client(device, CODE) as client:
        await client.configure(document, lambda what, done, total: seen.append((what, done, total)))
    return seen


async def test_a_configuration_and_its_progress() -> None:
    pushes = ['{"step":"checking"}', '{"step":"joining","ssid":"Home"}', '{"step":"storing"}']
    outcome = [answer(CONFIG, 3, 1)]
    outcome += [(STATUS, f'{{"progress":{push}}}'.encode()) for push in pushes]
    store = Store([*outcome, answer(CONFIG, 3, 2)])
    seen = await configured(Scripted(store))
    size = len(store.data)
    sending = [("sending", at, size) for at in (*range(0, size, PIECE_MAX), size)]
    assert seen == [*sending, ("checking", 0, 0), ("joining Home", 0, 0), ("storing", 0, 0)]
    assert "Zuhause äöü".encode() in store.data and b": " not in store.data


async def test_it_goes_on_on_another_connection() -> None:
    store = Store()
    first = Scripted(store)
    pieces = 0

    def script(channel: int, request: bytes) -> Iterable[Answer]:
        nonlocal pieces
        pieces += channel == CONFIG and request[0] == 2
        if pieces == 4:
            first.hang_up()
            return ()
        return store(channel, request)

    first.script = script
    with pytest.raises(LinkLost):
        await configured(first)
    assert len(store.data) == 3 * PIECE_MAX
    second = Scripted(store)
    seen = await configured(second)
    assert seen[0][1] == 3 * PIECE_MAX
    assert hashlib.sha256(store.data).digest() == store.announced[4:]


async def test_a_device_that_forgets_pieces() -> None:
    store = Store()

    def script(channel: int, request: bytes) -> Iterable[Answer]:
        if channel == CONFIG and request[0] == 2 and len(store.data) == 3 * PIECE_MAX and forgets:
            forgets.pop()
            store.data = store.data[:PIECE_MAX]
        return store(channel, request)

    forgets = [0]
    await configured(Scripted(script))
    assert hashlib.sha256(store.data).digest() == store.announced[4:]
    store.data = store.announced = b""
    forgets = [0] * 100
    error = await refusal(Scripted(script), lambda client: client.configure(DOCUMENT))
    assert error.name == "MISSING_PACKETS"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (6, "WRONG_PASSWORD"),
        (7, "WRONG_SSID"),
        (14, "NO_ADDRESS"),
        (15, "INVALID_VALUE"),
        (10, "CHECKSUM_FAILED"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_wrong_with_it(code: int, name: str, at_once: bool) -> None:
    outcome = answer(CONFIG, 3, code, detail="wifi[0]: so and so")
    store = Store([outcome] if at_once else [answer(CONFIG, 3, 1), outcome])
    error = await refusal(Scripted(store), lambda client: client.configure(DOCUMENT))
    assert error.name == name and error.text.endswith(": wifi[0]: so and so")


async def test_a_device_that_is_busy_or_never_done() -> None:
    device = Scripted(lambda channel, request: [answer(channel, request[0], 11)])
    assert (await refusal(device, lambda client: client.configure(DOCUMENT))).name == "BUSY"
    device = Scripted(Store([answer(CONFIG, 3, 1)]))
    error = await refusal(device, lambda client: client.configure(DOCUMENT), commit_s=SOON_S)
    assert error.name == "TIMEOUT"


async def test_a_document_that_is_too_large_is_not_sent() -> None:
    device = Scripted()
    error = await refusal(device, lambda client: client.configure({"app": "x" * 16_384}))
    assert error.name == "TOO_LARGE" and not device.requests


# Status, networks, packets.


async def test_pushes_are_merged_and_told() -> None:
    told: list[dict[str, Any]] = []

    def script(channel: int, request: bytes) -> Iterable[Answer]:
        yield STATUS, b'{"mode":"CONFIG","error":null}'
        yield answer(STATUS, 1, mode="CONFIG", id="esp32-1", name="SUCCESS")
        yield STATUS, b'{"error":{"code":7,"name":"WRONG_SSID"}}'

    device = Scripted(script)
    async with Client(device, CODE, on_status=told.append) as client:
        await client.refresh()
        async with asyncio.timeout(PATIENCE_S):
            while not client.status["error"]:
                await asyncio.sleep(0)
        assert client.status == {
            "mode": "CONFIG",
            "id": "esp32-1",
            "error": {"code": 7, "name": "WRONG_SSID"},
        }
    assert told == [{"mode": "CONFIG", "error": None}, {"error": {"code": 7, "name": "WRONG_SSID"}}]


@pytest.mark.parametrize(
    "pushes",
    [
        ['{"scanning":true}', "answer", '{"scanning":false,"networks":[{"ssid":"Home"}]}'],
        ["answer", '{"scanning":true}', '{"networks":[{"ssid":"Home"}]}', '{"scanning":false}'],
        ["answer", '{"networks":[{"ssid":"Home"}]}'],
    ],
)
async def test_networks(pushes: list[str]) -> None:
    device = Scripted(
        lambda channel, request: (
            answer(STATUS, 2) if push == "answer" else (STATUS, push.encode()) for push in pushes
        )
    )
    async with Client(device, CODE) as client:
        assert await client.scan() == [{"ssid": "Home"}]


async def test_packets_both_ways() -> None:
    def script(channel: int, request: bytes) -> Iterable[Answer]:
        name = request[1 : 1 + request[0]]
        yield DATA, request  # an echo, before the answer
        yield DATA, b"\0" + (b'{"code":8,"name":"INVALID_REQUEST"}' if name == b"what" else b'{"code":0}')

    async with Client(Scripted(script, mtu=23), CODE) as client:
        await client.send("echo", bytes(range(256)) * 4)
        assert await anext(client.packets) == ("echo", bytes(range(256)) * 4)
        with pytest.raises(BleError, match="takes no packets called 'what'"):
            await client.send("what")
        for name, payload in (("", b""), ("é" * 9, b""), ("echo", bytes(1025))):
            with pytest.raises(ValueError, match="a packet has"):
                await client.send(name, payload)
        await client.send("é" * 8)  # what went wrong did not end the session
    assert [packet.name async for packet in client.packets] == ["what", "é" * 8]


async def test_packets_that_nobody_reads() -> None:
    def script(channel: int, request: bytes) -> Iterable[Answer]:
        yield from ((DATA, b"\x01n" + bytes((number,))) for number in range(150))
        yield answer(STATUS, 1)

    async with Client(Scripted(script), CODE) as client:
        await client.refresh()
    assert client.packets.dropped == 50
    assert [packet.payload[0] async for packet in client.packets] == list(range(50, 150))


async def test_requests_wait_for_one_another() -> None:
    device = Scripted()
    async with Client(device, CODE) as client:
        await asyncio.gather(*(client.refresh() for _ in range(5)), client.send("a"), client.send("b"))
    assert len(device.requests) == 7
