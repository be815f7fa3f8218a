"""The jobs that the rescue does, and what the cloud is told of all others that come."""

import asyncio
import errno
import gc
import os
import sys
import time

from micropython import const

from iot.rescue import link
from iot.rescue.needs import need

_RESTARTS = const("iot-restarts")  # as iot.aws.execution: the next life knows a job by it that has begun it
# Where iot.ota.pending keeps an order, and which job NORMAL tells of in the end.
_UPDATE = const("/certs/update")
_OVER = const("/certs/update.over")
_LOOK_MS = const(600000)  # a notice that is lost freezes nobody
_BUSY_MS = const(5000)
_TRIES = const(6)
_TEXT_MAX = const(800)
_PASSING = const(("RequestThrottled", "InternalError"))


class Jobs:
    """The thing's jobs, one at a time.

    Args:
        rescue: the Rescue.
        name: the thing's.
        root_ca: of the configuration.

    Attributes:
        topics: what a connection listens to, as the normal one does: policies allow that.
    """

    def __init__(self, rescue, name, root_ca):
        self._prefix = "$aws/things/" + name + "/jobs/"
        self.topics = [self._prefix + "notify-next", self._prefix + "+/+/+"]
        self._rescue = rescue
        self._root_ca = root_ca
        self._connection = None
        self._begun = {}  # by job and number: how often this life has tried it
        self._owed = None  # (execution, status, details) that the cloud does not know yet
        self._work = None  # the execution that is to be installed

    async def run(self, connection):
        """Does what comes; returns where a job needs the memory of the connection."""
        self._connection = connection
        try:
            if self._owed:
                await self._tell(*self._owed)
                self._owed = None
                _remove(_UPDATE)
                _remove(_OVER)
            while not self._rescue.is_over():
                found = await self._next()
                if found and await self._do(found):
                    return
                await self._until_notified(_BUSY_MS if found else _LOOK_MS)
        finally:
            self._connection = None

    async def work(self):
        """Installs what is to be, without a connection."""
        found, self._work = self._work, None
        if not found:
            return
        key, rescue = _key(found), self._rescue
        try:
            module, settings = need("iot.rescue.install"), rescue.settings()
            if await module.install(rescue.space, settings, found, self._root_ca, rescue.feed):
                _remove(_UPDATE)
                rescue.leave("the new version is tried", 0)
            self._owe(found, "SUCCEEDED", {})
        except ValueError as error:
            self._owe(found, "FAILED", {"message": str(error)})
        except Exception as error:  # what is broken may raise whatever it likes
            why = "{}: {}".format(type(error).__name__, error)
            link.tell("not installed: {}", why)
            if self._begun[key] >= _TRIES or not isinstance(error, (OSError, MemoryError)):
                self._owe(found, "FAILED", {"message": why})
        gc.collect()

    # What jobs ask for. Each returns whether the connection is to end.

    async def _do(self, found):
        document = found.get("jobDocument")
        document = document if isinstance(document, dict) else {}
        action = document.get("action")
        details = found.get("statusDetails") or {}
        if found.get("status") == "IN_PROGRESS" and action != "OTA" and _key(found) not in self._begun:
            if details.get(_RESTARTS) == "1":
                await self._tell(found, "SUCCEEDED", {})
            else:
                await self._tell(found, "FAILED", {"message": "interrupted: the device is in rescue"})
            return False
        link.tell("job {}: {}", found["jobId"], action)
        if action == "OTA":
            return await self._ota(found, document)
        if action == "reboot":
            self._begun[_key(found)] = 1
            if await self._tell(found, "IN_PROGRESS", {_RESTARTS: "1"}):
                self._rescue.leave("job " + found["jobId"])
        elif action == "factory-reset":
            if await self._tell(found, "SUCCEEDED", {}):
                self._erase()
        elif action == "status":
            await self._tell(found, "SUCCEEDED", self._status())
        else:
            await self._tell(found, "REJECTED", {"reason": "in rescue: OTA, reboot, factory-reset, status"})
        return False

    async def _ota(self, found, document):
        key, rescue = _key(found), self._rescue
        text = document.get("root") or document.get("manifest")
        if not isinstance(text, str):
            await self._tell(found, "REJECTED", {"reason": "a manifest or a root is needed"})
            return False
        try:
            install = need("iot.rescue.install")
            rescue.settings()
            install.settle_trial(rescue.space)
            why = install.has_failed(rescue.space, text) if "root" not in document else None
        except OSError:  # flash
            raise
        except Exception as error:  # Broken, or as bad: another version is to do it, where there is one
            rescue.give_way(error)
            await self._tell(found, "FAILED", {"message": str(error)})
            return False
        if why and not (document.get("again") and found.get("status") == "QUEUED"):
            await self._tell(found, "FAILED", {"message": why})
            _remove(_UPDATE)
            _remove(_OVER)
            return False
        tries = self._begun.get(key, 0)
        if found.get("status") == "IN_PROGRESS" or await self._tell(found, "IN_PROGRESS", {}):
            self._begun[key] = tries + 1
            self._work = found
            return True
        return False

    def _erase(self):
        rescue = self._rescue
        rescue.store().erase()
        need("iot.storage.nvs").set(rescue.space, "reached", 0)
        _remove(_UPDATE)
        _remove(_OVER)
        rescue.leave("configuration and certificate are erased")

    def _status(self):
        told = {"why": self._rescue.why, "uptime_s": str(time.ticks_ms() // 1000)}
        told["slot"] = str(getattr(sys.modules.get("pack"), "slot", 0) & 3)
        told["heap_free"] = str(gc.mem_free())
        try:
            told["version"] = self._rescue.settings().VERSION
            crash = need("iot.storage.rtc").crash()
            if crash:
                told["crash"] = str(crash, "utf-8")
        except Exception as error:  # they may be what is broken
            told["version"] = str(error)
        return told

    # What the cloud is told and asked.

    async def _next(self):
        """The execution that is next, None where none waits."""
        is_good, answer = await self._connection.ask(self._prefix + "$next/get", {})
        if not is_good:
            raise OSError("no jobs: {}".format(answer.get("code")))
        found = answer.get("execution")
        return found if isinstance(found, dict) and "jobId" in found else None

    async def _tell(self, found, status, details):
        """Whether the cloud has taken it; OSError where it may do so later."""
        if status in ("FAILED", "SUCCEEDED", "REJECTED"):
            link.tell("job {}: {} {}", found["jobId"], status, details.get("message", ""))
        document = {"status": status}
        if "executionNumber" in found:
            document["executionNumber"] = found["executionNumber"]
        if details:
            document["statusDetails"] = {name: _text(details[name]) for name in details}
        is_good, answer = await self._connection.ask(self._prefix + found["jobId"] + "/update", document)
        if not is_good:
            link.tell("job {}: {} is not taken: {}", found["jobId"], status, answer.get("code"))
            if answer.get("code") in _PASSING:
                raise OSError(errno.ETIMEDOUT)
        return is_good

    def _owe(self, found, status, details):
        self._owed = found, status, details
        self._rescue.connected()

    async def _until_notified(self, wait_ms):
        """Waits for a word of the cloud's; where nothing comes, for so long at most."""
        start_ms = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), start_ms) < wait_ms and not self._rescue.is_over():
            if await self._connection.listen():
                return
        await asyncio.sleep_ms(0)


def _key(found):
    return found["jobId"], found.get("executionNumber")


def _text(value):
    """As AWS takes it in statusDetails: 1 to 800 characters here, none of which is a control character."""
    value = "".join([letter if " " <= letter <= "~" else " " for letter in str(value)[:_TEXT_MAX]])
    return value or "-"


def _remove(path):
    try:
        os.remove(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
