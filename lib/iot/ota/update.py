"""The mode OTA: one life asks what the update is, the next one judges it, gets it, and has a third try it.

Each does nothing else: TLS for HTTPS and for MQTT have no room beside each other, nor has one of them in what
the other has left. What is cut off, by power or for want of memory, goes on in the next life where it stood.
"""

import asyncio
import sys

from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.ota import pending, slots

_BUFFER_BYTES = const(4096)
_LEAST_RATE = const(1024)  # bytes a second: slower is a server that holds the device
_BEGIN_MS = const(120000)  # for Wi-Fi, time and the cloud, or the first bytes
_CLOSE_MS = const(20000)
_WINDOW_BYTES = const(8192)  # the same, where it comes over MQTT in any order
_PACKET_BYTES = const(3072)  # and of a message
_PAUSE_MS = const(5000)
_FOR_EVER_S = const(3600)


class Update:
    """Does what waits.

    Args:
        folder, nvs, settings, log: the System's.
        store: called for the Store, which has the root certificates.
        over: called with ("update_over", what has come of it): it is installed, or never will be, or another
            life is to try.
        service: called with "line" for a connection to the cloud (iot.aws.line).
    """

    def __init__(self, folder, nvs, settings, log, store, over, service):
        self._folder = folder
        self._nvs = nvs
        self._settings = settings
        self._log = log
        self._store = store
        self._over = over
        self._service = service
        self._buffer = bytearray(_BUFFER_BYTES)
        self._order = self._version = self._target = None
        self._source = self._get = None  # URL and size, and what brings the file
        self._is_patch = False  # whether what comes is one

    async def check(self):
        """Judges what waits, if the cloud has told of it, while nothing else needs memory; whether there is
        more to be done.
        """
        try:
            self._order = order = pending.load(self._folder)
            if "text" not in order:
                slot = slots.free(self._nvs)
                if slot:  # a version that does not count makes room: an application may have left none
                    slots.prepare(slot, sys.maxsize)
                pending.note(self._folder, order)
                borrow("iot.probation").keep_reason(self._nvs, "")  # what an earlier one has left
                return True
            if order["stream"]:
                self._buffer = bytearray(_WINDOW_BYTES)
            self._target, version, self._source, self._is_patch = await borrow("iot.ota.judge").judge(
                order, self._folder, self._nvs, self._settings, self._log, self._buffer
            )
            if not self._target:
                pending.settle(self._folder, "")
                pending.remove(self._folder)
                self._over("update_over", version)
                return False
            self._version = version
            is_stream = order["stream"] and not self._is_patch
            self._get = borrow("iot.ota.streams" if is_stream else "iot.ota.download").get
            return True
        except (ValueError, OSError) as error:
            self._give_up(error)
        return False

    async def run(self, ready):
        """Does it; `ready` is a coroutine function that returns when there is a network, and a time."""
        try:
            if self._target:
                await self._install(ready)
            else:
                await self._in_time(_BEGIN_MS, self._ask(ready))
        except (OSError, MemoryError) as error:  # the next life has a heap that is whole
            self._log.warning("update", "not all has come: {}: {}", type(error).__name__, error)
            await asyncio.sleep_ms(_PAUSE_MS)
            self._over("update_over", "the update is tried again")
        except ValueError as error:
            self._give_up(error)
        await asyncio.sleep(_FOR_EVER_S)  # the restart ends it

    async def _ask(self, ready):
        """Has the cloud tell what the job asks for: the next life judges it, with a heap that is whole."""
        await ready()
        line = self._service("line")
        try:
            await line.open()
            await line.take_up(self._order)
        finally:
            await within(_CLOSE_MS, line.close())
        order = self._order
        order["asked"] = order["starts"]
        pending.store(self._folder, order)
        self._over("update_over", "the cloud has told what the update is")

    async def _install(self, ready):
        target, version, size = self._target, self._version, self._source[1]
        self._log.info("update", "version {}: {} of {} bytes are there", version, target.start, size)
        try:
            try:
                if target.start < size:
                    limit_ms = _BEGIN_MS + (size - target.start) * 1000 // _LEAST_RATE
                    await self._in_time(limit_ms, self._bring(ready))
            finally:
                target.close()
            if self._is_patch:
                await target.apply()
            last = target.finish()
            if last:  # some have more to do, in turns with the loop
                await last
        except ValueError as error:
            borrow("iot.ota.judge").again(error, self._order, self._folder, self._nvs, self._is_patch)
        pending.remove(self._folder)
        self._over("update_over", "version {} is installed".format(version))

    async def _bring(self, ready):
        await ready()
        (url, size), target, stream = self._source, self._target, self._order["stream"]
        part = target.start, size, self._buffer, target.write
        if not stream or self._is_patch:
            await self._get(url, self._roots, *part)
            return
        line = self._service("line")
        try:
            await line.open(_PACKET_BYTES)
            await self._get(line, stream, *part, self._log)
        finally:
            await within(_CLOSE_MS, line.close())

    def _roots(self):
        return self._store().certificates()["root_ca"], None, None

    async def _in_time(self, limit_ms, coroutine):
        try:
            await asyncio.wait_for_ms(coroutine, limit_ms)
        except asyncio.TimeoutError:
            text = "not done in {} s: less than {} bytes a second, or nothing (slow retrieval)"
            raise OSError(text.format(limit_ms // 1000, _LEAST_RATE))

    def _give_up(self, error):
        self._log.error("update", "given up: {}", error)
        try:
            pending.settle(self._folder, str(error))
            pending.remove(self._folder)
        except OSError as flash_error:
            self._log.error("flash", "{}", flash_error)
        self._over("update_over", "the update has failed")
