"""Whole boards on ports: a chip's ROM and esptool's loader, and behind them a simulated device on its flash.

A pseudo-terminal has no lines for a reset. So what begins as esptool's packets do finds the ROM, and what
does not finds the program, as where a board's circuit had switched it.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.host.board.fake_chip import EFUSES, ERASE, FakeChip
from tests.host.board.made_images import TWO_SLOTS, Made
from tests.host.board.support import Wire
from tools.board import images, partitions
from tools.image import build, contents
from tools.sim import Device, World
from tools.sim.files import HostFolder, Image
from tools.sim.packed import deployed
from tools.sim.port import Port
from tools.sim.wiring import wire

IMAGE = images.parse(Made(partitions=TWO_SLOTS).image(), "image.bin")
_PACKET = b"\xc0"
_LED, _BUTTON = "pin.2", "pin.0"


def with_firmware() -> images.Image:
    """The image as `tools image` makes it."""
    files = {path.removeprefix("/"): data for path, data in deployed().items()}
    return build.make(IMAGE, files, contents.name()).image


class _Rom(FakeChip):
    """The chip in download mode; what it says goes to `give`."""

    def __init__(self, mac: str, give: Callable[[bytes], None], erased: Callable[[], None]) -> None:
        super().__init__()
        address = bytes.fromhex(mac.replace(":", ""))
        self._registers[EFUSES + 4] = int.from_bytes(address[2:], "big")
        self._registers[EFUSES + 8] = int.from_bytes(address[:2], "big")
        self._give, self._erased = give, erased
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        """What came; returns what is none of its packets."""
        self._rest += data
        while self._rest.startswith(_PACKET) and (end := self._rest.find(_PACKET, 1)) >= 0:
            packet, self._rest = self._rest[1:end], self._rest[end + 1 :]
            if packet:
                self._take(packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))
        if self._rest.startswith(_PACKET):
            return b""
        strange, self._rest = self._rest, b""
        return strange

    def _send(self, packet: bytes) -> None:
        packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        self._give(_PACKET + packet + _PACKET)

    def _do(self, command: int, body: bytes) -> tuple[int, bytes, bytes]:
        if command == ERASE:
            self._erased()
        return super()._do(command, body)


class _Console(Port):
    """A port of the simulator, over a wire that is there already."""

    def __init__(self, device: Device, way: Wire) -> None:
        super().__init__(device, "pty")
        self._way = way

    async def __aenter__(self) -> "_Console":
        self._device.on_output = self._give
        self._typing = asyncio.create_task(self._type())
        return self

    async def __aexit__(self, *_: object) -> None:
        """The wire stays: who closes it lets the next one have its name, and so be taken for it."""
        self._device.on_output = None
        self._typing.cancel()

    def come(self, data: bytes) -> None:
        self._came(data)


class Whole:
    """A board that is plugged in at `port`, a name that stays, and out again; its flash stays.

    image: what it takes, and nothing else.
    """

    def __init__(self, folder: Path, world: World, mac: str, port: Path, image: images.Image) -> None:
        self.mac, self.port, self.image = mac, port, image
        self.device = Device(folder, world, mac, prompt=True)
        self.device.chip.peripherals.on_io = self._io
        self.flashes = 0
        self._rom: _Rom | None = None
        self._is_bootable = False
        self._wire: Wire | None = None
        self._pulled: list[Wire] = []

    @property
    def is_plugged(self) -> bool:
        return self._wire is not None

    async def plug(self) -> None:
        self._came: asyncio.Queue[bytes] = asyncio.Queue()
        self._wire = Wire(self._came.put_nowait)
        self._console = _Console(self.device, self._wire)
        await self._console.__aenter__()
        await self._boot()
        self._task = asyncio.create_task(self._serve())
        self.port.symlink_to(self._wire.port)

    async def unplug(self) -> None:
        assert self._wire
        self.port.unlink()
        self._task.cancel()
        self._rom = None
        self._wire.pull()
        await self.device.power_off()
        await self._console.__aexit__(None, None, None)
        self._pulled.append(self._wire)
        self._wire = None

    def close(self) -> None:
        """Give the names of its ports back."""
        for way in self._pulled:
            way.close()

    async def _serve(self) -> None:
        while True:
            data = await self._came.get()
            if self._rom is None and data.startswith(_PACKET):
                await self.device.power_off()
                assert self._wire
                self._rom = _Rom(self.mac, self._wire.write, self._erased)
            if self._rom is not None:
                data = self._rom.take(data)
                if not data:
                    continue
                if self._rom.flash[0] != 0x55:  # it was erased
                    self._written(bytes(self._rom.flash))
                self._rom = None
                await self._boot()
            self._console.come(data)

    def _erased(self) -> None:
        self.flashes += 1
        self._is_bootable = False
        for path in self.device.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        Image(self.device.folder / "vfs.bin")  # an empty one
        HostFolder(self.device.folder / "nvs")

    def _written(self, flash: bytes) -> None:
        self._is_bootable = flash.startswith(self.image.data, self.image.offset)
        for one in self.image.partitions:
            if one.name == partitions.FILES:
                (self.device.folder / "vfs.bin").write_bytes(flash[one.offset : one.end])

    async def _boot(self) -> None:
        if self._is_bootable:
            await self.device.power_on()

    def _io(self, name: str, text: str) -> None:
        if name == _LED:
            level = 0 if text == "1" else None
            wire(self.device.chip.peripherals.wiring, None, [(_BUTTON, level)])
