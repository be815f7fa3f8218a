"""Where both clouds are asked the same: a thing of the cloud's, and a client that may do anything."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tests.host.cloud.support import ANYTHING, Identity
from tests.second.aws import Aws
from tests.second.client import Client, ClosedError, RefusedError, connected

THING = "lamp"
CLOSED = "the connection is closed"
NOTHING = "no answer"


@dataclass
class Room:
    """What the questions to one cloud share; `client` listens to all that the services say of the thing."""

    aws: Aws
    folder: Path
    identity: Identity
    client: Client
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def new(self, what: str) -> str:
        """A name that no question had before."""
        return f"{what}-{next(self._numbers)}"

    @contextlib.asynccontextmanager
    async def another(self, client_id: str | None = None) -> AsyncIterator[Client]:
        """A connection that may end of what is asked on it."""
        made = connected(self.aws, self.identity, self.folder, client_id or self.new("client"))
        async with made as client:
            yield client

    async def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """boto3's answer, in a thread of its own: the cloud's messages go on."""
        return await asyncio.to_thread(getattr(self.aws.client(service), operation), **arguments)

    async def told(self, service: str, operation: str, **arguments: Any) -> str:
        """ "done", or the name of the error that boto3 raises."""
        try:
            await self.call(service, operation, **arguments)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "done"

    async def subjects(self, prefix: str) -> str:
        """The topics below `prefix` of the messages that came, in their order."""
        await self.client.settle()
        return ", ".join(topic.removeprefix(prefix) for topic, _ in self.client.messages)


Ask = Callable[[Room], Awaitable[str]]


class Question(NamedTuple):
    """What is asked, by its name, and how; the answer is a text without moments and names made up here."""

    name: str
    ask: Ask


async def answer(question: Question, room: Room) -> str:
    try:
        return await question.ask(room)
    except ClosedError:
        return CLOSED
    except RefusedError as error:
        return f"refused, code {error}"


@contextlib.asynccontextmanager
async def open_room(aws: Aws, folder: Path) -> AsyncIterator[Room]:
    identity = await asyncio.to_thread(aws.create_identity, ANYTHING)
    await asyncio.to_thread(aws.iot.create_thing, thingName=THING)
    await asyncio.to_thread(aws.ensure_template)
    async with connected(aws, identity, folder, "asker") as client:
        await client.subscribe(f"$aws/things/{THING}/shadow/#", f"$aws/things/{THING}/jobs/#")
        yield Room(aws, folder, identity, client)


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
