"""Where versions of the firmware are: the factory's in `/`, updates in `/a` and `/b`. lib/pack.py starts one.

A number in NVS decides: from its lowest bit, the slot that counts in 2 bits, the one on trial in 2, the
starts that are left for that in 6, and how often all that has changed. It is there twice, since a cut of
power may take the one that is being written: the larger one is right, the smaller is written over.

A slot is whole while its manifest is: that is written last and removed first, with a checksum at its end. All
of this raises OSError where flash fails.
"""

import binascii
import errno
import os
import sys

from micropython import const

from iot.storage import nvs

_KEYS = const("boot0 boot1")
_MOST = const(0x3FFFFFFF)  # a million changes: beyond that it is none that was written here
_PACK = const("firmware.pack")
_MANIFEST = const("manifest")
_NEW = const("manifest.new")
_FOLDERS = const(("/", "/a/", "/b/"))
_BESIDE_BYTES = const(4096)  # a block, for the manifest beside a file


def running():
    """The slot that this life runs from: 0 for the factory's version, and where modules are single files."""
    return getattr(sys.modules.get("pack"), "slot", 0) & 3


def on_trial(space):
    """The slot that is on trial, 0 for none: where it is not the one that runs, its trial has failed.

    space: the system's esp32.NVS, as everywhere here.
    """
    return (max(_numbers(space)) >> 2 & 3) % 3  # 3 is none that was written here


def free(space):
    """The slot for the next version, neither the one that runs nor the one that counts; 0 for none: that is
    so while the one that runs is on trial, and another counts.
    """
    taken = 0, running(), max(_numbers(space)) & 3
    return 1 if 1 not in taken else 2 if 2 not in taken else 0


def path(slot):
    """Where a slot has its pack."""
    return _FOLDERS[slot] + _PACK


def demand(size):
    """Raises ValueError unless flash has room for so many bytes more, and for what comes beside them."""
    info = os.statvfs("/")
    free_bytes = info[0] * info[3]
    if size + _BESIDE_BYTES > free_bytes:
        text = "flash: {} bytes are free, {} are needed"
        raise ValueError(text.format(free_bytes, size + _BESIDE_BYTES))


def prepare(slot, size):
    """How many of a pack's `size` bytes are there: a slot that was not sealed is gone on with, any other is
    made empty, and with a size of -1 that one, too.
    """
    try:
        start = os.stat(path(slot))[6]
        if start <= size and _MANIFEST not in os.listdir(_FOLDERS[slot]):
            return start
    except OSError:  # nothing is there
        pass
    clear(slot)
    return 0


def clear(slot):
    """Makes a slot empty, with a folder."""
    folder = _FOLDERS[slot]
    try:
        os.mkdir(folder[:-1])
    except OSError:  # it is there, or the first file will tell
        pass
    for name in (_MANIFEST, _NEW, _PACK):
        _remove(folder + name)


def seal(slot, manifest):
    """Makes what was written to a slot a version that can start.

    manifest: the bytes that were signed; a line in them has the pack's size.
    """
    folder = _FOLDERS[slot]
    with open(folder + _NEW, "wb") as file:  # closed before it is renamed: littlefs keeps what is not
        file.write(manifest)
        file.write(b"crc %08x\n" % binascii.crc32(manifest))
    os.rename(folder + _NEW, folder + _MANIFEST)


def manifest(slot):
    """The manifest of a slot, as `seal` was given it, None where that is not whole."""
    try:
        with open(_FOLDERS[slot] + _MANIFEST, "rb") as file:
            text = file.read()
        is_whole = text[-13:] == b"crc %08x\n" % binascii.crc32(text[:-13])
        return text[:-13] if is_whole else None
    except OSError:
        return None


def begin_trial(space, slot, starts):
    """Has the next `starts` starts, 1 to 63, run a slot; after them the one that counts."""
    _change(space, 0x3FC, starts << 4 | slot << 2)


def end_trial(space, is_kept):
    """The slot on trial counts from now on, or is never tried again."""
    slot = on_trial(space)
    if slot:
        _change(space, 0x3FF if is_kept else 0x3FC, slot if is_kept else 0)


def _numbers(space):
    return [nvs.get_i32(space, key) for key in _KEYS.split()]


def _change(space, mask, bits):
    numbers = _numbers(space)
    state = max(numbers)
    if state > _MOST:
        for key in _KEYS.split():
            nvs.erase_key(space, key)
        numbers, state = [0, 0], 0
    older = 0 if state == numbers[1] else 1
    nvs.set(space, _KEYS.split()[older], (state & ~mask | bits) + 0x400)


def _remove(path):
    try:
        os.remove(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
