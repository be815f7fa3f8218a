"""Limits and manners of the broker: what AWS says and MQTT does not."""

from tests.host.cloud.support import Identity, packet, publish_packet, text
from tests.second.asked.room import NOTHING, THING, Ask, Question, Room
from tests.second.client import ClosedError, connected, raw

_PAYLOAD = 128 * 1024
_GET = f"$aws/things/{THING}/shadow/name/none/get"


def _published(topic: str, size: int = 1, qos: int = 1, retain: bool = False) -> Ask:
    """Whether a message comes to who listens to its topic, here the same client."""

    async def ask(room: Room) -> str:
        async with room.another() as client:
            await client.subscribe(topic)
            await client.publish(topic, b"x" * size, qos, retain)
            return "delivered" if client.messages else "not delivered"

    return ask


def _subscribed(*filters: str) -> Ask:
    async def ask(room: Room) -> str:
        async with room.another() as client:
            codes = await client.subscribe(*filters)
            return "granted" if all(code < 0x80 for code in codes) else "refused"

    return ask


def _heard(topic_filter: str, topic: str, by_service: bool = False) -> Ask:
    """Whether who subscribed to the filter hears what another publishes."""

    async def ask(room: Room) -> str:
        async with room.another() as client:
            await client.subscribe(topic_filter)
            if by_service:
                await room.client.ask(topic, b"")
            else:
                await room.client.publish(topic, b"x")
            await client.settle()
            return "heard" if client.messages else "not heard"

    return ask


async def _many_filters(room: Room) -> str:
    async with room.another() as client:
        for number in range(51):
            await client.subscribe(f"many/{number}")
    return "granted"


async def _retained_for_a_wildcard(room: Room) -> str:
    topic = f"{room.new('kept')}/a"
    async with room.another() as client:
        await client.publish(topic, b"x", retain=True)
        await client.subscribe(topic.replace("/a", "/+"))
        await client.settle()
        return "sent" if client.messages else "not sent"


async def _retained(room: Room) -> str:
    topic = room.new("kept")
    async with room.another() as client:
        await client.publish(topic, b"x", retain=True)
        await client.subscribe(topic)
        await client.settle()
        return "sent" if client.messages else "not sent"


async def _fast(room: Room) -> str:
    """A thousand at once, where AWS's limit is 100 a second."""
    async with room.another() as client:
        topic = room.new("fast")
        await client.subscribe(topic, qos=0)
        await client.say(publish_packet(topic, b"x") * 1000)
        await client.settle()
        return "all delivered" if len(client.messages) == 1000 else "some discarded"


def _client_id(name: str) -> Ask:
    async def ask(room: Room) -> str:
        async with room.another(name):
            return "connected"

    return ask


async def _mqtt_5(room: Room) -> str:
    async with raw(room.aws, room.identity, room.folder) as peer:
        peer.send(packet(0x10, text("MQTT") + b"\x05\x02\x00\x3c\x00" + text("five")))
        body = await peer.expect(0x20)
        return "connected" if body[1] == 0 else f"refused, {body[1]:#x}"


async def _twice(room: Room) -> str:
    name = room.new("twice")
    async with room.another(name) as first, room.another(name) as second:
        await second.settle()
        try:
            await first.settle()
        except ClosedError:
            return "the first is closed"
    return "both stay"


def _denied(subscribe: bool) -> Ask:
    """With a policy that lets it connect and no more."""

    async def ask(room: Room) -> str:
        statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        identity: Identity = room.aws.create_identity(policy)
        async with connected(room.aws, identity, room.folder, room.new("denied")) as client:
            if not subscribe:
                await client.publish("any", b"x")
                return NOTHING
            return f"SUBACK {(await client.subscribe('any'))[0]:#x}"

    return ask


BROKER = {
    "a payload of 128 KiB": _published("size", _PAYLOAD),
    "a payload of 128 KiB and a byte": _published("size", _PAYLOAD + 1),
    "7 slashes": _published("a/b/c/d/e/f/g/h"),
    "8 slashes": _published("a/b/c/d/e/f/g/h/i"),
    "8 slashes in a filter": _subscribed("a/b/c/d/e/f/g/h/#"),
    "a topic of 256 bytes": _published("x" * 256),
    "a topic of 257 bytes": _published("x" * 257),
    "8 filters in a SUBSCRIBE": _subscribed(*"abcdefgh"),
    "9 filters in a SUBSCRIBE": _subscribed(*"abcdefghi"),
    "51 filters on a connection": _many_filters,
    "QoS 2": _published("two", qos=2),
    "a filter with # in its middle": _subscribed("a/#/b"),
    "a client id of 128 bytes": _client_id("x" * 128),
    "a client id of 129 bytes": _client_id("x" * 129),
    "MQTT 5": _mqtt_5,
    "a client id twice": _twice,
    "1000 messages at once": _fast,
    "a topic of the service's that is none": _published("$aws/none"),
    "a topic that begins with $": _published("$other"),
    "a filter that begins with $": _subscribed("$other"),
    "retained, by its topic": _retained,
    "retained, by a wildcard": _retained_for_a_wildcard,
    "retain on a service's topic": _published(f"$aws/things/{THING}/shadow/get", retain=True),
    "a/# hears a": _heard("heard/#", "heard"),
    "+ hears a": _heard("+", "heard"),
    "# hears a service's answer": _heard("#", _GET, by_service=True),
    "a request to a service is heard by others": _heard(_GET, _GET, by_service=True),
    "a publish that no policy allows": _denied(subscribe=False),
    "a subscription that no policy allows": _denied(subscribe=True),
}
QUESTIONS = [Question(f"broker, {name}", ask) for name, ask in BROKER.items()]
