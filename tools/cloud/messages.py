"""Messages for whoever has no MQTT connection: iot-data's publish, and what is retained."""

from collections.abc import Callable
from typing import Any

from . import topics
from .errors import InvalidRequestException, ResourceNotFoundException
from .limits import Limits
from .registry.pages import listed, page
from .store import Store

Publish = Callable[[str, bytes, int, bool], None]
"""Called with topic, payload, QoS and retain."""


class Messages:
    """By the names and arguments of boto3's `iot-data` client.

    Args:
        store: has the retained messages.
        publish: brings a message to its subscribers.
        limits: of topic and payload.
    """

    def __init__(self, store: Store, publish: Publish, limits: Limits) -> None:
        self._store = store
        self._publish = publish
        self._limits = limits

    async def publish(self, *, topic: str, qos: int = 0, retain: bool = False, payload: bytes = b"") -> None:
        """Topics that begin with `$` are devices' alone here: a service answers to a connection.

        A coroutine, as the router's transaction must be no other's: it sends once its own is committed.
        """
        if len(payload) > self._limits.payload_bytes:
            text = f"payload: {len(payload)} bytes, must be at most {self._limits.payload_bytes}"
            raise InvalidRequestException(text)
        if topics.is_reserved(topic):
            raise InvalidRequestException(f"topic: {topic} is reserved, and is not served by HTTP here")
        if error := topics.topic_error(topic, self._limits):
            raise InvalidRequestException(f"topic: {error}")
        self._publish(topic, payload, qos, retain)

    def get_retained_message(self, *, topic: str) -> dict[str, Any]:
        kept = self._store.retained(topic)
        if kept is None:
            raise ResourceNotFoundException(f"nothing is retained on {topic}")
        payload, qos = kept
        return {"topic": topic, "payload": payload, "qos": qos} | self._about(topic)

    def list_retained_messages(
        self, *, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        by_topic = {topic: (size, qos) for topic, size, qos in self._store.list_retained()}
        chosen, token = page(by_topic, maxResults, nextToken)
        entries = [
            {"topic": topic, "payloadSize": by_topic[topic][0], "qos": by_topic[topic][1]}
            | self._about(topic)
            for topic in chosen
        ]
        return listed("retainedTopics", entries, token)

    def _about(self, topic: str) -> dict[str, Any]:
        modified_s = self._store.retained_s(topic)
        return {} if modified_s is None else {"lastModifiedTime": int(modified_s * 1000)}
