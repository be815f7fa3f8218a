"""The mode OTA: checks the update that waits, gets it, puts it into a slot and has the next start try it.

One life does nothing else: TLS for HTTPS and for MQTT have no room beside each other. What is cut off, by
power or for want of memory, goes on in the next life where it stood.
"""

import asyncio
import binascii
import hashlib
import time

from micropython import const

from iot.memory import borrow
from iot.ota import download, pending, slots

_BUFFER_BYTES = const(4096)
_LEAST_RATE = const(1024)  # bytes a second: slower is a server that holds the device
_BEGIN_MS = const(120000)  # for Wi-Fi, time and the first bytes
_PAUSE_MS = const(5000)
_FOR_EVER_S = const(3600)
_STARTS = const(3)  # of a new version, to reach the cloud


class Update:
    """Does what waits.

    Args:
        folder, nvs, settings, log: the System's.
        store: called for the Store, which has the root certificates.
        over: called with ("update_over", what has come of it): it is installed, or never will be, or another
            life is to try.
    """

    def __init__(self, folder, nvs, settings, log, store, over):
        self._folder = folder
        self._nvs = nvs
        self._settings = settings
        self._log = log
        self._store = store
        self._over = over
        self._buffer = bytearray(_BUFFER_BYTES)
        self._manifest = self._url = None

    async def check(self):
        """Judges what waits, while nothing else needs memory; whether there is something to be installed."""
        kept, verify = borrow("iot.ota.kept"), borrow("iot.ota.verify")
        try:
            text, signatures, self._url, again = pending.load(self._folder)
            root = kept.root(self._folder, self._settings, self._log)
            what = "it runs already"
            if not self._url:
                kept.keep_root(self._folder, await verify.next_root(text, signatures, root))
                what = "another root counts"
            elif not self._runs(text.encode()):
                counter, now = kept.counter(self._nvs), time.gmtime()
                self._manifest = await verify.manifest(text, signatures, root, counter, now)
                self._judge(kept, again)
                return True
            pending.remove(self._folder)
            self._over("update_over", what)
        except (ValueError, OSError) as error:
            self._give_up(error)
        return False

    async def run(self, ready):
        """Installs it; `ready` is a coroutine function that returns when there is a network, and a time."""
        try:
            await self._install(ready)
            self._over("update_over", "version {} is installed".format(self._manifest["version"]))
        except (OSError, MemoryError) as error:  # the next life has a heap that is whole
            self._log.warning("update", "not all has come: {}: {}", type(error).__name__, error)
            await asyncio.sleep_ms(_PAUSE_MS)
            self._over("update_over", "the update is tried again")
        except ValueError as error:
            self._give_up(error)
        await asyncio.sleep(_FOR_EVER_S)  # the restart ends it

    def _runs(self, text):
        if slots.manifest(slots.running()) == text:
            return True
        return borrow("iot.ota.partitions").mark(self._nvs) == borrow("iot.ota.request").mark(text)

    def _judge(self, kept, again):
        if kept.is_refused(self._nvs, self._manifest["sha256"]) and not again:
            raise ValueError("it has failed here before; again: true has it tried once more")
        if not slots.free(self._nvs) or borrow("iot.ota.partitions").on_trial(self._nvs):
            raise ValueError("the version that runs is on trial itself")

    def _give_up(self, error):
        self._log.error("update", "given up: {}", error)
        try:
            borrow("iot.probation").keep_reason(self._nvs, str(error))
            pending.remove(self._folder)
        except OSError as flash_error:
            self._log.error("flash", "{}", flash_error)
        self._over("update_over", "the update has failed")

    async def _install(self, ready):
        manifest = self._manifest
        if manifest["kind"] == "image":
            await self._install_image(ready)
            return
        slot, size = slots.free(self._nvs), manifest["size"]
        path, start = slots.prepare(slot, size)
        self._log.info("update", "version {}: {} of {} bytes are there", manifest["version"], start, size)
        if start < size:
            limit_ms = _BEGIN_MS + (size - start) * 1000 // _LEAST_RATE
            try:
                await asyncio.wait_for_ms(self._get(path, start, size, ready), limit_ms)
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

    async def _install_image(self, ready):
        manifest, size = self._manifest, self._manifest["size"]
        target = borrow("iot.ota.image").Target(self._nvs, manifest, self._buffer, self._log)
        start = target.start
        self._log.info("update", "version {}: {} of {} bytes are there", manifest["version"], start, size)
        if start < size:
            limit_ms = _BEGIN_MS + (size - start) * 1000 // _LEAST_RATE
            try:
                await ready()
                get = download.get(self._url, self._roots, start, size, self._buffer, target.write)
                await asyncio.wait_for_ms(get, limit_ms)
            except asyncio.TimeoutError:
                raise OSError("slower than {} bytes a second (slow retrieval)".format(_LEAST_RATE))
            finally:
                target.close()
        target.finish()
        pending.remove(self._folder)

    def _roots(self):
        return (self._store().certificates()["root_ca"],)

    async def _get(self, path, start, size, ready):
        await ready()
        with open(path, "ab") as file:  # noqa: ASYNC230 - there is no other way
            await download.get(self._url, self._roots, start, size, self._buffer, file.write)

    def _digest(self, path):
        digest, room = hashlib.sha256(), memoryview(self._buffer)
        with open(path, "rb") as file:
            while count := file.readinto(room):
                digest.update(room[:count])
        return str(binascii.hexlify(digest.digest()), "ascii")
