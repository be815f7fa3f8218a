"""What is said to a cloud other than AWS, as its profile has it. Imported for the moment and forgotten."""

import json

from micropython import const

from iot.memory import borrow
from iot.mqtt import packet

_AGAIN_MS = const(10000)


def checked(client, topic, payload, qos, retain):
    """The payload of what the application publishes, as the cloud wants it; ValueError for what it does not
    take.
    """
    owner = client.owner
    if topic == client.telemetry and owner.wraps and qos < 2 and not retain:
        return borrow(owner.profile).wrapped(payload)
    borrow(owner.profile).check(owner.section, owner.name, topic, qos, retain)
    return payload


def checked_filter(client, topic_filter, qos):
    """Filter and QoS for what the application subscribes to; ValueError for what the cloud does not have."""
    owner = client.owner
    if topic_filter is None:
        return client.own, 1
    borrow(owner.profile).check_filter(owner.section, owner.name, topic_filter, qos)
    return topic_filter, qos


def post(client, topic, payload, retain):
    """As CloudClient.post."""
    if isinstance(payload, dict):
        payload = json.dumps(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    packet_id = client.packet_id()
    head = packet.publish(topic.encode(), len(payload), packet_id, retain)
    if len(head) + len(payload) > len(client.outbox.view):
        raise ValueError("{}: {} bytes are more than the outbox has".format(topic, len(payload)))
    receipt = client.outbox.add(head, payload, packet_id)
    if client.connection:
        client.connection.wake.set()
    return receipt


def look(cloud):
    """As Cloud.look; where the outbox has no room for the question, it is asked later."""
    message = borrow(cloud.profile).ask(cloud.section, cloud.name)
    if message:
        if not cloud.client.post(*message):
            look_later(cloud)
        return
    for subscription in cloud.heard:
        subscription.granted = subscription.granted and None  # a refusal stands
    cloud.client.inbox.changed()


def look_later(cloud):
    """The cloud had no time for an answer, or the outbox no room for the question."""
    cloud.again_ms = cloud.log.uptime_ms() + _AGAIN_MS


def report(cloud, state):
    """As Cloud.report."""
    return cloud.client.post(*reported(cloud, state))


def reported(cloud, state):
    """Topic, payload, and perhaps whether it is retained, by which that is reported; ValueError as above."""
    text = borrow("iot.clouds.documents").text(state)
    return borrow(cloud.profile).report(cloud.section, cloud.name, text)


def answer(cloud, execution, status, description, result):
    """Answers a command, (name, id); false where the outbox has no room for that."""
    name, identifier = execution
    profile = borrow(cloud.profile)
    found = profile.answer(cloud.section, cloud.name, name, identifier, status, description, result)
    return cloud.client.post(*found) if found else True
