"""A phone that means harm, against a device in mode CONFIG: afterwards the right phone still sets it up."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.system.house import START_S, House, ask, seen, status
from tests.system.stranger import Stranger, name_of, together
from tools.ble.client import KEEP_ALIVE_S, Client
from tools.ble.errors import BleError, LinkLost
from tools.ble.over_bumble import OverBumble
from tools.ble.phone import set_up
from tools.ble.protocol import AUTH, CONFIG, DATA, NAMES, STATUS, split
from tools.ble.session import Session
from tools.sim import Device

SEALED = (CONFIG, STATUS, DATA)
ACCESS_DENIED, INVALID_REQUEST = NAMES.index("ACCESS_DENIED"), NAMES.index("INVALID_REQUEST")
LOCKED, MISSING_PACKETS = NAMES.index("LOCKED"), NAMES.index("MISSING_PACKETS")
TOO_LARGE = NAMES.index("TOO_LARGE")
WRONG = "ZZZZ-ZZZZ-ZZZZ"
GET = b"\1"
GREETING_S = 10  # docs/ble.md: without a hello
SILENCE_S = 30  # without a proof, or without a frame
EARLY_S, LATE_S = 8, 15  # what the two sides of a connection may see of its beginning and its end
WRITES = 10_000


class Target:
    """A device in mode CONFIG, and what must not change while it is attacked."""

    def __init__(self, house: House, speed: float | None = None, **settings: Any) -> None:
        """speed: 1 for what is as long as its phone takes, which has the real time, as the air has."""
        self.house, self.world = house, house.world
        self.device: Device = house.device(None, **settings)
        self.device.chip.clock.speed = speed or self.device.chip.clock.speed
        self.code = ""

    async def start(self) -> "Target":
        await self.device.power_on()
        self.code = (await self.device.expect(r"I ble: code (\S+)", START_S))[1]
        self._boots, self._writes = self.device.chip.boots, self.device.chip.flash_writes
        return self

    def stranger(self, mtu: int = 247, code: str = WRONG) -> Stranger:
        return Stranger(self.world, self.device, mtu, code)

    async def unharmed(self) -> None:
        """Nothing was stored, nothing broke, and the right phone sets the device up."""
        assert (await status(self.device))["mode"] == "CONFIG"
        assert self.device.chip.boots == self._boots
        assert self.device.chip.flash_writes == self._writes
        await self.can_be_set_up()

    async def can_be_set_up(self) -> None:
        await set_up(self.world, name_of(self.device), self.code, self.house.configuration())
        await self.device.expect(r"system: mode NORMAL", START_S)
        failures = [line for line in self.device.lines if "Traceback" in line or " died" in line]
        assert not failures, "\n".join(self.device.lines[-60:])


@pytest.fixture
async def target(house: House) -> Target:
    return await Target(house).start()


async def test_points_off_the_curve(target: Target) -> None:
    right = Session(WRONG).hello()
    async with target.stranger() as stranger:
        for point in (
            b"\4" + bytes(64),
            bytes(65),
            right[2:-1] + bytes((right[-1] ^ 1,)),
            b"\4" + b"\xff" * 64,
            b"\2" + right[3:35],
            b"\0",
            b"",
        ):
            await stranger.say(AUTH, b"\1\1" + point)
            assert await stranger.next() == (AUTH, bytes((0xFF, INVALID_REQUEST))), point.hex()
            await stranger.say(AUTH, b"\2" + bytes(32))  # no proof for keys that were never made
            assert await stranger.next() == (AUTH, bytes((0xFF, INVALID_REQUEST)))
    await target.unharmed()


async def test_messages_before_the_proof(target: Target) -> None:
    for channel in SEALED:
        async with target.stranger() as stranger:
            assert await stranger.read(channel) == b""
            await stranger.say(AUTH, stranger.session.hello())
            assert (await stranger.next())[0] == AUTH
            await stranger.say(channel, bytes(40))
            await stranger.shown_out(ACCESS_DENIED)
    await target.unharmed()


async def test_replayed_reordered_and_changed_messages(target: Target) -> None:
    """Each by a phone that knows the code, as if another wrote into its connection."""
    changes = [
        lambda first, second: [first, first],
        lambda first, second: [second, first],
        lambda first, second: [first[:-1] + bytes((first[-1] ^ 0x80,))],
        lambda first, second: [first[:4] + bytes((first[4] ^ 1,)) + first[5:]],
        lambda first, second: [b"\0\0\0\1" + first[4:]],
        lambda first, second: [first[:-1]],
    ]
    for change in changes:
        async with target.stranger(code=target.code) as stranger:
            await stranger.prove()
            messages = [stranger.session.seal(CONFIG, b"\1" + bytes(36)) for _ in range(2)]
            for message in change(*messages):
                await stranger.say(CONFIG, message)
            await stranger.shown_out(ACCESS_DENIED)
    async with target.stranger(code=target.code) as stranger:  # on another characteristic
        await stranger.prove()
        await stranger.say(STATUS, stranger.session.seal(CONFIG, GET))
        await stranger.shown_out(ACCESS_DENIED)
    await target.unharmed()


async def test_replayed_and_reordered_frames(target: Target) -> None:
    async with target.stranger(mtu=23, code=target.code) as stranger:
        await stranger.prove()
        message = stranger.session.seal(CONFIG, b"\2" + bytes(44))
        a, b, c, d = split(message, 23)
        for frames in ((a, a, c, d), (a, c, b, d), (b, c, d), (a, b, b, c, d)):
            for frame in frames:
                assert await stranger.write(CONFIG, frame)
            answer = await answered(stranger, CONFIG)
            assert b'"MISSING_PACKETS"' in answer and b'"op"' not in answer
        await stranger.say(CONFIG, message)  # the very same bytes are good after that
        assert b'"INVALID_REQUEST"' in await answered(stranger, CONFIG)  # a piece of no document
    await target.unharmed()


async def answered(stranger: Stranger, channel: int) -> bytes:
    """The next answer on a characteristic, past what is pushed."""
    while True:
        number, message = await stranger.next()
        plaintext = stranger.session.open(number, message)
        if number == channel:
            return plaintext


async def test_a_message_of_64_kilobytes(house: House) -> None:
    target = await Target(house, speed=1).start()
    target.world.air_ble.interval_ms = 1
    for channel in (AUTH, CONFIG):
        async with target.stranger() as stranger:  # who has 10 s of the device's
            await stranger.say(channel, bytes(65_536))
            assert await stranger.next() == (AUTH, bytes((0xFF, TOO_LARGE)))
    async with target.stranger(code=target.code) as stranger:
        await stranger.prove()
        await stranger.say(CONFIG, bytes(65_536))
        assert b'"TOO_LARGE"' in await answered(stranger, CONFIG)
        await stranger.say(STATUS, stranger.session.seal(STATUS, GET))
        assert b'"SUCCESS"' in await answered(stranger, STATUS)
    await target.unharmed()


async def test_a_session_is_not_taken_over(target: Target) -> None:
    """A hello in an open session ends it: neither its keys nor the proof that was given are good any more."""
    async with target.stranger(code=target.code) as stranger:
        await stranger.prove()
        message = stranger.session.seal(STATUS, GET)
        await stranger.say(AUTH, Session(WRONG).hello())
        while (await stranger.next())[0] != AUTH:
            pass
        await stranger.say(STATUS, message)
        await stranger.shown_out(ACCESS_DENIED)
    async with target.stranger(code=target.code) as stranger:
        await stranger.prove()
        other = Session(WRONG)
        await stranger.say(AUTH, other.hello())
        while (hello := await stranger.next())[0] != AUTH:
            pass
        other.on_hello(hello[1])
        await stranger.say(AUTH, other.proof())
        await stranger.shown_out(ACCESS_DENIED)
    await target.unharmed()


async def test_one_phone_at_a_time(house: House) -> None:
    target = await Target(house, speed=1).start()
    async with target.stranger() as stranger:
        phone = await target.world.phone()
        with pytest.raises(TimeoutError):
            await phone.scan(target.device.chip.ble.address, timeout_s=2)
        phone.power_off()
        await stranger.say(AUTH, b"\0")
        assert await stranger.next() == (AUTH, bytes((0xFF, INVALID_REQUEST)))  # and the first one goes on
    await target.unharmed()


async def test_a_phone_that_vanishes_in_the_middle(target: Target) -> None:
    """Of a frame's message, of the proof, of a document: the next one finds nothing of it."""
    async with target.stranger() as stranger:
        await stranger.write(AUTH, b"\x80abc")
        stranger.vanish()
    async with target.stranger(code=target.code) as stranger:
        await stranger.say(AUTH, stranger.session.hello())
        stranger.vanish()
    async with target.stranger(code=target.code) as stranger:
        await stranger.prove()
        await stranger.write(CONFIG, b"\x80abc")
        stranger.vanish()
    async with target.stranger() as stranger:
        await stranger.write(AUTH, b"\x41abc")
        assert await stranger.next() == (AUTH, bytes((0xFF, MISSING_PACKETS)))
    await target.unharmed()


