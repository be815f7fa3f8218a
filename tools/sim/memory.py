"""A chip's memory: ESP-IDF's heap, for Wi-Fi, TLS and stacks, and MicroPython's, which grows out of it."""

import errno

# What was measured on MicroPython v1.25.
_REGIONS = (  # of ESP-IDF's heap after the start: total, free, lowest; the first two where there is Bluetooth
    (240, 4, 4),
    (7288, 4, 4),
    (16648, 4468, 4304),
    (85992, 11384, 11384),
    (15072, 14656, 14656),
    (113840, 112968, 112968),
)
_HEAP_TOTAL = 56_000
_USED_AT_START, _USED_CONNECTED = 42_000, 62_000  # of MicroPython's heap, by the library
_FIRMWARE = 4_600  # by what this firmware has begun before the radio is on, from the watchdog to NVS
_WIFI = 41_000  # the driver with its buffers, and lwIP
_RECORD = 17_408  # mbedTLS's buffer for what it receives, in one piece
_ALERT, _HANDSHAKE, _APPLICATION_DATA = 0x15, 0x16, 0x17  # first byte of a TLS record

# Faces of want of memory: see Memory.starve.
NO_WIFI, SILENCE = "no Wi-Fi", "silence"


def told(size: int) -> int:
    """The size of a free block, as ESP-IDF's allocator tells it: 16 classes to a power of two."""
    return size - size % max(4, 1 << size.bit_length() - 5) if size >= 16 else 0


class Region:
    """One region of ESP-IDF's heap: blocks in a row, each with what holds it, None where it is free."""

    def __init__(self, total: int, free: int, lowest: int) -> None:
        self.total = total
        self.lowest = lowest
        self._blocks: list[tuple[int, object]] = [(total - free, "ESP-IDF"), (free, None)]

    @property
    def free(self) -> int:
        return sum(size for size, holder in self._blocks if holder is None)

    @property
    def largest(self) -> int:
        """Bytes of the largest free block."""
        return max((size for size, holder in self._blocks if holder is None), default=0)

    def take(self, size: int, holder: object) -> None:
        """Take the beginning of the largest free block."""
        largest = self.largest
        at = self._blocks.index((largest, None))
        self._blocks[at : at + 1] = [(size, holder), (largest - size, None)]
        self.lowest = min(self.lowest, self.free)

    def give_back(self, holder: object) -> None:
        """Free what `holder` has; free blocks beside each other become one."""
        blocks: list[tuple[int, object]] = []
        for size, who in self._blocks:
            if who is None or who == holder:
                before = blocks.pop()[0] if blocks and blocks[-1][1] is None else 0
                blocks.append((before + size, None))
            else:
                blocks.append((size, who))
        self._blocks = blocks


