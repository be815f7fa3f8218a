"""A broker that hangs up on some packets: whatever else there is, in whatever order, gets through."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from life import PUBLISH, Life, hates
from stream import payload

GOOD, BAD = ("good", "fine"), ("bad", "worse")
_CONNECTIONS = 4  # that one culprit takes at most, and one more where acknowledgements got lost

actions = st.lists(
    st.tuples(st.sampled_from(("publish", "subscribe")), st.sampled_from(GOOD + BAD), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)
losses = st.lists(st.integers(0, 6), max_size=3)  # a fourth could be the packet's fault


@settings(deadline=None, max_examples=60)
@given(actions, losses, st.integers(1, 16))
def test_all_but_what_the_broker_hates_gets_through(
    wanted: list[tuple[str, str, int]], lost_acks: list[int], window: int
) -> None:
    asyncio.run(_life(wanted, lost_acks, window))


async def _life(wanted: list[tuple[str, str, int]], lost_acks: list[int], window: int) -> None:
    life = Life(window=window)
    life.broker.hates = hates(*BAD)
    messages, subscriptions = [], []
    for number, (kind, name, qos) in enumerate(wanted):
        if kind == "publish":
            messages.append((name, qos, number, life.client.publish(name, str(number), qos=qos)))
        else:
            subscriptions.append((name, life.client.subscribe(name, qos)))
    culprits = sum(1 for name, qos, _, _ in messages if qos and name in BAD)
    culprits += sum(name in BAD for name, _ in subscriptions)
    hates_qos_0 = sum(not qos and name in BAD for name, qos, _, _ in messages)
    for acks in lost_acks:  # connections on which only so many answers come, and then it ends
        if await _interrupted(life, acks):
            await life.client.disconnect()
            break
    await life.settle(len(lost_acks) + (culprits + hates_qos_0 + 1) * (_CONNECTIONS + 1))
    for name, qos, _, receipt in messages:
        if qos:
            assert receipt.done == (name in GOOD), name
    for name, subscription in subscriptions:
        assert subscription.granted is (name in GOOD), name
    taken = [payload(body, (first >> 1) & 1) for first, body in life.broker.sent(PUBLISH) if first & 6]
    first_times = [number for i, number in enumerate(taken) if number not in taken[:i]]
    assert first_times == sorted(first_times, key=int), "first sent in order"


async def _interrupted(life: Life, acks: int) -> bool:
    """A connection that the broker ends by itself after `acks` answers."""
    answer = life.broker._answer
    left = acks

    def some(stream: object, first: int, body: bytes) -> None:
        nonlocal left
        if first & 0xF0 in (PUBLISH, 0x80):
            left -= 1
            if left < 0:
                stream.hang_up()  # type: ignore[attr-defined]
                return
        answer(stream, first, body)

    life.broker._answer = some
    try:
        return await life.connection()
    finally:
        life.broker._answer = answer
