"""An ESP32 in download mode on a pseudo-terminal: the loader in its ROM, then esptool's own once it has that.

The protocol is Espressif's (docs.espressif.com/projects/esptool: "Serial Protocol").
"""

import hashlib
import os
import select
import struct
import threading
import tty
import zlib

MAC = bytes.fromhex("240ac4000001")
MAGIC = {"ESP32": 0x00F01D83, "ESP32-S2": 0x000007C6}  # tells the chips apart, at this place in their ROM:
MAGIC_PLACE = 0x40001000
EFUSES = 0x3FF5A000
SPI = 0x3FF42000  # controller of the flash: these registers start it, name a command, hold the answer
SPI_START, SPI_COMMAND, SPI_DATA = SPI, SPI + 0x24, SPI + 0x80
READ_ID = 0x9F
NO_SUCH_COMMAND = b"\1\5"

SYNC, WRITE_REGISTER, READ_REGISTER, RUN, SECURITY = 0x08, 0x09, 0x0A, 0x06, 0x14
BEGIN, BLOCK, HASH, ERASE = 0x10, 0x11, 0x13, 0xD0
OTHERS = {0x05, 0x07, 0x0B, 0x0D, 0x0F, 0x12}  # done by saying yes


class FakeChip:
    """A chip with its flash; as a context it is there at `port`.

    Args:
        chip: which one.
        flash_bytes: a power of two; 0 for a flash that does not answer.
        decay: a place in the flash that does not keep what is written.
        unplugged_at: the block of the image at which the cable is pulled.
        runs: it runs a program, which answers nothing.
    """

    def __init__(
        self,
        chip: str = "ESP32",
        flash_bytes: int = 4 << 20,
        decay: int | None = None,
        unplugged_at: int | None = None,
        runs: bool = False,
    ) -> None:
        self.before = b"\x55" * flash_bytes
        self.flash = bytearray(self.before)
        self._decay, self._unplugged_at, self._runs = decay, unplugged_at, runs
        self._flash_id = (flash_bytes.bit_length() - 1) << 16 | 0x40C8 if flash_bytes else 0xFFFFFF
        self._registers = {MAGIC_PLACE: MAGIC[chip]}
        self._registers[EFUSES + 4] = int.from_bytes(MAC[2:], "big")
        self._registers[EFUSES + 8] = int.from_bytes(MAC[:2], "big")
        self._in_rom = True
        self._place = 0
        self._inflate = zlib.decompressobj()
        self._ends = threading.Event()

    def __enter__(self) -> "FakeChip":
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port = os.ttyname(self._near)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        os.close(self._near)  # only now: until here nobody else gets a terminal of the same name

    def _serve(self) -> None:
        received = b""
        while not self._ends.is_set():
            if not select.select([self._far], [], [], 0.05)[0]:
                continue
            *packets, received = (received + os.read(self._far, 65536)).split(b"\xc0")
            for packet in filter(None, packets):
                if not (self._runs or self._ends.is_set()):
                    self._take(packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))
        os.close(self._far)

    def _take(self, packet: bytes) -> None:
        _, command, _, _ = struct.unpack_from("<BBHI", packet)
        value, data, status = self._do(command, packet[8:])
        if self._ends.is_set():
            return
        data += status if not self._in_rom else status.ljust(4, b"\0")
        answer = struct.pack("<BBHI", 1, command, len(data), value) + data
        for _ in range(8 if command == SYNC else 1):
            self._send(answer)
        if command == RUN:
            self._in_rom = False
            self._send(b"OHAI")

    def _send(self, packet: bytes) -> None:
        packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        os.write(self._far, b"\xc0" + packet + b"\xc0")

    def _do(self, command: int, body: bytes) -> tuple[int, bytes, bytes]:
        """Value, data and status of the answer."""
        value, data = 0, b""
        words = struct.unpack_from(f"<{min(4, len(body) // 4)}I", body)
        if command == SYNC:
            value = 1
        elif command == READ_REGISTER:
            value = self._registers.get(words[0], 0)
        elif command == WRITE_REGISTER and words[0] == SPI_START:
            reads_id = self._registers[SPI_COMMAND] & 0xFF == READ_ID
            self._registers[SPI_DATA] = self._flash_id if reads_id else 0
        elif command == WRITE_REGISTER:
            self._registers[words[0]] = words[1]
        elif command == ERASE:
            self.flash[:] = b"\xff" * len(self.flash)
        elif command == BEGIN:
            self._place, self._inflate = words[3], zlib.decompressobj()
        elif command == BLOCK:
            self._write(words[1], body[16:])
        elif command == HASH:
            place, size = words[:2]
            data = hashlib.md5(self.flash[place : place + size]).digest()
        elif command not in OTHERS | {RUN}:
            return 0, b"", NO_SUCH_COMMAND
        return value, data, b"\0\0"

    def _write(self, number: int, block: bytes) -> None:
        if number == self._unplugged_at:
            self._ends.set()
            return
        content = self._inflate.decompress(block)
        place, self._place = self._place, self._place + len(content)
        before = self.flash[place : self._place]
        kept = int.from_bytes(before) & int.from_bytes(content[: len(before)])  # as flash does
        self.flash[place : self._place] = kept.to_bytes(len(before))
        if self._decay is not None:
            self.flash[self._decay] ^= 1
