"""An MQTT Client for clouds that take less than MQTT has, and want a login."""

import json

from iot.memory import borrow
from iot.mqtt import packet
from iot.mqtt.client import Client


class CloudClient(Client):
    """What the application says goes through the cloud's profile; what services say, as they say it.

    Args:
        owner: the Cloud; its `profile` knows what the cloud takes, its `login` is called for each CONNECT and
            returns user name and password in bytes, or None.
        arguments: as Client's.
    """

    def __init__(self, owner, *arguments):
        Client.__init__(self, *arguments)
        self.owner = owner
        self.login = owner.login

    def publish(self, topic, payload, qos=0, retain=False):
        """As Client; ValueError for what the cloud does not take, in words."""
        owner = self.owner
        if topic == self.telemetry and owner.wraps:
            payload = borrow(owner.profile).wrapped(payload)
        elif topic != self.telemetry or qos > 1 or retain:
            borrow(owner.profile).check(owner.section, owner.name, topic, qos, retain)
        return Client.publish(self, topic, payload, qos, retain)

    def post(self, topic, payload, retain=False):
        """Queues a service's message of QoS 1, unchecked; as `publish` of Client."""
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        packet_id = self.packet_id()
        head = packet.publish(topic.encode(), len(payload), packet_id, retain)
        if len(head) + len(payload) > len(self.outbox.view):
            raise ValueError("{}: {} bytes are more than the outbox has".format(topic, len(payload)))
        receipt = self.outbox.add(head, payload, packet_id)
        if self.connection:
            self.connection.wake.set()
        return receipt

    def hear(self, topic_filter, qos, put):
        """Subscribes for a service, unchecked; `put` as for `subscribe` of Client."""
        return self.inbox.subscribe(topic_filter, qos, 1, put)

    def subscribe(self, topic_filter, qos=1, depth=8, put=None):
        """As Client; ValueError for what the cloud does not take, in words."""
        if topic_filter is not None and put is None:
            owner = self.owner
            borrow(owner.profile).check_filter(owner.section, owner.name, topic_filter, qos)
        return Client.subscribe(self, topic_filter, qos, depth, put)