@pytest.mark.slow
async def test_wrong_codes_cost_pauses_and_not_the_door(house: House) -> None:
    """Over a reset, too; afterwards whoever knows the code is let in."""
    target = await Target(house, speed=1).start()
    device = target.device
    for count in range(4):
        with pytest.raises(BleError) as refused:
            async with Client(await transport(target), WRONG):
                raise AssertionError("a wrong code opened a session")
        assert refused.value.name == ("LOCKED" if count >= 2 else "ACCESS_DENIED")
        if count >= 2:
            await device.expect(rf"W ble: wrong codes: closed for {2 << count - 2} s")
    await closed(target)
    await ask(device, "restart")
    await device.expect(r"W ble: wrong codes: closed for 4 s", START_S)
    await closed(target)
    await target.can_be_set_up()


async def closed(target: Target) -> None:
    """Whoever knows the code is not welcome either."""
    phone = await target.world.phone()
    with pytest.raises(TimeoutError):
        await phone.scan(target.device.chip.ble.address, timeout_s=1)
    phone.power_off()


async def transport(target: Target) -> OverBumble:
    phone = await target.world.phone()
    return OverBumble(phone.device, name_of(target.device))


async def test_a_right_code_begins_to_count_anew(target: Target) -> None:
    for code in 2 * [WRONG] + [target.code] + 2 * [WRONG]:
        try:
            async with Client(await transport(target), code):
                assert code == target.code
        except BleError as error:
            assert code == WRONG and error.name == "ACCESS_DENIED"
    await target.unharmed()


