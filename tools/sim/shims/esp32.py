"""`esp32` of the simulated chip: NVS in a folder, and the IDF heap as the world says."""

import _flash
import _world

HEAP_DATA = 4
HEAP_EXEC = 1

_NOT_FOUND = (-0x1102, "ESP_ERR_NVS_NOT_FOUND")
_NOT_ENOUGH_SPACE = (-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
_KEY_TOO_LONG = (-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
_INVALID_LENGTH = (-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
_NAME_LIMIT = 15
_ENTRIES = 3 * 126  # a 16 KiB partition: four pages, one always free for garbage collection
_I32, _BLOB = 0, 1  # first byte of a stored value
_ENOENT = 2
_BLOCK_BYTES = 4096
_BLOCK_COUNT, _BLOCK_SIZE, _BLOCK_ERASE = 4, 5, 6  # requests to a block device
_IOCTLS = (1, 2, 3, _BLOCK_ERASE)


class NVS:
    """A namespace of the non-volatile storage.

    What is set is read back at once, but is safe only once committed: until then a reset loses it (as
    ESP-IDF's documentation allows), and a power cut in the write of a key loses that key.
    """

    def __init__(self, namespace):
        if len(namespace) > _NAME_LIMIT:
            raise OSError(*_KEY_TOO_LONG)
        self._flash = _flash.current[0]
        self._namespace = namespace

    def set_i32(self, key, value):
        if not -0x80000000 <= value <= 0x7FFFFFFF:
            raise OverflowError("overflow converting long int to machine word")
        self._set(key, bytes([_I32]) + (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def get_i32(self, key):
        value = int.from_bytes(self._get(key, _I32), "little")
        return value - (1 << 32) if value & 0x80000000 else value

    def set_blob(self, key, value):
        self._set(key, bytes([_BLOB]) + bytes(memoryview(value)))

    def get_blob(self, key, buffer):
        value = self._get(key, _BLOB)
        if len(value) > len(buffer):
            raise OSError(*_INVALID_LENGTH)
        memoryview(buffer)[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        self._load(key)
        self._change(key, None)

    def commit(self):
        for name, key in [place for place in self._flash.uncommitted if place[0] == self._namespace]:
            data = self._flash.uncommitted[name, key]
            self._commit_key(key, data)
            del self._flash.uncommitted[name, key]

    def _commit_key(self, key, data):
        self._flash.write(lambda: self._store(key, data), torn=lambda: self._store(key, None))

    def _set(self, key, data):
        if len(key) > _NAME_LIMIT:
            raise OSError(*_KEY_TOO_LONG)
        if _entries(data) > _ENTRIES - self._used():  # the old value stays until the new one is whole
            raise OSError(*_NOT_ENOUGH_SPACE)
        self._change(key, data)

    def _change(self, key, data):
        place = (self._namespace, key)
        self._flash.write(
            lambda: self._flash.uncommitted.update({place: data}),
            torn=lambda: self._store(key, None),
            after=lambda: self._store(key, data),
        )

    def _get(self, key, kind):
        data = self._load(key)
        if data[0] != kind:
            raise OSError(*_NOT_FOUND)
        return data[1:]

    def _load(self, key):
        if len(key) > _NAME_LIMIT:
            raise OSError(*_KEY_TOO_LONG)
        place = (self._namespace, key)
        if place in self._flash.uncommitted:
            data = self._flash.uncommitted[place]
            if data is None:
                raise OSError(*_NOT_FOUND)
            return data
        try:
            with self._flash.nvs.open("/" + self._namespace + "/" + key, "rb") as file:
                return file.read()
        except OSError:
            raise OSError(*_NOT_FOUND) from None

    def _store(self, key, data):
        """Write, or for None erase, a key so that a kill at any moment leaves the old or the new value."""
        nvs, folder = self._flash.nvs, "/" + self._namespace
        try:
            nvs.mkdir(folder)
        except OSError:
            pass  # there already
        path = folder + "/" + key
        if data is None:
            try:
                nvs.remove(path)
            except OSError:
                pass  # was never written
            return
        with nvs.open("/.new", "wb") as file:
            file.write(data)
        nvs.rename("/.new", path)

    def _used(self):
        sizes = {}
        for entry in self._flash.nvs.ilistdir("/"):
            if entry[1] == 0x4000:
                for value in self._flash.nvs.ilistdir("/" + entry[0]):
                    sizes[entry[0], value[0]] = self._flash.nvs.stat("/" + entry[0] + "/" + value[0])[6]
        for place, data in self._flash.uncommitted.items():
            sizes[place] = len(data) if data else 0
        return sum(_entries_of(size) for size in sizes.values())


def idf_heap_info(capabilities):
    """(total, free, largest free block, lowest free ever) in bytes of each region of the IDF heap."""
    return [tuple(region) for region in _world.call("heap")]


def raw_temperature():
    """What the chip's own thermometer shows: about degrees Fahrenheit, off by what each chip is."""
    return round(_world.call("part", "temperature") * 9 / 5 + 32)


def _mcu_temperature():  # `mcu_temperature`, which all chips but the ESP32 have in place of the other
    return int(_world.call("part", "temperature") + 0.5)


def _entries(data):
    return _entries_of(len(data))


def _entries_of(size):
    """32-byte entries that a value takes: an i32 one, a blob its data, a header and an index."""
    return 1 if size <= 5 else 2 + (size + 31) // 32


class Partition:
    """A partition of the flash; of all but those for applications, only what the table says."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=_BLOCK_BYTES):
        self._all = _flash.current[0].partitions
        self._block_bytes = block_size
        if isinstance(id, str):
            self._row = self._all.find(label=id)
        elif id in (Partition.BOOT, Partition.RUNNING):
            self._row = self._all.running() if id else self._all.selected()
        else:
            raise ValueError
        if not self._row:
            raise OSError(_ENOENT, "ENOENT")

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None):
        """The partitions of one type; subtype 0xFF stands for any."""
        return [
            Partition(row[4])
            for row in _flash.current[0].partitions.table
            if row[0] == type and subtype in (row[1], 0xFF) and label in (row[4], None)
        ]

    def info(self):
        """(type, subtype, address, size, label, encrypted)"""
        return self._row

    def readblocks(self, block_num, buf, offset=0):
        self._all.read(self._row, block_num * self._block_bytes + offset, buf)

    def writeblocks(self, block_num, buf, offset=None):
        place = block_num * self._block_bytes + (offset or 0)
        data = memoryview(buf)
        if offset is None:
            self._all.erase(self._row, place, len(data))
        self._all.program(self._row, place, data)

    def ioctl(self, op, arg=0):
        if op == _BLOCK_COUNT:
            return self._row[3] // self._block_bytes
        if op == _BLOCK_SIZE:
            return self._block_bytes
        if op == _BLOCK_ERASE:
            self._all.erase(self._row, arg * self._block_bytes, self._block_bytes)
        return 0 if op in _IOCTLS else None

    def set_boot(self):
        self._all.select(self._row)

    def get_next_update(self):
        row = self._all.following(self._row)
        if not row:
            raise OSError(_ENOENT, "ENOENT")
        return Partition(row[4])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        _flash.current[0].partitions.confirm()
