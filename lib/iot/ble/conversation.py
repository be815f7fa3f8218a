"""One phone's connection: frames in, answers out. Knows the session and the requests, but no Bluetooth."""

import asyncio

from micropython import const

from iot.ble.codes import Refused, number
from iot.ble.frames import MESSAGE_MAX, Assembler
from iot.ble.requests import AUTH, refused

_REFUSED = const(0xFF)
_HELLO_SIZE = const(67)  # before the proof nothing longer is kept


class Ended(Exception):
    """The connection shall end; the text says why."""


class Conversation:
    """Args:
    session: a fresh Session.
    requests: a Requests.
    transmit: coroutine function that sends a message, (characteristic's number, bytes), in frames.
    opened: called once the phone has proved itself.
    """

    def __init__(self, session, requests, transmit, opened):
        self._session = session
        self._requests = requests
        self._transmit = transmit
        self._opened = opened
        self._assembler = Assembler()
        self._lock = asyncio.Lock()

    @property
    def greeted(self):
        """Whether the phone has sent a right hello."""
        return self._session.greeted

    @property
    def proven(self):
        """Whether the phone has proved that it knows the code."""
        return self._session.proven

    async def frame(self, channel, frame):
        """Takes a frame that the phone wrote to a characteristic (1 to 4), and answers a whole message.

        Raises:
            Ended: the connection shall end; the phone was told why.
        """
        try:
            limit = MESSAGE_MAX if self._session.proven else _HELLO_SIZE
            message = self._assembler.add(channel, frame, limit)
        except Refused as error:
            await self._say(channel, error)
            return
        if message is None:
            return
        if channel == AUTH:
            await self._auth(message)
            return
        try:
            plaintext = self._session.open(channel, message)
        except Refused as error:
            self._session.reset()
            await self._say(AUTH, error)
            raise Ended("a message that is not sealed right")
        await self.send(channel, self._requests.answer(channel, plaintext))

    async def send(self, channel, plaintext):
        """Seals and sends; nothing where there is no session (any more)."""
        async with self._lock:  # the order of the counters is that on the air
            if self._session.proven:
                await self._transmit(channel, self._session.seal(channel, plaintext))

    async def _auth(self, message):
        try:
            reply = await self._session.auth(message)
        except Refused as error:
            self._session.reset()
            await self._say(AUTH, error)
            if error.name in ("ACCESS_DENIED", "LOCKED"):
                raise Ended("a wrong code")
            return
        async with self._lock:
            await self._transmit(AUTH, reply)
        if self._session.proven:
            self._opened()

    async def _say(self, channel, error):
        """Tells what was wrong: sealed within a session, else by a code."""
        if channel != AUTH and self._session.proven:
            await self.send(channel, refused(channel, error))
            return
        async with self._lock:
            await self._transmit(AUTH, bytes((_REFUSED, number(error.name))))
