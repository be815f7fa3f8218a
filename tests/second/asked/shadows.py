"""What a shadow's owner may ask, and what becomes of each document of the local cloud's own table."""

import json
from typing import Any

from tests.host.cloud.test_shadow_documents import TABLE, Row
from tests.second.asked.room import NOTHING, THING, Ask, Question, Room, text

_BASE = f"$aws/things/{THING}/shadow"
_LIMIT = 8192  # bytes of desired and reported


async def _asked(room: Room, topic: str, payload: bytes) -> str:
    answer = await room.client.ask(topic, payload)
    if answer is None:
        return NOTHING
    kind, document = answer
    return kind if kind == "accepted" else f"{document.get('code')} {document.get('message')}"


def _update(*payloads: Any) -> Ask:
    """The answer to the last of these updates of a new shadow: bytes as they are, the rest as JSON."""

    async def ask(room: Room) -> str:
        topic, answer = f"{_BASE}/name/{room.new('shadow')}/update", ""
        for payload in payloads:
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            answer = await _asked(room, topic, data)
        return answer

    return ask


def _to(verb: str, name: str, payload: bytes = b"") -> Ask:
    async def ask(room: Room) -> str:
        return (await _asked(room, f"{_BASE}/name/{name}/{verb}", payload)).replace(name, "NAME")

    return ask


def _row(row: Row) -> Ask:
    """The sections and the delta after the row's update, as a get tells them."""

    async def ask(room: Room) -> str:
        base = f"{_BASE}/name/{room.new('row')}"
        if row.before:
            await room.client.ask(f"{base}/update", text({"state": row.before}).encode())
        updated = await _asked(room, f"{base}/update", text({"state": row.update}).encode())
        if updated != "accepted":
            return updated
        got = await room.client.ask(f"{base}/get", b"")
        return text(got[1].get("state")) if got else NOTHING

    return ask


def _messages(update: dict[str, Any]) -> Ask:
    """What whoever listens to everything of a shadow hears of an update."""

    async def ask(room: Room) -> str:
        base = f"{_BASE}/name/{room.new('heard')}/"
        await room.client.ask(base + "update", text({"state": {"desired": {"a": 1}}}).encode())
        await room.client.ask(base + "update", text({"state": update}).encode())
        return await room.subjects(base)

    return ask


async def _version_after_deletion(room: Room) -> str:
    base = f"{_BASE}/name/{room.new('deleted')}/"
    state = text({"state": {"desired": {"a": 1}}}).encode()
    for verb, payload in (("update", state), ("update", state), ("delete", b""), ("update", state)):
        answer = await room.client.ask(base + verb, payload)
    return f"version {answer[1].get('version')}" if answer else NOTHING


async def _metadata(room: Room) -> str:
    base = f"{_BASE}/name/{room.new('metadata')}/"
    await room.client.ask(base + "update", text({"state": {"desired": {"a": 1}}}).encode())
    got = await room.client.ask(base + "get", b"")
    return text(sorted(got[1]["metadata"])) if got else NOTHING


def _nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return {"state": {"desired": value}}


def _sized(size: int) -> bytes:
    empty = len('{"a":""}')
    return b'{"state":{"desired":{"a":"%s"}}}' % (b"x" * (size - empty))


_STATE = {"desired": {"a": 1}}
ERRORS = {
    "no JSON": _update(b"{"),
    "an array": _update([]),
    "no state": _update({}),
    "a state that is a number": _update({"state": 1}),
    "a section that is a number": _update({"state": {"desired": 1}}),
    "a section of another name": _update({"state": {"other": {"a": 1}}}),
    "a version that is a text": _update({"state": _STATE, "version": "1"}),
    "a version that is not the shadow's": _update({"state": _STATE}, {"state": _STATE, "version": 7}),
    "a client token of 65 bytes": _update({"state": _STATE, "clientToken": "x" * 65}),
    "a client token that is a number": _update({"state": _STATE, "clientToken": 1}),
    "6 names deep": _update(_nested(6)),
    "7 names deep": _update(_nested(7)),
    "a null in an array": _update({"state": {"desired": {"a": [None]}}}),
    "8192 bytes": _update(_sized(_LIMIT)),
    "8193 bytes": _update(_sized(_LIMIT + 1)),
    "8193 bytes by two updates": _update(_sized(_LIMIT - 99), {"state": {"reported": {"b": "x" * 100}}}),
    "the number 1e400": _update(b'{"state":{"desired":{"a":1e400}}}'),
    "a name twice in an object": _update(b'{"state":{"desired":{"a":1,"a":2}}}'),
    "bytes that are not UTF-8": _update(b'{"state":{"desired":{"a":"\xff"}}}'),
    "get of a shadow that is not there": _to("get", "none"),
    "delete of a shadow that is not there": _to("delete", "none"),
    "get with a payload that is no JSON": _to("get", "none", b"{"),
    "a shadow's name with a blank": _to("update", "a b", text({"state": _STATE}).encode()),
    "a shadow's name of 65 bytes": _to("update", "x" * 65, text({"state": _STATE}).encode()),
}
HEARD = {
    "messages of a report that leaves a delta": _messages({"reported": {"b": 1}}),
    "messages of a report that leaves none": _messages({"reported": {"a": 1}}),
    "version after a deletion": _version_after_deletion,
    "sections in a get's metadata": _metadata,
}
QUESTIONS = [
    *(Question(f"shadow, {name}", ask) for name, ask in (ERRORS | HEARD).items()),
    *(Question(f"shadow's document, {row.name}", _row(row)) for row in TABLE),
]