class Memory:
    """The memory of one chip, and want of it on command.

    Attributes:
        heap_total: bytes of MicroPython's heap, which grows by itself on CPython alone: there it is modelled.
        heap_used, heap_piece: of it in use, and its largest free piece, for CPython, which cannot tell; None
            for something plausible.
        tls, handshake: bytes that a TLS connection takes, and takes more in its handshake; with certificates
            as AWS's (RSA-2048, a chain of three) 35,000 and 7,000.
        psram: bytes of PSRAM, from the next start on; 0 where the chip has none.
    """

    def __init__(self) -> None:
        self.heap_used: int | None = None
        self.heap_piece: int | None = None
        self.tls, self.handshake = 26_000, 6_500
        self.psram = 0
        self._face: Exception | str | None = None
        self._least: int | None = None
        self._number = 0
        self.start(wifi=False)

    def start(self, wifi: bool, bluetooth: bool = True) -> None:
        """All is as after a reset.

        Args:
            wifi: but for Wi-Fi, which goes on.
            bluetooth: whether ESP-IDF's heap leaves a place for its controller.
        """
        self.heap_total = _HEAP_TOTAL
        self._growth = 0
        self.regions = [Region(*numbers) for numbers in _REGIONS[0 if bluetooth else 2 :]]
        if self.psram:
            self.regions.append(Region(self.psram, self.psram, self.psram))
        self._wifi = self._begun = False
        if wifi:
            self.wifi(True)

    # Faults.

    def starve(self, face: Exception | str | None, largest: int | None = None) -> None:
        """Have what needs memory fail as it does on the chip, until `feed`; a reset changes nothing.

        Args:
            face: what the device is told: ValueError("invalid key") when it loads a key, OSError(12) and
                MemoryError() when it connects, any other OSError in the handshake; SILENCE: it connects, and
                nothing arrives; NO_WIFI: the radio does not start; None: what follows from `largest`.
            largest: what ESP-IDF's largest block shrinks to whenever the radio is on; None: it stays.
        """
        self._face, self._least = face, largest

    def feed(self) -> None:
        """There is memory again."""
        self._face = self._least = None
        self.give_back("fault")

    def grow_heap(self, size: int) -> None:
        """MicroPython's heap takes `size` bytes of ESP-IDF's largest block; ValueError where it has less."""
        if not self._take(size, "growth"):
            raise ValueError(f"ESP-IDF has no block of {size} bytes")
        self._growth += size
        self.heap_total += size

    def shrink_heap(self) -> None:
        """What `grow_heap` took is empty, and MicroPython gives it back."""
        self.give_back("growth")
        self.heap_total -= self._growth
        self._growth = 0

    @property
    def silent(self) -> bool:
        """Whether new connections are to hear nothing."""
        return self._face == SILENCE

    # ESP-IDF's heap.

    def idf(self) -> list[tuple[int, int, int, int]]:
        """(total, free, largest free block, lowest free ever) of each region, as the chip tells them."""
        if self._least is not None and self._wifi:
            self._shrink_to(self._least)
        return [(region.total, region.free, told(region.largest), region.lowest) for region in self.regions]

    def thread(self, size: int) -> int | None:
        """Take a thread's stack; returns what `give_back` wants, None where there is no such block."""
        self._number += 1
        return self._number if self._take(size, self._number) else None

    def give_back(self, holder: object) -> None:
        """Free what was taken for `holder`."""
        for region in self.regions:
            region.give_back(holder)

    def firmware(self) -> None:
        """A firmware has begun: it has a watchdog."""
        if not self._begun:
            self._begun = self._spread(_FIRMWARE, "firmware")

    def wifi(self, on: bool) -> bool:
        """Switch the radio; False where it gets no memory."""
        if not on:
            self.give_back("Wi-Fi")
            self._wifi = False
        elif not self._wifi:
            self._wifi = self._face != NO_WIFI and self._spread(_WIFI, "Wi-Fi")
        return self._wifi or not on

    def tls_error(self, stage: str) -> Exception | None:
        """What the device is told at this stage of a TLS connection: "key", "connect" or "handshake"."""
        if isinstance(self._face, Exception) and _stage(self._face) == stage:
            return self._face
        if self._face or stage != "connect":
            return None
        free = sum(region[1] for region in self.idf())
        largest = max(region[2] for region in self.idf())
        if largest < _RECORD or free < self.tls + self.handshake:
            return OSError(errno.ENOMEM, "MBEDTLS_ERR_SSL_ALLOC_FAILED")
        return None

    def begin_tls(self, holder: object) -> None:
        """Take what a connection needs, and what its handshake needs as well, as far as it is there."""
        self._take(_RECORD, holder)
        self._spread(self.tls - _RECORD, holder)
        self._spread(self.handshake, (holder, "handshake"))

    def end_handshake(self, holder: object) -> None:
        """Free what its handshake needed."""
        self.give_back((holder, "handshake"))

    def end_tls(self, holder: object) -> None:
        """Free all that a connection has."""
        self.end_handshake(holder)
        self.give_back(holder)

    def _take(self, size: int, holder: object) -> bool:
        """Take one block, out of the largest there is."""
        region = max(self.regions, key=lambda region: region.largest)
        if region.largest < size:
            return False
        region.take(size, holder)
        return True

    def _spread(self, size: int, holder: object) -> bool:
        """Take many small blocks, of the first regions first."""
        while size:
            region = next((region for region in self.regions if region.largest > 4), None)
            if region is None:
                self.give_back(holder)
                return False
            part = min(size, region.largest - 4)
            region.take(part, holder)
            size -= part
        return True

    def _shrink_to(self, largest: int) -> None:
        for region in self.regions:
            while region.largest > largest:
                region.take(region.largest - largest, "fault")

    # MicroPython's heap, where CPython runs the program.

    def python(self, made: int) -> tuple[int, int, int, int]:
        """Bytes in use, free and of the block it could grow by, and the largest free piece.

        made: bytes of what the program has made that CPython can see. What does not fit makes the heap grow:
        by the largest block, or to twice its size.
        """
        used = _USED_CONNECTED if self._wifi else _USED_AT_START
        used = made + (used if self.heap_used is None else self.heap_used)
        while used > self.heap_total and self._grow():
            pass
        free = max(0, self.heap_total - used)
        piece = free // 2 if self.heap_piece is None else self.heap_piece
        return used, free, max(region[2] for region in self.idf()), piece

    def _grow(self) -> bool:
        whole = self.heap_total * 128 // 125  # with its tables
        size = min(max(region[2] for region in self.idf()), whole)
        if size < 1024 or not self._take(size, "heap"):
            return False
        self.heap_total += size * 125 // 128
        return True


class Tls:
    """What one connection of a chip takes while it speaks TLS, by what the chip sends on it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._begun = False

    def sent(self, data: bytes) -> None:
        """A piece of what the chip sends; nothing is the end, and an alert is, though the socket stays."""
        if not data or data[0] == _ALERT:
            self.close()
        elif data[0] == _HANDSHAKE and not self._begun:
            self._begun = True
            self._memory.begin_tls(self)
        elif data[0] == _APPLICATION_DATA:
            self._memory.end_handshake(self)

    def close(self) -> None:
        """The connection is closed."""
        self._memory.end_tls(self)


def _stage(face: Exception) -> str:
    """Who is told: the one who loads a key, the one who connects, or whoever reads or writes first."""
    if isinstance(face, ValueError):
        return "key"
    if isinstance(face, OSError) and face.errno != errno.ENOMEM:
        return "handshake"
    return "connect"
