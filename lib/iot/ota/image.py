"""An image of MicroPython on its way into the partition that does not run, by blocks of 64 KiB.

The file begins with the SHA-256 of each block, so that a wrong one is refused when it has come. What is whole
is found again in the next life by the same list, which a file keeps meanwhile.
"""

import binascii
import hashlib
import os

from micropython import const

from iot.memory import borrow

_LIST = const("/update.blocks")
_BLOCK = const(65536)
_HASH = const(32)
_PAGE = const(4096)  # that flash erases
_MAGIC = const(0xE9)
_CHIP_AT = const(12)  # in an image's header, two bytes
_NO_IMAGE = const(-0x1503)  # ESP_ERR_OTA_VALIDATE_FAILED
_WRONG = const("{}: its hash begins with {}, not with {} (arbitrary software)")


class Target:
    """Where an update's file goes.

    Args:
        space: the system's esp32.NVS.
        manifest: as iot.ota.forms gives it.
        buffer: a bytearray, for reading; where it is a page, 4 KiB, and a list comes, it is the page, too.
        log: the System's.
        is_listed: False where the image comes without the list in front of it: then that is made.

    Attributes:
        start: bytes of the file that flash has already, verified.

    Raises:
        ValueError: the board has no room for it.
        OSError: flash fails.
    """

    def __init__(self, space, manifest, buffer, log, is_listed=True):
        self._space = space
        self._manifest = manifest
        self._buffer = buffer
        self._log = log
        self._is_listed = is_listed
        count, self._list_hash = manifest["blocks"].split()
        self._list = bytearray(int(count) * _HASH)
        self._size = manifest["size"] - len(self._list)  # the image's
        self._is_shared = is_listed and len(buffer) == _PAGE
        self._page = memoryview(buffer if self._is_shared else bytearray(_PAGE))
        self._block = hashlib.sha256()
        partitions = borrow("iot.ota.partitions")
        if partitions.on_trial(space) or borrow("iot.ota.slots").on_trial(space):
            raise ValueError("the version that runs is on trial itself")
        self._partition, self._chip = partitions.other(), bytearray(2)
        partitions.read_running(_CHIP_AT, self._chip)
        room = self._partition.info()[3]
        if self._size > room:
            text = "the image has {} bytes, this board's partition for it {} (wrong software)"
            raise ValueError(text.format(self._size, room))
        self.start = self._at = self._found() if is_listed else 0
        if not is_listed:
            self._at = len(self._list)

    def write(self, view):
        """Takes the file's next bytes; how many of the buffer's first have to stay there until the next.

        ValueError for a block that is not as the list has it, and where the list is not the manifest's;
        OSError where flash fails.
        """
        view = memoryview(view)
        while view:
            view = view[self._take(view) :]
        place = self._at - len(self._list)
        return place % _PAGE if self._is_shared and place > 0 else 0

    def close(self):
        """Nothing is open between two calls."""

    def finish(self):
        """Reads all of it back, and has the next start run it, on trial.

        Raises:
            ValueError: it is not the file of the manifest, or no image.
            OSError: flash fails, or does not give back what was written to it.
        """
        if self._at != len(self._list) + self._size:
            raise ValueError("the file ends too early")
        if not self._is_listed:
            self._check_list()
        whole = hashlib.sha256(self._list)
        wrong = self._read_back(self._size, whole)
        digest = _hex(whole)
        if digest != self._manifest["sha256"]:
            _remove()
            if wrong < self._size:
                raise OSError("block {}: flash does not give back what was written".format(wrong // _BLOCK))
            raise ValueError(_WRONG.format("the file", digest[:16], self._manifest["sha256"][:16]))
        partitions = borrow("iot.ota.partitions")
        try:
            partitions.begin_trial(self._space, self._partition, self._manifest)
        except OSError as error:
            if error.errno != _NO_IMAGE:
                raise
            partitions.end_trial(self._space, False)
            raise ValueError("ESP-IDF does not find an image in it (wrong software)")
        _remove()

    def _found(self):
        """The bytes that an earlier life has left, up to the last block that is whole."""
        try:
            with open(_LIST, "rb") as file:
                file.readinto(self._list)
        except OSError:  # none has
            return 0
        if _hex(hashlib.sha256(self._list)) != self._list_hash:  # it is another's, or torn
            _remove()
            return 0
        return len(self._list) + self._read_back(self._size)

    def _take(self, view):
        """Takes some of the bytes; how many."""
        place = self._at - len(self._list)
        if place < 0:
            count = min(len(view), -place)
            self._list[self._at : self._at + count] = view[:count]
            self._at += count
            if count == -place:
                self._check_list()
                self._keep_list()
            return count
        used = place % _PAGE
        count = min(len(view), _PAGE - used, self._size - place)
        if not count:
            raise ValueError(
                "more than the manifest's {} bytes (endless data)".format(self._manifest["size"])
            )
        self._page[used : used + count] = view[:count]
        self._at += count
        if used + count == _PAGE or place + count == self._size:
            self._write_page(place - used, used + count)
        return count

    def _write_page(self, place, used):
        """Writes a page, and compares the block that it may end."""
        page, number, end = self._page, place // _BLOCK, place + used
        if not place:
            self._check_header(page)
        for at in range(used, _PAGE):
            page[at] = 0xFF
        self._block.update(page[:used])
        self._partition.writeblocks(place // _PAGE, page)
        if end % _BLOCK and end != self._size:
            return
        digest, self._block = self._block.digest(), hashlib.sha256()
        listed = self._list[number * _HASH : (number + 1) * _HASH]
        if not self._is_listed:
            self._list[number * _HASH : (number + 1) * _HASH] = digest
        elif digest != listed:
            begins = [str(binascii.hexlify(bytes(one[:8])), "ascii") for one in (digest, listed)]
            raise ValueError(_WRONG.format("block {}".format(number), *begins))

    def _read_back(self, size, whole=None):
        """The first byte of the image's first block that flash has not as the list has it, `size` for none.

        whole: a hash that gets all of the image; without one the first such block is the last that is read.
        """
        found, room = size, memoryview(self._buffer)[:_PAGE]
        for start in range(0, size, _BLOCK):
            block = hashlib.sha256()
            for at in range(start, min(start + _BLOCK, size), _PAGE):
                page = room[: size - at]
                self._partition.readblocks(at // _PAGE, page, 0)
                block.update(page)
                if whole:
                    whole.update(page)
            number = start // _BLOCK
            if block.digest() != self._list[number * _HASH : (number + 1) * _HASH]:
                found = min(found, start)
                if not whole:
                    break
        return found

    def _check_header(self, page):
        if page[0] != _MAGIC or page[_CHIP_AT : _CHIP_AT + 2] != self._chip:
            raise ValueError("no image for this chip (wrong software)")

    def _check_list(self):
        digest = _hex(hashlib.sha256(self._list))
        if digest != self._list_hash:
            text = "the list of blocks" if self._is_listed else "what the patch makes"
            raise ValueError(_WRONG.format(text, digest[:16], self._list_hash[:16]))

    def _keep_list(self):
        try:
            with open(_LIST, "wb") as file:
                file.write(self._list)
        except OSError as error:  # full, perhaps: what is whole is not found again then
            self._log.warning("update", "{}: {}", _LIST, error)


def _hex(digest):
    return str(binascii.hexlify(digest.digest()), "ascii")


def _remove():
    try:
        os.remove(_LIST)
    except OSError:  # it is not there, or stays until the next image takes its place
        pass