@pytest.mark.slow
async def test_who_sits_silent_does_not_use_the_time_up(house: House) -> None:
    """Only the time in which a phone could have come counts: more than CONFIG_MS goes by with a stranger."""
    target = await Target(house, CONFIG_MS=9000).start()
    async with target.stranger() as stranger:
        await timed(stranger, GREETING_S)
    assert not seen(target.device, "nobody came")
    await target.can_be_set_up()


@pytest.mark.slow
async def test_strangers_do_not_keep_a_configured_device_from_its_cloud(house: House) -> None:
    """Not by coming again and again, nor by wrong codes."""
    target = Target(house, CONFIG_MS=3000)
    device = target.device
    await house.telemetry(device)
    await device.power_off()
    device.chip.held_low.add(0)  # and the button stays held, as a broken one does
    await target.start()

    async def come_again() -> None:
        while True:
            try:
                async with target.stranger() as stranger:
                    await stranger.gone.wait()
            except (BleError, TimeoutError):
                await asyncio.sleep(0.1)

    coming = asyncio.create_task(come_again())
    await device.expect(r"system: restarting: nobody has configured it")
    coming.cancel()
    await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", START_S)
    assert device.chip.held_low


FAULTS = {
    "conversation.py": "        self._assembler = Assembler()\n",
    "session.py": "        private = await p256.generate(self._random)\n",
    "service.py": "            connection, frame = await characteristic.written()\n",
    "frames.py": "        end = self._length + len(piece)\n",
}


@pytest.mark.parametrize("error", ["MemoryError", "OSError"])
@pytest.mark.parametrize("module", FAULTS)
async def test_what_a_connection_raises_ends_it_alone(house: House, module: str, error: str) -> None:
    target = Target(house)
    file = target.device.files / "lib/iot/ble" / module
    text = file.read_text()
    line = FAULTS[module]
    assert text.count(line) == 1
    blank = line[: len(line) - len(line.lstrip())]
    once = f"{blank}import sys\n{blank}if not hasattr(sys, 'failed'):\n"
    once += f"{blank}    sys.failed = 1\n{blank}    raise {error}\n"
    file.write_text(text.replace(line, line + once))
    await target.start()
    try:
        async with target.stranger() as stranger:
            await stranger.say(AUTH, stranger.session.hello())
            async with asyncio.timeout(START_S):
                await stranger.gone.wait()
    except BleError:  # gone before it could subscribe
        pass
    await target.device.expect(r"I ble: .* gone: ")
    assert target.device.chip.boots == 1
    await set_up(target.world, name_of(target.device), target.code, house.configuration())
    await target.device.expect(r"system: mode NORMAL", START_S)
    assert not seen(target.device, r"E system: ")


