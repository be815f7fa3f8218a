"""The mode OTA: gets the update that waits, puts it into a slot and has the next start try it.

One life does nothing else: TLS for HTTPS and for MQTT have no room beside each other. What is cut off, by
power or for want of memory, goes on in the next life where it stood.
"""

import asyncio
import binascii
import hashlib

from micropython import const

from iot.memory import borrow
from iot.ota import download, pending, slots

_BUFFER_BYTES = const(4096)
_LEAST_RATE = const(1024)  # bytes a second: slower is a server that holds the device
_BEGIN_MS = const(120000)  # for Wi-Fi, time and the first bytes
_PAUSE_MS = const(5000)
_STARTS = const(3)  # of a new version, to reach the cloud


class Update:
    """Installs the update that waits.

    Args:
        folder, nvs, log: the System's.
        load: as for iot.tls.Opener.
    """

    def __init__(self, folder, nvs, log, load):
        self._folder = folder
        self._nvs = nvs
        self._log = log
        self._load = load
        self._buffer = bytearray(_BUFFER_BYTES)

    async def run(self, ready):
        """Until it is installed, or never will be, or another life is to try; returns what has come of it.

        ready: coroutine function that returns when there is a network, and a time.
        """
        try:
            manifest, url = pending.load(self._folder)
            try:
                await self._install(manifest, url, ready)
                return "version {} is installed".format(manifest["version"])
            except (OSError, MemoryError) as error:  # the next life has a heap that is whole
                self._log.warning("update", "not all has come: {}: {}", type(error).__name__, error)
                await asyncio.sleep_ms(_PAUSE_MS)
                return "the update is tried again"
        except (ValueError, OSError) as error:
            self._log.error("update", "given up: {}", error)
            borrow("iot.probation").keep_reason(self._nvs, str(error))
            pending.remove(self._folder)
            return "the update has failed"

    async def _install(self, manifest, url, ready):
        slot, size = slots.free(self._nvs), manifest["size"]
        path, start = slots.prepare(slot, size)
        self._log.info("update", "version {}: {} of {} bytes are there", manifest["version"], start, size)
        if start < size:
            limit_ms = _BEGIN_MS + (size - start) * 1000 // _LEAST_RATE
            try:
                await asyncio.wait_for_ms(self._get(url, path, start, size, ready), limit_ms)
            except asyncio.TimeoutError:
                raise OSError("slower than {} bytes a second (slow retrieval)".format(_LEAST_RATE))
        digest = self._digest(path)  # of what flash has: not all that is written can be read
        if digest != manifest["sha256"]:
            slots.clear(slot)
            text = "the file's hash begins with {}, not with {} (arbitrary software)"
            error = ValueError if not start else OSError  # what an earlier life has left may be torn
            raise error(text.format(digest[:16], manifest["sha256"][:16]))
        slots.seal(slot, manifest["text"])
        slots.begin_trial(self._nvs, slot, _STARTS)
        pending.remove(self._folder)

    async def _get(self, url, path, start, size, ready):
        await ready()
        with open(path, "ab") as file:  # noqa: ASYNC230 - there is no other way
            await download.get(url, self._load, start, size, self._buffer, file.write)

    def _digest(self, path):
        digest, room = hashlib.sha256(), memoryview(self._buffer)
        with open(path, "rb") as file:
            while count := file.readinto(room):
                digest.update(room[:count])
        return str(binascii.hexlify(digest.digest()), "ascii")
