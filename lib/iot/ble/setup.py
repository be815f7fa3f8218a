"""Setting a device up: what its phone is told, and the work that takes longer than an answer."""

import asyncio
import json

from micropython import const

from iot.ble.codes import NAMES, Refused
from iot.ble.requests import CONFIG, STATUS, committed
from iot.memory import borrow

_DETAIL_MAX = const(256)  # characters: a path holds names of members, which may be of any length
_NAME_OF = {"json": "INVALID_JSON", "missing": "MISSING_ELEMENTS", "value": "INVALID_VALUE"}


class Setup:
    """Looks for networks and carries out commits, one after the other, in `run`.

    Args:
        facts: {"mode", "id", "version"}, and perhaps "error", why the last configuration failed.
        send: coroutine function (channel, plaintext) for a phone that has proved itself; without one it does
            nothing. OSError where that is gone.
        scan: coroutine function; returns the networks heard, or raises OSError.
        join: coroutine function; tries {"ssid", "password"}, returns a result code, and that in words.
        save: stores a validated document; OSError where it fails.
        done: called when all is stored and the phone was told.
        log: a Log.

    Attributes:
        committing: whether a commit is under way.
    """

    def __init__(self, facts, send, scan, join, save, done, log):
        self._document = None
        self.committing = False
        self._to_phone, self._scan, self._join, self._save = send, scan, join, save
        self._done, self._log = done, log
        self._status = {"scanning": False, "networks": [], "progress": {"step": "idle"}, "error": None}
        self._status.update(facts)
        self._scan_asked = False
        self._radio = asyncio.Lock()
        self._work = asyncio.Event()

    @property
    def document(self):
        """What has come of the configuration. Its code is in memory from its beginning to its end."""
        if self._document is None:
            self._document = borrow("iot.ble.document").Document()
        return self._document

    def status(self):
        """All members of the status."""
        return self._status

    def begin_scan(self):
        """Has the networks looked for, soon."""
        self._scan_asked = True
        self._work.set()

    def begin_commit(self):
        """Has the document carried out, soon."""
        self.committing = True
        self._work.set()

    def received(self):
        """Notes how much of the document is there; the phone knows it by the answer."""
        self._status["progress"] = {"step": "receiving", "at": self.document.at, "size": self.document.size}

    async def run(self):
        """Does what was asked for, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            if self._scan_asked:
                self._scan_asked = False
                await self.alone(self._look_around)
            if self.committing:
                await self.alone(self._commit)

    async def alone(self, work, *arguments):
        """Carries out what uses the radio once nothing else does, and returns its result."""
        async with self._radio:
            return await work(*arguments)

    async def _look_around(self):
        await self._push(scanning=True)
        networks = self._status["networks"]
        try:
            networks = await self._scan()
        except (OSError, MemoryError) as error:
            self._log.warning("wifi", "no scan: {}", error)
        await self._push(scanning=False, networks=networks)

    async def _commit(self):
        try:
            document = await self._check()
            await self._try_networks(document["wifi"])
            await self._progress(step="storing")
            self._store(document)
        except (Refused, MemoryError) as error:
            if isinstance(error, MemoryError):
                error = Refused("UNKNOWN_FAILURE", "no memory")
            self._log.warning("setup", "{}", error)
            told = {"code": NAMES.index(error.name), "name": error.name, "detail": error.detail}
            await self._push(progress={"step": "idle"}, error=told)
            self.committing = False  # the phone may come back at once
            await self._send(CONFIG, committed(error.name, error.detail, **error.extra))
            return
        await self._push(progress={"step": "restarting"}, error=None)
        await self._send(CONFIG, committed("CONFIG_DONE"))
        self.committing = False
        self._done()

    async def _check(self):
        await self._progress(step="checking")
        text = self.document.whole()
        try:
            return borrow("iot.config").parse(text)
        except ValueError as error:  # a ConfigError, but of a section's own copy of iot.sections.fields
            self._document = None  # the next one is another
            raise Refused(_NAME_OF[getattr(error, "kind", "value")], str(error)[:_DETAIL_MAX])
        except MemoryError:  # many small objects take many times the memory of their text
            self._document = None
            raise Refused("TOO_LARGE", "no memory to read it")

    async def _try_networks(self, networks):
        """Refused as the first network refuses, where none lets the device in."""
        first = None
        for network in networks:
            await self._progress(step="joining", ssid=network["ssid"])
            result, words = await self._join(network)
            if not result:
                return
            first = first or (NAMES[result], words)
        raise Refused(*first)

    def _store(self, document):
        try:
            self._save(document)
        except (OSError, ValueError, MemoryError) as error:
            raise Refused("STORAGE_FAILED", str(error)[:_DETAIL_MAX])
        self._document = None

    async def _progress(self, **progress):
        await self._push(progress=progress)

    async def _push(self, **members):
        self._status.update(members)
        await self._send(STATUS, json.dumps(members).encode())

    async def _send(self, channel, plaintext):
        try:
            await self._to_phone(channel, plaintext)
        except (OSError, MemoryError) as error:  # the phone is gone; what it asked for is done all the same
            self._log.debug("ble", "not sent: {}", error)
