"""Frames, session, and one request at a time, on a transport."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from tools.news import News

from .errors import BleError, LinkLost, refusal
from .protocol import AUTH, CHANNELS, DATA, VERSION, Assembler, FrameError, result_name, split
from .session import Session, refused
from .transport import Transport, frame_mtu

Members = dict[str, Any]

ANSWER_S = 10.0
_CONNECT_S = 45.0
_CLOSE_S = 5.0
_SENDINGS = 5  # of one message, before a link counts as too bad
_SILENCES = 1  # after which the message is sent again: its last frame may be missing


class Conversation:
    """A connection with an open session; `open` and `close` it.

    Whatever breaks it, a cancelled request included, ends it: `failure` is then raised by everything.

    Args:
        transport: not connected yet.
        code: the device's.
        on_push: called with the JSON that the device sends on its own: on CONFIG, and on STATUS.
        on_packet: called with the application's packets, a name and a payload.
        on_failure: called once with what has ended the conversation.
        answer_s: how long to wait for an answer.

    Attributes:
        frames_sent, frames_received: for curiosity.
        sent_at: the loop's time of the last frame sent.
    """

    def __init__(
        self,
        transport: Transport,
        code: str,
        on_push: Callable[[int, Members], None],
        on_packet: Callable[[str, bytes], None],
        on_failure: Callable[[BleError], None],
        answer_s: float = ANSWER_S,
    ) -> None:
        self.failure: BleError | None = None
        self.frames_sent = self.frames_received = 0
        self.sent_at = 0.0
        self._transport = transport
        self._session = Session(code)
        self._on_push, self._on_packet, self._on_failure = on_push, on_packet, on_failure
        self._answer_s = answer_s
        self._assembler = Assembler()
        self._requesting = asyncio.Lock()
        self._news = News()
        self._expected: Callable[[bytes], None] | None = None  # takes the next message on AUTH
        self._asked: tuple[int, int | None] | None = None  # channel and operation of the open request
        self._answer: Members | None = None
        self._again = False  # the device lacks a frame of the message that is being sent

    async def open(self) -> Members:
        """Connect and prove; returns what the device says about itself without a session.

        Raises:
            BleError: also where the code is wrong, or the device does not know it.
        """
        transport = self._transport
        transport.on_disconnect = lambda: self.fail(LinkLost())
        try:
            async with asyncio.timeout(_CONNECT_S):
                await transport.connect()
                about = _json(await transport.read(CHANNELS[AUTH]))
                if about.get("protocol") != VERSION:
                    raise refusal("UNSUPPORTED_VERSION")
                for channel, uuid in CHANNELS.items():
                    await transport.subscribe(uuid, self._receiver(channel))
        except TimeoutError:
            raise LinkLost(f"{transport.name}: no connection within {_CONNECT_S:g} s") from None
        for message, then in (
            (self._session.hello, self._session.on_hello),
            (self._session.proof, self._session.on_proof),
        ):
            self._expected = then
            await self._deliver(AUTH, message(), lambda: self._expected is None)
        return about

    async def close(self) -> None:
        """End the connection."""
        self.fail(LinkLost("the connection was closed", "Connect again."))
        with contextlib.suppress(BleError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._transport.disconnect()

    async def request(self, channel: int, plaintext: bytes, operation: int | None = None) -> Members:
        """Send a request and return its answer, whatever its code; others wait their turn."""
        async with self._requesting:
            if self.failure:
                raise self.failure
            self._asked, self._answer = (channel, operation), None
            await self._deliver(
                channel, self._session.seal(channel, plaintext), lambda: self._answer is not None
            )
            answer, self._asked = self._answer, None
            assert answer is not None
            return answer

    async def wait(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Return once `condition` is true of what came; TimeoutError, or the `failure`."""
        await self._news.until(condition, timeout_s, lambda: self.failure)

    def fail(self, error: BleError) -> None:
        """End it for this reason; the first one counts."""
        if self.failure is None:
            self.failure = error
            self._on_failure(error)
            self._news.tell()

    async def _deliver(self, channel: int, message: bytes, done: Callable[[], bool]) -> None:
        """Send a message, again where the device lacks a frame of it, until `done`."""
        silences = 0
        silence = LinkLost(f"{self._transport.name}: no answer within {self._answer_s:g} s")
        try:
            for _ in range(_SENDINGS):
                self._again = False
                try:
                    await self._send(channel, message, done)
                    await self.wait(lambda: self._again or done(), self._answer_s)
                except TimeoutError:
                    # A hello that came twice would change the device's keys, and make the proof a wrong one.
                    if channel == AUTH or silences == _SILENCES:
                        raise silence from None
                    silences += 1
                if done():
                    return
            raise refusal("MISSING_PACKETS")
        except BleError as error:
            self.fail(error)  # a refusal that came just before the link went is the reason
        except asyncio.CancelledError:
            self.fail(LinkLost("a request was broken off", "Connect again."))  # its counter is used up
            raise
        assert self.failure
        if silences and self.failure.name == "ACCESS_DENIED":
            self.failure = silence  # it had the message: only its answer was lost
        raise self.failure

    async def _send(self, channel: int, message: bytes, done: Callable[[], bool]) -> None:
        for frame in split(message, frame_mtu(self._transport)):
            if self.failure or self._again or done():
                return
            async with asyncio.timeout(self._answer_s):
                await self._transport.write(CHANNELS[channel], frame)
            self.frames_sent += 1
            self.sent_at = asyncio.get_running_loop().time()

    def _receiver(self, channel: int) -> Callable[[bytes], None]:
        def receive(frame: bytes) -> None:
            if self.failure:
                return
            self.frames_received += 1
            try:
                message = self._assembler.add(channel, frame)
                if message is not None:
                    self._take(channel, bytes(message))
            except FrameError:  # nothing asks a device to send again
                self.fail(LinkLost("a piece of the device's answer was lost on the way"))
            except BleError as error:
                self.fail(error)
            self._news.tell()

        return receive

    def _take(self, channel: int, message: bytes) -> None:
        if channel == AUTH:
            if (error := refused(message)) and error.name == "MISSING_PACKETS":
                self._again = True
            elif error:
                raise error
            elif self._expected:
                self._expected(message)  # now: what follows may be sealed already
                self._expected = None
            return
        plaintext = self._session.open(channel, message)
        if channel == DATA:
            end = 1 + plaintext[0] if plaintext else 0
            name, plaintext = plaintext[1:end], plaintext[end:]
            if name:
                self._on_packet(name.decode(errors="replace"), plaintext)
                return
        self._take_json(channel, _json(plaintext))

    def _take_json(self, channel: int, members: Members) -> None:
        if "code" not in members:
            self._on_push(channel, members)
            return
        if not isinstance(members["code"], int):
            raise nonsense()
        members["name"] = result_name(members["code"])
        operation = members.get("op")
        asked_channel, asked_operation = self._asked if self._asked and not self._answer else (0, None)
        if operation is None and members["name"] == "MISSING_PACKETS":
            self._again = True
        elif channel == asked_channel and operation in (None, asked_operation):
            self._answer = members
        else:
            self._on_push(channel, members)


def nonsense() -> BleError:
    """The error for an answer that no device of this protocol gives."""
    return BleError("the device answers what makes no sense", "See that its firmware is this product's.")


def _json(text: bytes) -> Members:
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise nonsense()
    return members
