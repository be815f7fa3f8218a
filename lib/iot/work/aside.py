"""Requests by HTTPS beside MQTT, which where memory has room for one TLS connection steps aside for each.

Imported for the moment and forgotten.
"""

import asyncio
import gc

from micropython import const

from iot import memory
from iot.events import within
from iot.memory import borrow

_READY_MS = const(20000)  # for a network and a time
_BACK_MS = const(20000)  # for MQTT to come back in between two requests
_FLUSH_MS = const(2000)
_BUFFER_BYTES = const(4096)
_PLENTY_BYTES = const(1 << 20)  # only a chip with PSRAM has such a block (iot.heap)


class Aside:
    """The application's way to servers, of a System."""

    def __init__(self, system):
        self._system = system

    async def https(self, method, url, body=None, length=0, headers=None, root_ca=None, into=None):
        """Makes a request by HTTPS (RFC 9112); the server's certificate and name are always verified.

        Without PSRAM MQTT takes its leave for it, and comes back whatever becomes of it: the outbox keeps
        what is published meanwhile. One request goes at a time; others wait for their turn. Where a server
        sends elsewhere, that is its answer. No error tells more of the URL than its host.

        Args:
            method: such as "PUT".
            url: https://HOST/…, of at most 2,500 characters.
            body: bytes; or a function that is called with a view of at most 4 KiB, puts the next bytes at its
                beginning and returns how many, or a coroutine that does.
            length: bytes of the body, where a function brings it.
            headers: a dictionary; those whose value is None are asked of the answer.
            root_ca: certificates to trust, in DER or PEM; None: those of the configuration.
            into: a bytearray for the answer's body; None: the first 1,024 bytes of it are enough.

        Returns:
            The status; a dictionary of the headers that were asked for and came, in small letters; and the
            body, bytes or a view of `into`.

        Raises:
            ValueError: it cannot be asked, the server is not trusted, or its answer is no HTTP: to ask again
                is of no use.
            OSError: there is no connection, it is cut, or stands still.
            RuntimeError: there is no cloud in this mode.
        """
        system = self._system
        cloud = system.cloud
        if cloud is None:
            raise RuntimeError("no cloud in mode " + system.mode)
        if isinstance(root_ca, str):
            root_ca = root_ca.encode()

        def load():
            return root_ca or system.store().certificates()["root_ca"], None, None

        turn, turns = asyncio.Event(), cloud.turns
        turns.append(turn)
        try:
            if turns[0] is not turn:
                await turn.wait()
            if not await within(_READY_MS, system.clock.ready()):
                raise OSError("no network, or no time")
            request = method, url, load, body, length, headers, into
            if memory.idf_largest() > _PLENTY_BYTES:
                return await borrow("iot.https").request(bytearray(_BUFFER_BYTES), *request)
            await self._until_calm(cloud.client)
            return await self._instead(cloud, request)
        finally:
            turns.remove(turn)
            if turns:
                turns[0].set()

    async def _until_calm(self, client):
        """Gives MQTT its time: to come back from the last one, and for what is on its way."""
        try:
            if not client.connected:
                await self._system.events.wait("cloud_up", _BACK_MS)
            await client.flush(_FLUSH_MS)
            await within(_FLUSH_MS, client.ping())  # PUBACKs go before it: else it all came again
        except Exception:  # the connection has ended, or there is none after all
            pass

    async def _instead(self, cloud, request):
        """Makes the request while the task `cloud` is none of the system's, and begins that anew."""
        system = self._system
        if system.event or system.cloud is not cloud or "cloud" not in system.tasks:
            raise OSError("the way to the cloud ends")
        gone = asyncio.Event()
        ending = asyncio.create_task(self._end(cloud.client, system.tasks.pop("cloud"), gone))
        try:
            await gone.wait()
            system.tell("connecting", True)  # commands wait: memory has room for no more
            cloud.opener.context = None  # its certificates have no room beside another's
            framer = cloud.client.inbox.framer
            framer.reset()
            return await borrow("iot.https").request(framer.room()[:_BUFFER_BYTES], *request)
        finally:
            while not ending.done():
                try:
                    await gone.wait()
                except asyncio.CancelledError:  # once more: it is on its way
                    pass
            gc.collect()
            if system.cloud is cloud:  # else the mode has ended meanwhile
                system.tell("connecting", False)
                system.tasks["cloud"] = asyncio.create_task(cloud.run())

    async def _end(self, client, task, gone):
        """A task of its own: who waits for `gone` may be cancelled, and this is not."""
        try:
            if client.connected:
                await client.disconnect()
            task.cancel()  # it may be about to connect
            await task
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self._system.log.exception("cloud", "died", error)
        finally:
            gone.set()
