"""A phone that does what it likes: frames and messages as a test makes them, on a connection of its own."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tests.patience import PATIENCE_S
from tools.ble.errors import BleError
from tools.ble.over_bumble import OverBumble
from tools.ble.protocol import AUTH, CHANNELS, Assembler, split
from tools.ble.session import Session
from tools.sim import Device, World

ANSWER_S = PATIENCE_S


def name_of(device: Device) -> str:
    """What a device advertises."""
    return "esp32-" + device.chip.mac.replace(":", "")


class Stranger:
    """A connection to a device in mode CONFIG, as an async context manager.

    Attributes:
        clock: the device's.
        heard: the messages that came, each with its characteristic.
        gone: set once the connection has ended.
        session: the phone's half, if it is used.
    """

    def __init__(self, world: World, device: Device, mtu: int = 247, code: str = "0000-0000-0000") -> None:
        self.heard: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.session = Session(code)
        self.clock = device.chip.clock
        self._world, self._device, self._mtu = world, device, mtu
        self._assembler = Assembler()

    async def __aenter__(self) -> "Stranger":
        self.phone = await self._world.phone(self._mtu)
        self._transport = OverBumble(self.phone.device, name_of(self._device), self._mtu)
        self._transport.on_disconnect = self.gone.set
        try:
            await self._transport.connect()
            for channel, uuid in CHANNELS.items():
                await self._transport.subscribe(uuid, self._receiver(channel))
        except BaseException:
            self.phone.power_off()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.gone.is_set():
            with contextlib.suppress(BleError):
                await self._transport.disconnect()
        self.phone.power_off()

    def vanish(self) -> None:
        """Goes out of reach without a word."""
        self.gone.set()
        self.phone.power_off()

    async def write(self, channel: int, frame: bytes) -> bool:
        """Writes a frame; returns whether the connection is still there."""
        if self.gone.is_set():
            return False
        try:
            await self._transport.write(CHANNELS[channel], frame)
        except BleError:
            return False
        return True

    async def read(self, channel: int) -> bytes:
        """A characteristic's value."""
        return await self._transport.read(CHANNELS[channel])

    async def say(self, channel: int, message: bytes) -> None:
        """Writes a message in frames, of which the device may refuse the rest."""
        for frame in split(message, self._transport.mtu):
            await self.write(channel, frame)

    async def next(self) -> tuple[int, bytes]:
        """The next message that comes."""
        async with asyncio.timeout(ANSWER_S):
            return await self.heard.get()

    async def prove(self) -> None:
        """Opens a session, with the right code."""
        await self.say(AUTH, self.session.hello())
        self.session.on_hello((await self.next())[1])
        await self.say(AUTH, self.session.proof())
        self.session.on_proof((await self.next())[1])

    async def shown_out(self, code: int, timeout_s: float = ANSWER_S) -> None:
        """Waits for a refusal on AUTH and the end of the connection."""
        async with asyncio.timeout(timeout_s):
            while await self.heard.get() != (AUTH, bytes((0xFF, code))):
                pass
            await self.gone.wait()

    def _receiver(self, channel: int) -> Callable[[bytes], None]:
        def receive(frame: bytes) -> None:
            message = self._assembler.add(channel, frame)
            if message is not None:
                self.heard.put_nowait((channel, bytes(message)))

        return receive


async def together(*doings: Awaitable[object]) -> None:
    """Waits for all; the first error is raised."""
    async with asyncio.TaskGroup() as group:
        for doing in doings:
            group.create_task(_awaited(doing))


async def _awaited(doing: Awaitable[object]) -> None:
    await doing
