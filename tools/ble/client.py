"""What a phone does with a device: its status, its networks, its configuration, the application's packets."""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from tools.board.progress import Progress

from .conversation import ANSWER_S, Conversation, Members, nonsense
from .errors import BleError, LinkLost, refusal
from .packets import Packet, Packets
from .protocol import (
    BEGIN,
    COMMIT,
    CONFIG,
    DATA,
    DOCUMENT_MAX,
    GET,
    PACKET_MAX,
    PACKET_NAME_MAX,
    PIECE,
    PIECE_MAX,
    SCAN,
    STATUS,
    TIME,
)
from .transport import Transport

COMMIT_S = 420.0  # eight networks, each looked for and tried for 20 s, perhaps twice, and flash
KEEP_ALIVE_S = 10.0
_SCAN_S = 30.0
_SETBACKS = 5  # pieces after which the device is no further than before
_WORDS = ("op", "code", "name", "detail")  # of an answer, not of the status


class Client:
    """A device in whose reach we are, as an async context manager; it is BleError that everything raises.

    After a LinkLost take a new Client on a new transport: `configure` goes on where it stopped.

    Args:
        transport: to the device, not connected yet.
        code: from its label, in any spelling.
        on_status: called with what changed in the status, when the device pushes it.
        answer_s: how long the device may take for an answer.
        commit_s: and for trying and storing a configuration.
        keep_alive_s: after so long without a request the status is asked for, lest the device hang up.

    Attributes:
        about: what the device says without a session: `protocol`, `id`, `version`.
        status: all that is known of its status (docs/ble.md, STATUS).
        packets: what its application sends, as an async iterator.
    """

    def __init__(
        self,
        transport: Transport,
        code: str,
        *,
        on_status: Callable[[Members], None] | None = None,
        answer_s: float = ANSWER_S,
        commit_s: float = COMMIT_S,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self.about: Members = {}
        self.status: Members = {}
        self.packets = Packets()
        self._on_status = on_status
        self._commit_s = commit_s
        self._keep_alive_s = keep_alive_s
        self._talk = Conversation(
            transport, code, self._pushed, self._packet, self.packets.close, answer_s=answer_s
        )
        self._stay: asyncio.Task[None] | None = None
        self._scanned = False
        self._outcome: Members | None = None  # of a commit
        self._progress: Progress | None = None

    @property
    def frames(self) -> tuple[int, int]:
        """How many were sent, and received."""
        return self._talk.frames_sent, self._talk.frames_received

    async def __aenter__(self) -> "Client":
        try:
            self.about = await self._talk.open()
        except BaseException:
            await self._talk.close()
            raise
        self._stay = asyncio.create_task(self._keep_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.packets.close()
        if self._stay:
            self._stay.cancel()
            await asyncio.gather(self._stay, return_exceptions=True)
        await self._talk.close()

    async def refresh(self) -> Members:
        """Ask for the whole status, and return it."""
        self._merge(await self._ask(STATUS, GET))
        return self.status

    async def scan(self) -> list[Members]:
        """The Wi-Fi networks that the device hears now: `ssid`, `rssi`, `security`, the strongest first."""
        self._scanned = False
        await self._ask(STATUS, SCAN)
        try:
            await self._talk.wait(lambda: self._scanned, _SCAN_S)
        except TimeoutError:
            raise refusal("TIMEOUT", f"no networks within {_SCAN_S:g} s") from None
        networks: list[Members] = self.status.get("networks", [])
        return networks

    async def configure(
        self, document: dict[str, Any], progress: Progress = lambda what, done, total: None
    ) -> None:
        """Hand a configuration over and have it tried and stored; the device then restarts with it.

        It is told the time as well, which may be the only one that it gets.

        Args:
            document: as docs/configuration.md describes it.
            progress: called with what is done, and how many bytes of how many; 0 of 0 where nobody knows.

        Raises:
            BleError: nothing was stored; where the link is lost in the middle of the commit nobody knows.
        """
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > DOCUMENT_MAX:
            raise refusal("TOO_LARGE", f"{len(text)} bytes, {DOCUMENT_MAX} at most")
        # For a device that reaches no time server. It may refuse: an older firmware knows no such request.
        await self._talk.request(STATUS, bytes((TIME,)) + int(time.time()).to_bytes(4, "big"), TIME)
        await self._upload(text, progress)
        self._outcome, self._progress = None, progress
        try:
            outcome = await self._talk.request(CONFIG, bytes((COMMIT,)), COMMIT)
            if outcome["name"] == "IN_PROGRESS":
                await self._talk.wait(lambda: self._outcome, self._commit_s)
                outcome = self._outcome or outcome
        except TimeoutError:
            raise refusal("TIMEOUT", f"no outcome within {self._commit_s:g} s") from None
        except LinkLost:  # no reason to begin anew: the device goes on without us
            raise BleError(
                "the connection was lost while the device tried the configuration",
                "Wait for half a minute. Where the device is still in mode CONFIG then, send it again.",
                "TIMEOUT",
            ) from None
        finally:
            self._progress = None
        if outcome["name"] != "CONFIG_DONE":
            raise refusal(outcome["name"], outcome.get("detail", ""))

    async def send(self, name: str, payload: bytes = b"") -> None:
        """Send the application a packet, and wait until it has it.

        Raises:
            ValueError: the name has not 1 to 16 bytes, or the payload more than 1,024.
        """
        title = name.encode()
        if not 1 <= len(title) <= PACKET_NAME_MAX or len(payload) > PACKET_MAX:
            raise ValueError(f"a packet has a name of 1 to {PACKET_NAME_MAX} bytes and {PACKET_MAX} at most")
        answer = await self._talk.request(DATA, bytes((len(title),)) + title + payload)
        if answer["name"] == "INVALID_REQUEST":
            raise BleError(
                f"the device's application takes no packets called {name!r}",
                "Use a name that it registers with thing.ble.on.",
                "INVALID_REQUEST",
            )
        _check(answer)

    async def _upload(self, text: bytes, progress: Progress) -> None:
        size = len(text)
        begin = size.to_bytes(4, "big") + hashlib.sha256(text).digest()
        at = _place(await self._ask(CONFIG, BEGIN, begin), size)
        setbacks = 0
        while at < size:
            progress("sending", at, size)
            piece = at.to_bytes(4, "big") + text[at : at + PIECE_MAX]
            answer = await self._talk.request(CONFIG, bytes((PIECE,)) + piece, PIECE)
            if answer["name"] != "MISSING_PACKETS":
                _check(answer)
            before, at = at, _place(answer, size)
            setbacks += at <= before
            if setbacks > _SETBACKS:
                raise refusal("MISSING_PACKETS")
        progress("sending", size, size)

    async def _ask(self, channel: int, operation: int, body: bytes = b"") -> Members:
        """The answer to a request that succeeds at once."""
        answer = await self._talk.request(channel, bytes((operation,)) + body, operation)
        _check(answer)
        return answer

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BleError):  # whoever asks next is told
            while True:
                rest_s = self._talk.sent_at + self._keep_alive_s - loop.time()
                if rest_s > 0:
                    await asyncio.sleep(rest_s)
                else:
                    await self.refresh()

    def _pushed(self, channel: int, members: Members) -> None:
        if channel == STATUS and "code" not in members:
            self._merge(members)
            if not self.status.get("scanning") and members.keys() & {"scanning", "networks"}:
                self._scanned = True
            if self._on_status:
                self._on_status(members)
            step = members.get("progress")
            if self._progress and isinstance(step, dict):
                self._progress(f"{step.get('step', '')} {step.get('ssid', '')}".strip(), 0, 0)
        elif members.get("op") == COMMIT and channel == CONFIG:
            self._outcome = members

    def _packet(self, name: str, payload: bytes) -> None:
        self.packets.put(Packet(name, payload))

    def _merge(self, members: Members) -> None:
        self.status |= {name: value for name, value in members.items() if name not in _WORDS}


def _check(answer: Members) -> None:
    if answer["name"] != "SUCCESS":
        raise refusal(answer["name"], answer.get("detail", ""))


def _place(answer: Members, size: int) -> int:
    """Where the next piece begins."""
    at = answer.get("at")
    if not isinstance(at, int) or not 0 <= at <= size:
        raise nonsense()
    return at
