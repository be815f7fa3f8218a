"""An image, or a pack, that comes as a patch to the one that runs (iot.ota.delta).

The patch lies in a file until it is whole: so its arithmetic has no TLS beside it, and a cut costs none of
its bytes. It is not signed: what is wrong with it is a reason to get the whole file, never to give up.
"""

import asyncio
import os

from micropython import const

from iot.memory import borrow

_FILE = const("/update.patch")
_HASH = const(32)
_HEAD = const(16)  # hexadecimal digits of two hashes that stand before the patch in its file


class Patched:
    """As the Target of iot.ota.image or iot.ota.app, but `write` takes the patch, and `apply` comes then.

    Args:
        delta: `base`, the SHA-256 of what it is for, in hexadecimal, and `size` of the patch.
        the others: as for Target.

    Raises:
        ValueError: something else runs, or there is no room; and as Target does.
        OSError: flash fails.
    """

    def __init__(self, space, manifest, buffer, log, delta):
        kind, size = manifest["kind"], manifest["size"]
        digest = borrow("iot.ota.base").digest(kind, buffer)
        if digest != delta["base"]:
            raise ValueError("it is for {}, {} runs".format(delta["base"][:16], digest[:16]))
        target = borrow("iot.ota.image" if kind == "image" else "iot.ota.app").Target
        self._target = target(space, manifest, buffer, log, False)
        head = (digest[:_HEAD] + manifest["sha256"][:_HEAD]).encode()  # whose patch it is
        self.start, self._size, needed = _left(head, delta["size"]), size, delta["size"]
        if kind == "image":  # in a partition; before its file is a list of hashes, which no patch makes
            self._size -= int(manifest["blocks"].split()[0]) * _HASH
        else:
            needed += size
        borrow("iot.ota.slots").demand(needed - self.start)
        self._kind, self._buffer = kind, buffer
        self._file = open(_FILE, "ab")  # noqa: SIM115 - until it is closed
        if not self.start:
            self._file.write(head)

    def write(self, view):
        """Takes what follows."""
        self._file.write(view)

    def close(self):
        """What was written is in flash; to be called in any case."""
        self._file.close()

    async def apply(self):
        """Makes it, in turns with the loop. ValueError where it is no patch; OSError: flash fails."""
        read, size = borrow("iot.ota.base").opened(self._kind)
        patch = borrow("iot.ota.delta").Patch(read, self._target.write, size, self._size)
        room = memoryview(self._buffer)
        with open(_FILE, "rb") as file:  # noqa: ASYNC230 - there is no other way
            file.seek(2 * _HEAD)
            while count := file.readinto(room):
                view = room[:count]
                while view or patch.is_busy:
                    view = view[patch.step(view) :]
                    await asyncio.sleep_ms(0)
        patch.finish()
        self._target.close()

    def finish(self):
        """As Target's; ValueError where something else came out than what is signed."""
        remove()
        self._target.finish()


def remove():
    """Nothing of a patch is left."""
    try:
        os.remove(_FILE)
    except OSError:  # it was not there, or the next one takes its place
        pass


def _left(head, size):
    """Bytes of the patch that an earlier life has left; what is no part of it is removed."""
    try:
        start = os.stat(_FILE)[6] - len(head)
        with open(_FILE, "rb") as file:
            if 0 < start <= size and file.read(len(head)) == head:
                return start
    except OSError:  # there is none
        pass
    remove()
    return 0
