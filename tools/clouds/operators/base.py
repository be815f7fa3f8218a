"""What `make run` needs of a cloud and its operator."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tools.cloud.events import Event
from tools.started import Started

_LOOK_S = 0.05


class OperatorError(Exception):
    """The cloud cannot do that with the device now; its text says why."""


class Base(Started):
    """One cloud with one device.

    Args:
        folder: for all that the cloud keeps; its CA signs for the files of updates, too.
        device: the device's name.
        on_event: called with what the cloud tells.
        on_message: called with each message of the device: where it came, and its payload.

    Attributes:
        CALLED: the cloud, for people.
        hosts: ports on this machine by the names that devices know them by, once it has started.
        more: what else there is to show, as a text and what does it and returns what has come of it.
    """

    CALLED = ""
    more: Mapping[str, Callable[[], Awaitable[str]]] = {}

    def __init__(
        self,
        folder: Path,
        device: str,
        on_event: Callable[[Event], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        self.folder, self.device = folder, device
        self.on_event, self.on_message = on_event, on_message
        self.hosts: dict[str, int] = {}

    @property
    def port(self) -> int:
        """Where it listens."""
        raise NotImplementedError

    def section(self) -> dict[str, Any]:
        """The cloud's part of a configuration; the device may come from now on."""
        raise NotImplementedError

    async def desire(self, change: dict[str, Any]) -> None:
        """Desire that of the device's state. Raises OperatorError."""
        raise NotImplementedError

    def reported(self) -> dict[str, Any]:
        """What the device has reported."""
        raise NotImplementedError

    async def begin(self, job: str, document: dict[str, Any]) -> None:
        """Give the device a job: most clouds have none, and it stands in the state. Raises OperatorError."""
        await self.desire({"job": {"id": job, "document": document}})

    def state_of(self, job: str) -> tuple[str, dict[str, str]]:
        """What the device has said of a job: its status, "" for nothing, and details."""
        found = self.reported().get("job")
        if not isinstance(found, dict) or found.get("id") != job:
            return "", {}
        return str(found.get("status")), found.get("details") or {}

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        """Send a command and return the device's answer. Raises OperatorError."""
        raise NotImplementedError


class Reached(Protocol):
    """What listens on one port: a stand-in, a broker."""

    @property
    def port(self) -> int:
        """Where."""

    @property
    def root_pem(self) -> str:
        """The certificate (PEM) that devices have to trust."""

    async def start(self) -> object:
        """Listen. Raises OSError."""

    async def stop(self) -> None:
        """Stop listening."""


Cloud = TypeVar("Cloud", bound=Reached)


class Fronted(Base, Generic[Cloud]):
    """One cloud behind one port, `_cloud`."""

    _cloud: Cloud

    async def start(self) -> None:
        await self._cloud.start()

    async def stop(self) -> None:
        await self._cloud.stop()

    @property
    def port(self) -> int:
        return self._cloud.port

    def place(self) -> dict[str, Any]:
        """What all sections have."""
        return {"endpoint": "localhost", "port": self.port, "root_ca": self._cloud.root_pem}


def merged(state: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`state` with the members of `change` in place of its own; null removes one."""
    return {name: value for name, value in {**state, **change}.items() if value is not None}


def read(payload: bytes) -> dict[str, Any]:
    """The JSON object of a message, empty where it is none."""
    try:
        document = json.loads(payload)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


async def until(said: Callable[[], str]) -> str:
    """What `said` returns as soon as that is not empty."""
    while not (text := said()):  # noqa: ASYNC110 - the stand-ins tell by what they keep
        await asyncio.sleep(_LOOK_S)
    return text
