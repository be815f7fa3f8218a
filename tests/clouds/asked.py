"""What each cloud is asked for the table of docs/clouds.md; an answer is the text of its cell."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.clouds.stands import Stand
from tests.host.cloud.support import packet, publish_packet
from tests.patience import PATIENCE_S
from tests.second.client import Client, ClosedError, RefusedError

CLOSED = "hangs up"
_PUBREC, _PUBCOMP, _SUBACK, _PUBACK = 0x50, 0x70, 0x90, 0x40
_KB = 1024
_PUBREL = packet(0x62, b"\0\1")

Ask = Callable[[Stand], Awaitable[str]]


async def _arrives(stand: Stand, client: Client, payload: bytes) -> dict[str, object]:
    """Wait until a message of telemetry is where it goes; what came with it."""

    def found() -> list[dict[str, object]]:
        if stand.heard is None:
            return [{} for _, got in client.messages if got == payload]
        return [more for got, more in stand.heard() if got == payload]

    async with asyncio.timeout(PATIENCE_S):
        while not found():
            await client.settle()
    return found()[0]


async def _listening(stand: Stand, client: Client) -> str:
    """The topic for telemetry, which the client hears itself where that goes to nobody else."""
    topic = stand.telemetry.format("lamp")
    if stand.heard is None:
        await client.subscribe(topic)
    return topic


def _shown(more: dict[str, object]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in more.items())


async def qos_0(stand: Stand) -> str:
    async with stand.client() as client:
        topic = await _listening(stand, client)
        await client.publish(topic, b"qos 0", qos=0)
        await _arrives(stand, client, b"qos 0")
        return "taken"


async def qos_1(stand: Stand) -> str:
    async with stand.client() as client:
        topic = await _listening(stand, client)
        await client.say(publish_packet(topic, b"qos 1", 1, 7))
        assert await client._until(_PUBACK) == b"\0\7"
        await _arrives(stand, client, b"qos 1")
        return "taken and acknowledged"


async def qos_2(stand: Stand) -> str:
    return f"a message: {await _publish_2(stand)}; a subscription: {await _subscribe_2(stand)}"


async def _publish_2(stand: Stand) -> str:
    try:
        async with stand.client() as client:
            topic = await _listening(stand, client)
            await client.say(publish_packet(topic, b"qos 2", 2, 1))
            await client._until(_PUBREC)
            await client.say(_PUBREL)
            await client._until(_PUBCOMP)
            await _arrives(stand, client, b"qos 2")
            return "taken once"
    except ClosedError:
        return CLOSED


async def _subscribe_2(stand: Stand) -> str:
    try:
        async with stand.client() as client:
            (code,) = await client.subscribe(stand.listen, qos=2)
            return f"granted QoS {code}"
    except ClosedError:
        return CLOSED


async def retain(stand: Stand) -> str:
    topic = stand.telemetry.format("lamp")
    async with stand.client() as client:
        await client.publish(topic, b"retained", retain=True)
        if stand.heard is not None:
            more = await _arrives(stand, client, b"retained")
            return f"taken with {_shown(more)}" if more else "taken, and not retained"
        kept = []
        for topic_filter in (topic, topic.replace("lamp", "+")):
            client.messages.clear()
            await client.subscribe(topic_filter)
            await client.settle()
            kept.append("kept" if client.messages else "not sent")
        return f"{kept[0]}; for a wildcard {kept[1]}"


async def will(stand: Stand) -> str:
    topic = stand.telemetry.format("lamp")
    async with stand.client("other") as watcher:
        await _listening(stand, watcher)
        try:
            async with stand.client(will=(topic, b"the will", 1, False)):
                raise ConnectionError("lost")
        except ConnectionError:
            pass
        if stand.heard is None:
            await _arrives(stand, watcher, b"the will")
            return "sent"
        async with stand.client() as again:  # the old connection's end is known by now
            await again.publish(topic, b"after the will")
        await _arrives(stand, watcher, b"after the will")
        found = [more for payload, more in stand.heard() if payload == b"the will"]
        return f"taken as telemetry with {_shown(found[0])}" if found else "not sent"


async def one_id(stand: Stand) -> str:
    async with stand.client() as older, stand.client() as newer:
        try:
            await older.settle()
        except ClosedError:
            await newer.settle()
            return "the older one is out"
        return "both stay"


async def wildcard(stand: Stand) -> str:
    return await _subscribed(stand, "#")


async def own_topic(stand: Stand) -> str:
    try:
        async with stand.client() as client:
            await client.publish("house/kitchen", b"own")
            return "taken"
    except ClosedError:
        return CLOSED


async def device_to_device(stand: Stand) -> str:
    """One listens to another's telemetry."""
    topic = stand.telemetry.format("other")
    if (answer := await _subscribed(stand, topic)) != "granted":
        return answer
    async with stand.client() as lamp, stand.client("other") as other:
        await lamp.subscribe(topic)
        await other.publish(topic, b"hello")
        async with asyncio.timeout(PATIENCE_S):
            while not lamp.messages:
                await lamp.settle()
        return "delivered"


async def _subscribed(stand: Stand, topic_filter: str) -> str:
    try:
        async with stand.client() as client:
            (code,) = await client.subscribe(topic_filter)
            return "granted" if code < 0x80 else "refused (0x80)"
    except ClosedError:
        return CLOSED


async def keep_alive(stand: Stand) -> str:
    """How long it stands silence, by the keep-alive that was asked for; its clock is not waited for."""
    answers = []
    for asked_s in (0, 10, 300, 3600):
        try:
            async with stand.client(keep_alive_s=asked_s):
                limits = stand.limits
                silent_s = (
                    limits.keep_alive_s(asked_s) * limits.keep_alive_factor if limits else asked_s * 1.5
                )
                answers.append(f"{asked_s} s: {f'{silent_s:.0f} s' if silent_s else 'for ever'}")
        except (ClosedError, RefusedError):
            answers.append(f"{asked_s} s: refused")
    return ", ".join(answers)


async def size(stand: Stand) -> str:
    """The largest payload that is taken, of some."""
    largest = 0
    for kb in (100, 128, 255, 256, 300):
        try:
            async with stand.client() as client:
                await client.say(publish_packet(stand.telemetry.format("lamp"), bytes(kb * _KB), 1, 7))
                await client._until(_PUBACK)
                largest = kb
        except ClosedError:
            return f"{largest} KB; {kb} KB: {CLOSED}"
    return f"{largest} KB and more"


QUESTIONS: dict[str, Ask] = {
    "QoS 0": qos_0,
    "QoS 1": qos_1,
    "QoS 2": qos_2,
    "retain": retain,
    "will": will,
    "two clients of one id": one_id,
    "the wildcard `#`": wildcard,
    "a topic of one's own": own_topic,
    "device to device": device_to_device,
    "silence, by keep-alive": keep_alive,
    "size of a payload": size,
}
