# The flash's partitions for applications, in files, and what ESP-IDF does with them: which one its bootloader
# starts, and whether an image in one is whole. As in bootloader_support and app_update of v5.

import binascii
import hashlib
import struct

SECTOR_BYTES = 4096
APP, DATA = 0, 1
SUBTYPE_OTADATA, SUBTYPE_FACTORY, SUBTYPE_OTA_0 = 0, 0, 16
# Tables of the images for 4 MB, by their slots: type, subtype, address, size, label, encrypted.
_TABLES = {
    1: (
        (1, 2, 0x9000, 0x6000, "nvs", False),
        (1, 1, 0xF000, 0x1000, "phy_init", False),
        (0, 0, 0x10000, 0x1F0000, "factory", False),
        (1, 129, 0x200000, 0x200000, "vfs", False),
    ),
    2: (
        (1, 2, 0x9000, 0x4000, "nvs", False),
        (1, 0, 0xD000, 0x2000, "otadata", False),
        (1, 1, 0xF000, 0x1000, "phy_init", False),
        (0, 16, 0x10000, 0x180000, "ota_0", False),
        (0, 17, 0x190000, 0x180000, "ota_1", False),
        (1, 129, 0x310000, 0xF0000, "vfs", False),
    ),
}
_NEW, _PENDING, _VALID, _INVALID, _ABORTED = range(5)  # states of an entry of otadata
_NEVER = 0xFFFFFFFF
_ENTRY = "<I20sII"  # sequence number, label, state, checksum of the number
_MAGIC = 0xE9
_CHIP = 0  # the ESP32, in an image's header
_HEADER_BYTES, _SEGMENT_BYTES, _HASH_BYTES = 24, 8, 32
_CHIP_AT, _HAS_HASH_AT = 12, 23
_CHECKSUM = 0xEF


