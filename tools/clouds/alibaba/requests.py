"""Alink: requests as JSON, each answered on a topic of its own by its id."""

import asyncio
import itertools
import json
from typing import Any

OK, BAD_PARAMETER = 200, 460
_LAST_ID = 4294967295


class OfflineError(Exception):
    """A request for a device that is not connected, or does not listen to it."""


class AlinkError(Exception):
    """What came is no request; its text says why."""


def parse(payload: bytes) -> dict[str, Any]:
    """A request or an answer of a device's. Raises AlinkError where it has no id by which to answer."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise AlinkError("not JSON") from None
    if not isinstance(document, dict):
        raise AlinkError("not an object")
    identifier = document.get("id")
    if not isinstance(identifier, str) or not identifier.isdecimal() or int(identifier[:11]) > _LAST_ID:
        raise AlinkError(f"id: not a text of a number from 0 to {_LAST_ID}")
    return document


def reply(request: dict[str, Any], method: str, code: int, data: Any, message: str = "success") -> bytes:
    """The platform's answer."""
    answer = {"code": code, "data": data, "id": request["id"], "message": message}
    return json.dumps({**answer, "method": method, "version": "1.0"}).encode()


class Requests:
    """The platform's requests that wait for their answers."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def new(self, method: str, params: Any) -> tuple[str, bytes]:
        """A request: its id, and its payload."""
        identifier = str(next(self._ids))
        document = {"id": identifier, "version": "1.0", "params": params, "method": method}
        return identifier, json.dumps(document).encode()

    async def answer(self, identifier: str, timeout_s: float) -> dict[str, Any]:
        """Wait for the answer. Raises TimeoutError."""
        self._waiting[identifier] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._waiting[identifier]
        except TimeoutError:
            raise TimeoutError(f"request {identifier}: no answer within {timeout_s:g} s") from None
        finally:
            del self._waiting[identifier]

    def answered(self, document: dict[str, Any]) -> None:
        """An answer came; one that nobody waits for goes nowhere."""
        waiting = self._waiting.get(document["id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(document)
