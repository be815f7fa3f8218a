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
# The table of an image with two application slots on 4 MB: type, subtype, address, size, label, encrypted.
_PARTITIONS = (
    (1, 2, 0x9000, 0x4000, "nvs", False),
    (1, 0, 0xD000, 0x2000, "otadata", False),
    (1, 1, 0xF000, 0x1000, "phy_init", False),
    (0, 16, 0x10000, 0x180000, "ota_0", False),
    (0, 17, 0x190000, 0x180000, "ota_1", False),
    (1, 129, 0x310000, 0xF0000, "vfs", False),
)


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
    """An esp32.Partition of the image with two application slots, as far as its table goes."""

    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, row):
        self._row = row

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None):
        """The partitions of one type; subtype 0xFF stands for any."""
        return [
            Partition(row)
            for row in _PARTITIONS
            if row[0] == type and subtype in (row[1], 0xFF) and label in (row[4], None)
        ]

    def info(self):
        """(type, subtype, address, size, label, encrypted)"""
        return self._row
