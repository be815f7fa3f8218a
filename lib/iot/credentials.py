"""Certificates and keys in files: one file a set, so that a set is replaced whole or not at all."""

import binascii
import errno
import os
import struct

from micropython import const

_PART = const(">BH")  # length of a part's name, length of its bytes
_PART_SIZE = const(3)
_CHECKSUM = const(">I")  # CRC-32 of all before it, at the end of the file
_CHECKSUM_SIZE = const(4)
_FILE_MAX = const(16384)


class Credentials:
    """Named sets of credentials, each a dictionary of byte strings: certificates and keys in DER or PEM.

    Args:
        folder: path of the folder that holds them; made with the first set.
    """

    def __init__(self, folder):
        self._folder = folder

    def save(self, name, parts):
        """Stores the set `name`: after a cut of power the old or the new one is there (rename is atomic).

        Args:
            name: file name of the set.
            parts: {name: bytes}; names up to 255 bytes, all together up to 16 KiB.

        Raises:
            ValueError: too large.
            OSError: the file system is full or fails.
        """
        size = sum(_PART_SIZE + len(key.encode()) + len(data) for key, data in parts.items())
        if size + _CHECKSUM_SIZE > _FILE_MAX:
            raise ValueError("{}: {} bytes, at most {}".format(name, size, _FILE_MAX - _CHECKSUM_SIZE))
        self._make_folder()
        temporary = self._path(name + ".new")
        checksum = 0
        with open(temporary, "wb") as file:
            for part, data in parts.items():
                key = part.encode()
                for piece in (struct.pack(_PART, len(key), len(data)), key, data):
                    file.write(piece)
                    checksum = binascii.crc32(piece, checksum)
            file.write(struct.pack(_CHECKSUM, checksum))
        os.rename(temporary, self._path(name))

    def load(self, name):
        """The set `name` as {name: bytes}, or None where there is none or it is damaged."""
        try:
            file = open(self._path(name), "rb")  # noqa: SIM115
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return None
        with file:
            size = file.seek(0, 2)
            file.seek(0)
            return _parts(file, size - _CHECKSUM_SIZE)

    def remove(self, name):
        """Removes the set `name` and what a broken-off `save` may have left of it."""
        for path in (self._path(name + ".new"), self._path(name)):
            try:
                os.remove(path)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise

    def _path(self, name):
        return self._folder + "/" + name

    def _make_folder(self):
        try:
            os.stat(self._folder)
        except OSError:
            os.mkdir(self._folder)


def _parts(file, left):
    """The parts in the first `left` bytes of a set's file, or None where it is not whole."""
    parts = []
    checksum = 0
    while left > 0:
        head = file.read(_PART_SIZE)
        if len(head) < _PART_SIZE:
            return None
        key_size, size = struct.unpack(_PART, head)
        left -= _PART_SIZE + key_size + size
        if left < 0:  # a damaged length: it must not be allocated
            return None
        key, data = file.read(key_size), file.read(size)
        for piece in (head, key, data):
            checksum = binascii.crc32(piece, checksum)
        parts.append((key, data))
    if file.read(_CHECKSUM_SIZE) != struct.pack(_CHECKSUM, checksum):
        return None
    return {str(key, "utf-8"): data for key, data in parts}