class Partitions:
    """Of one chip.

    flash: what each erase of a sector and each program of one passes; folder: where their files are.
    """

    def __init__(self, flash, folder, slots=2):
        self.table = _TABLES[slots]
        self._flash = flash
        self._folder = folder
        self._running = None
        self._otadata = self.find(DATA, SUBTYPE_OTADATA)

    def find(self, kind=None, subtype=None, label=None):
        """The first row of the table that has these, or None."""
        for row in self.table:
            if kind in (row[0], None) and subtype in (row[1], None) and label in (row[4], None):
                return row
        return None

    def read(self, row, start, buffer):
        """Fill a buffer; OSError behind the partition's end."""
        size = len(buffer)
        _check(row, start, size)
        try:
            with self._folder.open(_path(row), "rb") as file:
                file.seek(start)
                data = file.read(size)
        except OSError:
            data = _first(row)[start : start + size]
        memoryview(buffer)[:size] = data + b"\xff" * (size - len(data))

    def erase(self, row, start, size):
        _check(row, start, size)
        if start % SECTOR_BYTES or size % SECTOR_BYTES:
            raise OSError(-0x104, "ESP_ERR_INVALID_SIZE")
        for at in range(start, start + size, SECTOR_BYTES):
            self._write(row, at, b"\xff" * SECTOR_BYTES)

    def program(self, row, start, data):
        """Write to what is erased: elsewhere it only makes zeros of ones."""
        _check(row, start, len(data))
        done = 0
        while done < len(data):
            at = start + done
            piece = bytes(data[done : done + SECTOR_BYTES - at % SECTOR_BYTES])
            before = bytearray(len(piece))
            self.read(row, at, before)
            self._write(row, at, _both(before, piece))
            done += len(piece)

    def running(self):
        """The row of the partition that runs."""
        if self._running is None:
            self.boot(True)
        return self._running

    def boot(self, soft=False):
        """Do what the bootloader does, which a `soft` reset passes over; OSError where it finds nothing."""
        applications = [row for row in self.table if row[0] == APP]
        chosen = 0
        if self._otadata:
            chosen = self._selected(soft, len(applications))
        for index in list(range(chosen, -1, -1)) + list(range(chosen + 1, len(applications))):
            if soft or self.is_whole(applications[index]):
                self._running = applications[index]
                return
        raise OSError("No bootable app partitions in the partition table")

    def selected(self):
        """The row that the next start is to run, as far as otadata tells."""
        entries = self._entries()
        active = _active(entries)
        if active is None:
            return self.find(APP)
        return self.find(APP, SUBTYPE_OTA_0 + (entries[active][0] - 1) % 2)

    def select(self, row):
        """esp_ota_set_boot_partition"""
        if row[0] != APP:
            raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
        if not self.is_whole(row):
            raise OSError(-0x1503, "ESP_ERR_OTA_VALIDATE_FAILED")
        if not self._otadata:
            raise OSError(-0x105, "ESP_ERR_NOT_FOUND")
        entries, slot = self._entries(), row[1] - SUBTYPE_OTA_0
        active = _active(entries)
        if active is None:
            self._set_entry(0, slot + 1, _NEW)
            return
        sequence = (slot + 1) % 2
        while sequence < entries[active][0]:
            sequence += 2
        self._set_entry(1 - active, sequence, _NEW)

    def following(self, row):
        """The row of the slot behind another, or None where there are no slots."""
        slots = [one for one in self.table if one[0] == APP and one[1] >= SUBTYPE_OTA_0]
        if row in slots:
            return slots[(slots.index(row) + 1) % len(slots)]
        return slots[0] if slots else None

    def confirm(self):
        """esp_ota_mark_app_valid_cancel_rollback"""
        if not self._otadata:
            raise OSError(-0x105, "ESP_ERR_NOT_FOUND")
        entries = self._entries()
        active = _active(entries)
        if active is None:
            raise OSError(-1, "ESP_FAIL")
        if entries[active][1] != _VALID:
            self._set_entry(active, entries[active][0], _VALID)

    def is_whole(self, row):
        """esp_image_verify: of this chip, all segments there, their checksum and the hash right."""
        header = bytearray(_HEADER_BYTES)
        self.read(row, 0, header)
        chip = struct.unpack_from("<H", header, _CHIP_AT)[0]
        if header[0] != _MAGIC or chip != _CHIP or not 0 < header[1] <= 16:
            return False
        digest, checksum, at = hashlib.sha256(header), _CHECKSUM, _HEADER_BYTES
        for _ in range(header[1]):
            segment = bytearray(_SEGMENT_BYTES)
            self.read(row, at, segment)
            size = struct.unpack_from("<I", segment, 4)[0]
            at += _SEGMENT_BYTES
            if at + size > row[3]:
                return False
            data = bytearray(size)
            self.read(row, at, data)
            digest.update(segment)
            digest.update(data)
            checksum ^= _parity(data)
            at += size
        end = bytearray(16 - at % 16)
        self.read(row, at, end)
        digest.update(end)
        stored = bytearray(_HASH_BYTES)
        if header[_HAS_HASH_AT]:
            self.read(row, at + len(end), stored)
        return end[-1] == checksum and (not header[_HAS_HASH_AT] or stored == digest.digest())

    def _selected(self, soft, count):
        """The index of the application that otadata tells to start; changes that as the bootloader does."""
        entries = self._entries()
        if not soft:
            for index in (0, 1):
                if entries[index] and entries[index][1] == _PENDING:
                    self._set_entry(index, entries[index][0], _ABORTED)
            entries = self._entries()
        elif _active(entries) is not None and entries[_active(entries)][1] == _NEW:
            entries[_active(entries)] = None  # it has not been started yet
        active = _active(entries)
        if active is None:
            return 0
        sequence, state = entries[active]
        if state == _NEW:
            self._set_entry(active, sequence, _PENDING)
        return (sequence - 1) % count

    def _entries(self):
        """(sequence, state) of both, None for one that is empty or torn."""
        found = []
        for index in (0, 1):
            data = bytearray(struct.calcsize(_ENTRY))
            self.read(self._otadata, index * SECTOR_BYTES, data)
            sequence, _, state, crc = struct.unpack(_ENTRY, data)
            is_sound = sequence != _NEVER and crc == _crc(sequence)
            found.append((sequence, state) if is_sound else None)
        return found

    def _set_entry(self, index, sequence, state):
        place = index * SECTOR_BYTES
        self.erase(self._otadata, place, SECTOR_BYTES)
        self.program(self._otadata, place, _entry(sequence, state))

    def _write(self, row, at, data):
        half = data[: len(data) // 2]
        self._flash.write(lambda: self._put(row, at, data), torn=lambda: self._put(row, at, half))

    def _put(self, row, at, data):
        try:
            file = self._folder.open(_path(row), "r+b")
        except OSError:
            with self._folder.open(_path(row), "wb") as file:
                file.write(_first(row))
            file = self._folder.open(_path(row), "r+b")
        with file:
            end = file.seek(0, 2)
            if end < at:
                file.write(b"\xff" * (at - end))
            file.seek(at)
            file.write(data)


def image(content, chip=_CHIP):
    """An application in the form of ESP-IDF's, of one segment."""
    header = bytearray(_HEADER_BYTES)
    header[0], header[1], header[3], header[_CHIP_AT], header[_HAS_HASH_AT] = _MAGIC, 1, 0x20, chip, 1
    segment = struct.pack("<II", 0x3F400020, len(content))
    data = bytes(header) + segment + content
    data += bytes(15 - len(data) % 16) + bytes([_CHECKSUM ^ _parity(content)])
    return data + hashlib.sha256(data).digest()


def _path(row):
    return "/" + row[4] + ".bin"


def _first(row):
    """What is in a partition that was never written: the first start of a new chip is over."""
    if row[0] == APP and row[1] in (SUBTYPE_FACTORY, SUBTYPE_OTA_0):
        return image(b"MicroPython of the simulator" * 20)
    if row[:2] == (DATA, SUBTYPE_OTADATA):
        return _entry(1, _VALID)
    return b""


def _entry(sequence, state):
    return struct.pack(_ENTRY, sequence, b"\xff" * 20, state, _crc(sequence))


def _crc(sequence):
    return binascii.crc32(struct.pack("<I", sequence), 0xFFFFFFFF)


def _active(entries):
    """Which of two entries counts, None for neither."""
    active = None
    for index in (0, 1):
        counts = entries[index] and entries[index][1] not in (_INVALID, _ABORTED)
        if counts and (active is None or entries[index][0] > entries[active][0]):
            active = index
    return active


def _parity(data):
    found = 0
    for byte in data:
        found ^= byte
    return found


def _both(one, other):
    """The ones that both have."""
    size = len(one)
    if one == b"\xff" * size:
        return other
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(size, "little")


def _check(row, start, size):
    if start < 0 or start + size > row[3]:
        raise OSError(-0x104, "ESP_ERR_INVALID_SIZE")