@pytest.mark.slow
async def test_who_says_nothing_is_shown_out(house: House) -> None:
    """10 s without a hello, whatever else is written; 30 s without a proof or a frame. All side by side."""

    async def silent(target: Target) -> None:
        async with target.stranger() as stranger:
            await timed(stranger, GREETING_S)

    async def no_hello(target: Target) -> None:
        async with target.stranger() as stranger:
            await timed(stranger, GREETING_S, AUTH, b"\1\1\4" + bytes(64))

    async def hello_alone(target: Target) -> None:
        async with target.stranger() as stranger:
            await stranger.say(AUTH, stranger.session.hello())
            await timed(stranger, SILENCE_S)

    async def hello_after_hello(target: Target) -> None:
        async with target.stranger() as stranger:
            await timed(stranger, SILENCE_S, AUTH, stranger.session.hello())

    async def frames_without_end(target: Target) -> None:
        async with target.stranger() as stranger:
            await timed(stranger, GREETING_S, CONFIG, b"x")

    async def proven_then_silent(target: Target) -> None:
        async with target.stranger(code=target.code) as stranger:
            await stranger.prove()
            await timed(stranger, SILENCE_S)

    async def proven_and_hello_again(target: Target) -> None:
        """The second proof has its 30 s from the second hello on."""
        async with target.stranger(code=target.code) as stranger:
            await stranger.prove()
            await stranger.clock.sleep(SILENCE_S / 2)
            await stranger.say(AUTH, Session(WRONG).hello())
            await timed(stranger, SILENCE_S)

    async def who_asks_stays(target: Target) -> None:
        clock = target.device.chip.clock
        keep_alive_s = KEEP_ALIVE_S / clock.speed
        async with Client(await transport(target), target.code, keep_alive_s=keep_alive_s) as client:
            await clock.sleep(SILENCE_S + 5)
            assert (await client.refresh())["mode"] == "CONFIG"

    cases = [
        silent,
        no_hello,
        hello_alone,
        hello_after_hello,
        frames_without_end,
        proven_then_silent,
        proven_and_hello_again,
        who_asks_stays,
    ]
    targets = [await Target(house).start() for _ in cases]
    await together(*[case(target) for case, target in zip(cases, targets, strict=True)])
    await together(*[target.unharmed() for target in targets])


async def timed(stranger: Stranger, limit_s: float, channel: int = 0, message: bytes = b"") -> None:
    """Waits for the end of the connection, which comes after a time; meanwhile writes a message or frames."""
    clock = stranger.clock
    start = clock.time()
    while not stranger.gone.is_set():
        assert clock.time() - start < limit_s + LATE_S, "still connected"
        if channel == AUTH:
            await stranger.say(channel, message)
        elif channel:
            await stranger.write(channel, b"\0" + message)
        await clock.sleep(0.5)
    assert clock.time() - start > limit_s - EARLY_S, "shown out early"


async def test_ten_thousand_random_writes_on_each_characteristic(house: House) -> None:
    """On an air without a pace: at a phone's 57 writes a second 40,000 would take twelve minutes."""
    targets = [await Target(house, speed=1).start() for _ in range(4)]
    house.world.air_ble.interval_ms = 0
    await together(*[pour(target, channel) for channel, target in enumerate(targets, AUTH)])
    await together(*[target.unharmed() for target in targets])


async def pour(target: Target, channel: int) -> None:
    """Writes noise; connects again as often as it is shown out, which a whole message does."""
    noise = random.Random(channel)
    written = 0
    while written < WRITES:
        async with AsyncExitStack() as stack:
            try:
                stranger = await stack.enter_async_context(target.stranger())
            except LinkLost:
                continue
            while written < WRITES and await stranger.write(
                channel, noise.randbytes(noise.choice((1, 2, 20, 244)))
            ):
                written += 1
            while not stranger.heard.empty():
                number, message = stranger.heard.get_nowait()
                assert number == AUTH and message[0] in (1, 0xFF)
