"""Properties of a conversation: whatever comes, nobody gets in without the code and nothing is stored."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from ble_bench import OKM, Bench
from hypothesis import example, given, settings
from hypothesis import strategies as st
from iot.ble.conversation import Ended
from phone import AUTH, CONFIG, DATA, DEVICE_PRIVATE, GET, STATUS, Keys, begin, frames

SEALED = (CONFIG, STATUS, DATA)
REQUESTS = [GET, b"\2", b"\3", begin(b"{}"), b"\2\0\0\0\0{}", b"\1x", b"\0"]

channels = st.integers(1, 4)
requests = st.sampled_from(REQUESTS) | st.binary(min_size=1, max_size=60)
# What looks like a message of the protocol gets further than noise.
opening = st.builds(bytes.__add__, st.sampled_from([b"\1\1", b"\1\1\4", b"\2", b"\xff", b""]), st.binary())
noise = st.lists(
    st.tuples(channels, st.binary(max_size=60) | opening.filter(bool).map(lambda it: b"\xc0" + it)),
    max_size=20,
)


def in_loop(test: Callable[..., Any]) -> Callable[..., None]:
    """hypothesis calls plain functions."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def fed(bench: Bench, stream: list[tuple[int, bytes]]) -> bool:
    """Feeds frames until the phone is shown out, if it is; any error but Ended is the test's."""
    for channel, frame in stream:
        try:
            await bench.conversation.frame(channel, frame)
        except Ended:
            return True
    return False


async def worked(bench: Bench) -> None:
    """Gives what was asked for the time to be done."""
    running = asyncio.create_task(bench.setup.run())
    for _ in range(20):
        await asyncio.sleep(0)
    while bench.setup.committing:
        await asyncio.sleep(0.001)
    assert not running.done(), running
    running.cancel()


@settings(max_examples=300, deadline=None)
@given(noise)
@in_loop
async def test_any_bytes_before_the_proof(stream: list[tuple[int, bytes]]) -> None:
    bench = Bench()
    await fed(bench, stream)
    await worked(bench)
    assert not bench.conversation.proven and bench.opened == 0
    assert bench.saved == [] and bench.setup.document.size == 0
    assert all(channel == AUTH and message[0] in (1, 0xFF) for channel, message in bench.sent)
    assert DEVICE_PRIVATE not in b"".join(message for _, message in bench.sent)


@settings(max_examples=300, deadline=None)
@given(noise)
@in_loop
async def test_any_bytes_in_an_open_session(stream: list[tuple[int, bytes]]) -> None:
    bench = Bench(proven=True)
    whole = any(channel != AUTH and frame[:1] == b"\xc0" and len(frame) > 1 for channel, frame in stream)
    ended = await fed(bench, stream)
    await worked(bench)
    assert bench.saved == [] and bench.setup.document.size == 0
    if whole:  # a whole message that is not sealed
        assert ended
    if ended:
        assert not bench.conversation.proven


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SEALED), requests), max_size=12))
@example([(CONFIG, begin(b"{}")), (CONFIG, b"\2\0\0\0\0{}"), (CONFIG, b"\3")])
@in_loop
async def test_any_requests_of_a_phone_that_knows_the_code(asked: list[tuple[int, bytes]]) -> None:
    """Each is answered, once, on its characteristic; what is no configuration is not stored."""
    bench = Bench(proven=True)
    for channel, request in asked:
        sent = await bench.write(channel, bench.phone.seal(channel, request))
        assert [number for number, _ in sent] == [channel]
        answer = bench.phone.open(channel, sent[0][1])
        assert b'"code"' in answer and (channel != DATA or answer[0] == 0)
    bench.sent.clear()
    await worked(bench)
    for channel, message in bench.sent:
        bench.phone.open(channel, message)
    assert bench.saved == [] and bench.conversation.proven


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEALED), requests, st.data())
@in_loop
async def test_a_flipped_bit_ends_the_session(channel: int, request: bytes, data: st.DataObject) -> None:
    bench = Bench(proven=True)
    changed = bytearray(bench.phone.seal(channel, request))
    for bit in data.draw(st.sets(st.integers(0, 8 * len(changed) - 1), min_size=1, max_size=3)):
        changed[bit // 8] ^= 1 << bit % 8
    assert await fed(bench, [(channel, frame) for frame in frames(bytes(changed))])
    assert bench.sent == [(AUTH, b"\xff\3")] and not bench.conversation.proven
    assert bench.setup.document.size == 0 and not bench.setup.committing


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SEALED), requests), min_size=2, max_size=6), st.data())
@in_loop
async def test_only_the_next_message_on_its_characteristic_is_taken(
    asked: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Sealed messages that come again, out of turn, or on another characteristic end the session."""
    bench = Bench(proven=True)
    sealed = [(channel, bench.phone.seal(channel, request)) for channel, request in asked]
    position = data.draw(st.integers(0, len(sealed) - 1))
    index = data.draw(st.integers(0, len(sealed) - 1))
    channel = data.draw(st.sampled_from(SEALED))
    for number, message in sealed[:position]:
        assert not await fed(bench, [(number, frame) for frame in frames(message)])
    right = index == position and channel == sealed[index][0]
    document = bench.setup.document.size, bench.setup.document.at, bench.setup.committing
    ended = await fed(bench, [(channel, frame) for frame in frames(sealed[index][1])])
    assert ended is not right
    if ended:
        after = bench.setup.document.size, bench.setup.document.at, bench.setup.committing
        assert after == document and bench.sent[-1] == (AUTH, b"\xff\3")


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != OKM[96:128]), requests)
@in_loop
async def test_another_key_opens_nothing(key: bytes, request: bytes) -> None:
    bench = Bench(proven=True)
    message = Keys(OKM[:96] + key + OKM[128:]).seal(CONFIG, request)
    assert await fed(bench, [(CONFIG, frame) for frame in frames(message)])
    assert bench.setup.document.size == 0
