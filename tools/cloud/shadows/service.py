"""The Device Shadow service: over MQTT, and by the names and arguments of boto3's `iot-data` client."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from ..client import Client
from ..database import Database
from ..errors import (
    AwsError,
    ConflictException,
    InvalidRequestException,
    RequestEntityTooLargeException,
    ResourceNotFoundException,
    ThrottlingException,
)
from ..events import Event
from ..limits import Limits
from . import message, request
from .document import Document, Tree, encode
from .store import ShadowStore
from .topic import Shadow, parse

_PAGE = 100  # the most names that a list has


class Shadows:
    """The service behind `$aws/things/THING/shadow/…` and `$aws/things/THING/shadow/name/NAME/…`.

    As on AWS a thing need not be in the registry to have shadows, and they stay when it is deleted there.

    Args:
        database: each request is one transaction in it.
        publish: sends a payload to whoever subscribed to the topic.
        tell: called with each Event.
        limits: of documents, and of requests at once.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        publish: Callable[[str, bytes], None],
        tell: Callable[[Event], None],
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._db = database
        self._store = ShadowStore(database)
        self._publish = publish
        self._tell = tell
        self._limits = limits
        self._clock = clock
        self._in_flight: Counter[tuple[Client, str]] = Counter()

    # client.Service

    def claims(self, topic: str) -> bool:
        return parse(topic) is not None

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        """Answer on `…/accepted` or `…/rejected`, to whoever subscribed.

        A request is done in the loop's next turn: those that come together are in flight together.
        """
        if asked := parse(topic):
            key = client, asked[0].thing
            if self._in_flight[key] >= self._limits.shadow_requests_in_flight:
                self._respond(client, *asked, payload, refuse=True)
                return
            self._in_flight[key] += 1
            asyncio.get_running_loop().call_soon(self._finish, client, *asked, payload)

    def sweep(self) -> None:
        self._store.purge(self._clock() - self._limits.shadow_version_expiry_s)

    def _finish(self, client: Client, shadow: Shadow, operation: str, payload: bytes) -> None:
        key = client, shadow.thing
        self._in_flight[key] -= 1
        if not self._in_flight[key]:
            del self._in_flight[key]
        self._respond(client, shadow, operation, payload)

    def _respond(
        self, client: Client, shadow: Shadow, operation: str, payload: bytes, refuse: bool = False
    ) -> None:
        token = None
        try:
            asked, token = self._read(operation, payload)
            if refuse:
                raise ThrottlingException("Too Many Requests")
            match operation:
                case "get":
                    self._publish_found(shadow, self._get(shadow, token))
                case "update":
                    self._update(shadow, asked, token)
                case "delete":
                    self._delete(shadow, token)
        except AwsError as error:
            self._reject(client, shadow.topic(operation), error, token)

    def _read(self, operation: str, payload: bytes) -> tuple[Tree, str | None]:
        """A request and its client token; a get may be empty, and what a delete has in it is ignored."""
        if operation == "get" and not payload:
            return {}, None
        try:
            asked = request.read(payload, self._limits)
            return asked, request.client_token(asked, self._limits)
        except AwsError:
            if operation != "delete":
                raise
            return {}, None

    def _reject(self, client: Client, topic: str, error: AwsError, token: str | None) -> None:
        reason = error.code.removesuffix("Exception")
        why = f": it {error.__cause__}" if isinstance(error.__cause__, ValueError) else ""
        detail = f"{topic}: {error}{why}"
        self._tell(Event("rejected", client.address, client.client_id, client.certificate_id, reason, detail))
        self._publish(f"{topic}/rejected", encode(message.rejected(error) | _echo(token)))

    # boto3's iot-data

    def get_thing_shadow(self, *, thingName: str, shadowName: str | None = None) -> dict[str, Any]:
        """Raises ResourceNotFoundException."""
        return {"payload": self._get(_named(thingName, shadowName), None)}

    def update_thing_shadow(
        self, *, thingName: str, payload: bytes, shadowName: str | None = None
    ) -> dict[str, Any]:
        """As over MQTT, but that nobody else hears of a rejection.

        Raises:
            InvalidRequestException, ConflictException, RequestEntityTooLargeException,
            UnsupportedDocumentEncodingException: it is rejected.
        """
        asked, token = self._read("update", payload)
        return {"payload": self._update(_named(thingName, shadowName), asked, token)}

    def delete_thing_shadow(self, *, thingName: str, shadowName: str | None = None) -> dict[str, Any]:
        """Raises ResourceNotFoundException."""
        return {"payload": self._delete(_named(thingName, shadowName), None)}

    def list_named_shadows_for_thing(
        self, *, thingName: str, nextToken: str | None = None, pageSize: int = _PAGE
    ) -> dict[str, Any]:
        """The names without the classic one, none for a thing that is not there; `pageSize` is 1 to 100."""
        _named(thingName, None)
        if not 1 <= pageSize <= _PAGE:
            raise InvalidRequestException(f"pageSize: {pageSize}, must be 1 to {_PAGE}")
        found = self._store.names(thingName, nextToken or "", pageSize + 1)
        more = {"nextToken": found[pageSize - 1]} if len(found) > pageSize else {}
        return {"results": found[:pageSize], "timestamp": self._now_s()} | more

    # Both

    def _get(self, shadow: Shadow, token: str | None) -> bytes:
        return encode(message.found(self._existing(shadow), self._now_s()) | _echo(token))

    def _update(self, shadow: Shadow, asked: Tree, token: str | None) -> bytes:
        """Returns what `update/accepted` says."""
        shadow.check()
        update, now_s = request.update(asked, self._limits), self._now_s()
        with self._db.transaction():
            previous = self._store.load(shadow)
            if update.version not in (None, previous.version):
                raise ConflictException("Version conflict")
            current = previous.updated(update.state, now_s)
            request.check_size(current.state, self._limits)
            self._store.save(shadow, current)
            accepted = encode(message.accepted(current, update.state, now_s) | _echo(token))
            self._say(shadow, "update/accepted", accepted)
            if difference := message.difference(current, now_s):
                self._say(shadow, "update/delta", encode(difference | _echo(token)))
            documents = message.documents(previous, current, now_s)
            self._say(shadow, "update/documents", encode(documents | _echo(token)))
        return accepted

    def _delete(self, shadow: Shadow, token: str | None) -> bytes:
        """Returns what `delete/accepted` says."""
        with self._db.transaction():
            accepted = encode(message.deleted(self._existing(shadow), self._now_s()) | _echo(token))
            self._store.delete(shadow, self._clock())
            self._say(shadow, "delete/accepted", accepted)
        return accepted

    def _existing(self, shadow: Shadow) -> Document:
        shadow.check()
        document = self._store.load(shadow)
        if not document.exists:
            raise ResourceNotFoundException(f"No shadow exists with name: '{shadow}'")
        return document

    def _publish_found(self, shadow: Shadow, payload: bytes) -> None:
        """With its metadata a document of many small values is more than a message may be."""
        if len(payload) > self._limits.payload_bytes:
            raise RequestEntityTooLargeException("The payload exceeds the maximum size allowed")
        self._publish(shadow.topic("get/accepted"), payload)

    def _say(self, shadow: Shadow, rest: str, payload: bytes) -> None:
        topic = shadow.topic(rest)
        if len(payload) > self._limits.payload_bytes:
            detail = f"{topic} was not sent: {len(payload)} bytes are more than a message may have"
            self._db.after_commit(partial(self._tell, Event("server", detail=detail)))
        else:
            self._db.after_commit(partial(self._publish, topic, payload))

    def _now_s(self) -> int:
        return int(self._clock())


def _named(thing: str, name: str | None) -> Shadow:
    if name == "":
        raise InvalidRequestException("shadowName '': leave it out for the classic shadow")
    shadow = Shadow(thing, name or "")
    shadow.check()
    return shadow


def _echo(token: str | None) -> Tree:
    return {} if token is None else {"clientToken": token}
