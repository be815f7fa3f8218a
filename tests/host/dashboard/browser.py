"""What a browser's EventSource and fetch make of the page's server."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.patience import PATIENCE_S


class Events:
    """An open stream."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> "Events":
        self._session = aiohttp.ClientSession()
        self._answer = await self._session.get(self._url)
        assert self._answer.status == 200 and self._answer.content_type == "text/event-stream"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._answer.close()
        await self._session.close()

    async def next(self) -> tuple[str, dict[str, Any]]:
        """(kind, data) of the next event; EOFError at the end."""
        async with asyncio.timeout(PATIENCE_S):
            kind = ""
            while line := (await self._answer.content.readline()).decode():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ").strip()
                if line.startswith("data: "):
                    return kind, json.loads(line.removeprefix("data: "))
        raise EOFError

    async def until(self, condition: Callable[[dict[str, Any]], Any]) -> Any:
        """What the condition says of the first event of which it is true."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                _, data = await self.next()
                if found := condition(data):
                    return found


class Api:
    """The rest of it, by JSON."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> "Api":
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, answer), which is a text where it is no JSON."""
        options: dict[str, Any] = {} if method == "GET" else {"json": body}
        async with self._session.request(method, self._url + path, **options) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def get(self, path: str) -> Any:
        status, found = await self.ask("GET", path)
        assert status == 200, found
        return found
