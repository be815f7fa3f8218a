"""Devices' lines from the local cloud to the drain, as the rule has them on AWS."""

import asyncio
import base64
import queue
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from tools.cloud.clients import make_client
from tools.cloud.visitor import Visitor
from tools.waiting import tell

from .drain.drain import Drain, Report

_FILTER = "telemetry/+/log"
_WAITING_MAX = 2000  # while a sink is slow; what is more is dropped, and counted
_AT_ONCE = 500
_LOOK_S = 0.2
_CLIENT = "drain"
Event = dict[str, Any]


class Devices:
    """An async context manager, with a thread for the messages and one for the drain.

    Args:
        state: the cloud's.
        drain: takes what comes, as many at once as wait.
        told: called with each report.

    Raises:
        BoardError: on entry, where the cloud does not answer.
    """

    def __init__(self, state: Path, drain: Drain, told: Callable[[Report], None]) -> None:
        self._state = state
        self._drain = drain
        self._told = told
        self._waiting: queue.Queue[Event] = queue.Queue(_WAITING_MAX)
        self._lost = 0
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._listen, self._hand_on)]

    async def __aenter__(self) -> "Devices":
        client = await asyncio.to_thread(make_client, self._state, _CLIENT, is_thing=False)
        self._visitor = Visitor(client, self.come)
        await asyncio.to_thread(self._visitor.connect)
        await asyncio.to_thread(self._visitor.subscribe, _FILTER)
        for thread in self._threads:
            thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def come(self, message: mqtt.MQTTMessage) -> None:
        """A message, which waits for the drain."""
        line = base64.b64encode(message.payload).decode()
        try:
            self._waiting.put_nowait({"thing": message.topic.split("/")[1], "line": line})
        except queue.Full:
            self._lost += 1

    def _listen(self) -> None:
        with closing(self._visitor) as visitor:
            visitor.follow(self._ends.is_set, tell, _FILTER)

    def _hand_on(self) -> None:
        while not (self._ends.is_set() and self._waiting.empty()):
            self.hand_on(_LOOK_S)

    def hand_on(self, wait_s: float) -> None:
        """What waits, if there is anything within that time."""
        try:
            events = [self._waiting.get(timeout=wait_s)]
        except queue.Empty:
            events = []
        while events and len(events) < _AT_ONCE and not self._waiting.empty():
            events.append(self._waiting.get_nowait())
        if events:
            self._told(self._drain.devices(events))
        if self._lost:
            lost, self._lost = self._lost, 0
            self._told(self._drain.lost(lost, f"more than {_WAITING_MAX} messages waited"))
