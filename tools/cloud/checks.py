"""What is wrong with a packet, by AWS's limits and where a topic is reserved: in words, None if nothing."""

from collections.abc import Collection

from . import packet as mqtt
from . import topics
from .limits import Limits


def will_error(will: mqtt.Will, limits: Limits) -> str | None:
    if topics.is_reserved(will.topic):
        return "on a reserved topic"
    return _payload_error(will.payload, limits) or topics.topic_error(will.topic, limits)


def publish_error(packet: mqtt.Publish, served: bool, limits: Limits) -> str | None:
    """`served`: a service claims its topic, as it must if that is a reserved one."""
    if error := _payload_error(packet.payload, limits):
        return error
    if topics.is_reserved(packet.topic):
        if packet.retain:
            return f"RETAIN on the reserved topic {packet.topic}"
        if not served:
            return f"the reserved topic {packet.topic} is not served here"
    return topics.topic_error(packet.topic, limits)


def subscribe_error(filters: list[str], subscribed: Collection[str], limits: Limits) -> str | None:
    """`subscribed`: the filters that the session has already."""
    if len(filters) > limits.filters_per_subscribe:
        return f"more than {limits.filters_per_subscribe} filters"
    if len({*subscribed, *filters}) > limits.subscriptions_per_connection:
        return f"more than {limits.subscriptions_per_connection} subscriptions"
    return next((f"{f}: {error}" for f in filters if (error := topics.filter_error(f, limits))), None)


def _payload_error(payload: bytes, limits: Limits) -> str | None:
    if len(payload) > limits.payload_bytes:
        return f"payload larger than {limits.payload_bytes} bytes"
    return None
