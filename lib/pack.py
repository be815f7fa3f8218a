"""One file that holds many modules, as a file system: finding them one by one takes longer than all else.

tools/board/pack.py makes the file: "PAC2"; the bits of deflate's window; how many times 16 bytes the
dictionary has; the index's size in 2 bytes; the index, of 7 bytes for each file and folder: CRC-32 of its
path in 4, its offset, 0 for a folder, in 3; the files. Numbers are big-endian. An offset's highest bit says
that the file is deflated (RFC 1951), as all are but the dictionary: that has the first record, and the files
behind it refer back into it. Before, a pack began with "PACK" and two zeros, had a window of 9 bits and no
dictionary. An update brings a pack and never this reader: what begins otherwise is refused.
"""

import binascii
import os
import sys

import deflate
from micropython import const

_MOUNT = const("/pack")
_RECORD_SIZE = const(7)
_ENOENT = const(2)
_DEFLATED = const(0x800000)
_OLD_WINDOW_BITS = const(9)
_UNIT_SIZE = const(16)
_FOLDER = const(0x4000)
_FILE = const(0x8000)
_BUILT_IN = const("binascii errno hashlib io json machine os random socket struct time")
# Of the factory's version, and of the two that updates bring.
_PACKS = const("/firmware.pack /a/firmware.pack /b/firmware.pack")
_KEYS = const("boot0 boot1")


class Pack:
    """A read-only file system of modules.

    One open file is enough: an import reads a module to its end before it runs it.

    Attributes:
        mounted: the one that is, of the class.
        index: its bytes, which may be moved (iot.bt_memory).
        alias: "/iot/thing" has `import module` find that (iot.memory); None where a copy may win.
    """

    mounted = None  # type: Pack | None
    alias = ""  # type: str | None

    def __init__(self, file, index, window_bits, units):
        self._file = file
        self.index = index
        self._window_bits = window_bits
        self._dictionary = int.from_bytes(index[4:_RECORD_SIZE], "big")
        self._units = units
        self._unit = bytearray(_UNIT_SIZE)

    def mount(self, readonly, mkfs):
        pass

    def stat(self, path):
        return (_FILE if self._find(path) else _FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def open(self, path, mode):
        place = self._find(path) & ~_DEFLATED
        stream = deflate.DeflateIO(self._file, deflate.RAW, self._window_bits)
        if place > self._dictionary:
            # DeflateIO takes no dictionary. But this one is a stored block, and not the last of its stream:
            # such a block ends with a byte, and DeflateIO asks for each when it needs it, never before. So
            # once all of it is read, it is in the window, and the next block is taken from where the file
            # then stands.
            self._file.seek(self._dictionary)
            for _ in range(self._units):
                stream.readinto(self._unit)
        self._file.seek(place)  # where it nearly is already, that costs nothing
        return stream

    def _find(self, path):
        if self.alias and path[:8] == "/module.":
            path = self.alias + path[7:]
        key = binascii.crc32(path[1:]).to_bytes(4, "big")
        at = self.index.find(key)
        while at % _RECORD_SIZE:  # found across two records, or at -1
            if at < 0:
                raise OSError(_ENOENT)
            at = self.index.find(key, at + 1)
        return int.from_bytes(self.index[at + 4 : at + _RECORD_SIZE], "big")


def start():
    """Has modules imported from the pack of the version that is due, or if that is none, of the factory's.

    Works once. Returns the slot that it is, 0 for the factory's, plus four times the slot that is on trial
    (iot.ota.slots). OSError where there is no pack; otherwise errors as with `mount`.
    """

    def _is_whole(path):
        """Whether the manifest beside a pack is as it was written, and has the pack's size."""
        try:
            with open(path.replace("firmware.pack", "manifest"), "rb") as file:
                text = file.read()
            size = int(text[text.index(b"\nsize ") + 6 :].split(b"\n", 1)[0])
            return text[-13:] == b"crc %08x\n" % binascii.crc32(text[:-13]) and size == os.stat(path)[6]
        except (OSError, ValueError):
            return False

    def _due():
        """The slot on trial, while it has starts left, or the one that counts; plus four times the former."""
        import esp32

        nvs = esp32.NVS("iot")
        numbers = []
        for key in _KEYS.split():
            try:
                numbers.append(nvs.get_i32(key))
            except OSError:
                numbers.append(0)
        state = max(numbers)
        found = state & 3
        if state & 0x3F0:  # one start less is left
            nvs.set_i32(_KEYS.split()[state == numbers[0]], state + 0x400 - 0x10)
            nvs.commit()
            found = state >> 2 & 3
        if found == 3 or (found and not _is_whole(_PACKS.split()[found])):
            print("pack: slot {} is not whole".format(found))
            found = 0
        return state & 12 | found

    slot = 0
    try:
        slot = _due()
        if slot & 3:
            mount(_PACKS.split()[slot & 3])
    except Exception as error:  # of NVS, or whatever an update has brought
        sys.print_exception(error)
        slot &= 12
    if not slot & 3:
        mount(_PACKS.split()[0])
    del globals()["start"]
    return slot


def mount(path):
    """Has modules imported from the pack at `path` first. Works once: then this code gives up its memory.

    Each look at a folder in flash costs tens of milliseconds, so there are few.

    Raises ValueError where it is no pack, or one of a form that is not known here.
    """
    file = open(path, "rb")  # noqa: SIM115
    head = file.read(8)
    if head[:4] not in (b"PAC2", b"PACK"):
        raise ValueError("{}: no pack: it begins with {}".format(path, head[:4]))
    index = file.read(int.from_bytes(head[6:], "big"))
    try:
        files = [name.partition(".")[0] for name in os.listdir("/lib")]
    except OSError:  # nobody has copied anything
        files = []
    Pack.mounted = choice(files)(file, index, head[4] or _OLD_WINDOW_BITS, head[5])
    os.mount(Pack.mounted, _MOUNT)
    # A built-in module that is not in sys.modules is looked for in all of sys.path at each import.
    others = sys.path[:]
    sys.path[:] = (_MOUNT,)  # where that is quick
    for name in _BUILT_IN.split():
        if name not in files:  # else that one stands for it
            sys.modules[name] = __import__(name)
    sys.path.extend(others)
    del globals()["mount"], globals()["choice"]


def choice(files):
    """Pack, or where a developer has copied modules to the board, a kind of it in which those win.

    So lib/iot/thing.py comes in place of iot/thing.mpy. That costs time, and most devices have none.
    """

    def find(path):
        try:
            os.stat(path)
        except OSError:
            return False
        return True

    def copy(path):
        return path if path.startswith("/firmware") else "/lib" + path

    class Copies(Pack):
        alias = None if "iot" in files else ""

        def stat(self, path):
            return os.stat(copy(path)) if find(copy(path)) else super().stat(path)

        def open(self, path, mode):
            return open(copy(path), mode) if find(copy(path)) else super().open(path, mode)

    return Copies if "iot" in files or "aioble" in files or find("/firmware") else Pack
