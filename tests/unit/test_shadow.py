"""A thing's shadows: what is desired of it, what it reports, and a cloud that does not do as it should."""

import asyncio
import gc
import json

from check import raises
from shadow_cloud import PREFIX, Bench, NoPause


class Heard(list):
    """A handler that takes what it gets."""

    def __call__(self, value):
        self.append(value)


async def test_what_is_desired_is_handled_and_reported():
    async with Bench() as b:
        led, speed = Heard(), Heard()
        b.shadow.on("led", led)
        b.shadow.on("fan.speed", speed)
        await b.until(lambda: b.cloud.asked == [("/get", None)])
        b.cloud.desire({"led": True, "fan": {"speed": 3, "other": 1}, "unknown": 5})
        await b.until(lambda: b.cloud.reported() == {"led": True, "fan": {"speed": 3}})
        b.cloud.desire({"led": False})
        await b.until(lambda: b.cloud.reported() == {"led": False, "fan": {"speed": 3}})
        await b.quiet()
        assert led == [True, False] and speed == [3]
        assert not b.log.lines


async def test_what_waits_goes_out_before_it_asks():
    async with Bench() as b:
        b.cloud.waits = True
        b.shadow.on("led", Heard())
        await asyncio.sleep_ms(50)
        assert not b.cloud.asked and b.jobs.requests is None, "their code is not even loaded"
        b.cloud.waits = False
        await b.until(lambda: b.cloud.asked == [("/get", None)])


async def test_what_waits_for_too_long_does_not_keep_it_from_asking():
    async with Bench() as b:
        b.cloud.waits = True
        b.shadow.on("led", Heard())
        await b.until(lambda: b.cloud.asked == [("/get", None)])


async def test_what_a_handler_returns_is_reported():
    async def later(value):
        await asyncio.sleep_ms(1)
        return {"taken": value}

    async with Bench() as b:
        b.shadow.on("a", lambda value: min(value, 100))
        b.shadow.on("b.c", later)
        b.cloud.desire({"a": 150, "b": {"c": [1, 2]}})
        await b.until(lambda: b.cloud.reported() == {"a": 100, "b": {"c": {"taken": [1, 2]}}})
        await b.quiet()
        count = len(b.cloud.asked)
        b.cloud.say_delta()
        await b.quiet()
        assert len(b.cloud.asked) == count, "it is done once"
        b.cloud.desire({"a": 150})
        await b.until(lambda: len(b.cloud.asked) > count)


async def test_handlers_of_all_bad_kinds():
    def raises_it(value):
        raise KeyError("pear")

    async def raises_later(value):
        await asyncio.sleep_ms(0)
        raise SystemExit

    def cancels(value):
        raise asyncio.CancelledError

    async def cancels_later(value):
        raise asyncio.CancelledError

    def rubbish(value):
        return {1, 2}

    def circle(value):
        found = []
        found.append(found)
        return found

    bad = (raises_it, raises_later, cancels, cancels_later, rubbish, circle, lambda value: b.nothing)
    async with Bench() as b:
        for at, handler in enumerate(bad):
            b.shadow.on("bad%d" % at, handler)
        b.shadow.on("good", Heard())
        b.cloud.update({"reported": {"bad%d" % at: 0 for at in range(len(bad))}})
        b.cloud.desire({"bad%d" % at: 1 for at in range(len(bad))})
        b.cloud.desire({"good": 1})
        await b.until(lambda: b.cloud.reported() == {"good": 1})
        await b.quiet()
        count = len(b.cloud.asked)
        for _ in range(5):
            b.cloud.say_delta()
            await b.quiet()
        assert len(b.cloud.asked) == count, "a handler that fails is not called for ever"
        lines = [line for line in b.log.lines if "handler of bad" in line]
        assert len(lines) == len(bad) - 1, b.log.lines  # one has been cancelled
        assert [line for line in lines if "handler of bad0: pear" in line or "bad0: 'pear'" in line]


async def test_a_handler_that_runs_for_ever_holds_up_its_own_key_alone():
    calls = []
    go_on = asyncio.Event()

    async def slow(value):
        calls.append(value)
        await go_on.wait()

    async with Bench() as b:
        b.shadow.on("slow", slow)
        b.shadow.on("led", Heard())
        for value in range(20):
            b.cloud.desire({"slow": value, "led": value})
            await asyncio.sleep_ms(1)
        await b.until(lambda: b.cloud.reported() == {"led": 19})
        assert calls == [calls[0]] and len([task for task in b.tasks if not task.done()]) <= 3
        go_on.set()
        await b.until(lambda: b.cloud.reported() == {"led": 19, "slow": 19})
        assert calls == [calls[0], 19]


async def test_the_application_ends_while_a_handler_runs():
    begun, ended = [], []

    async def slow(value):
        begun.append(value)
        try:
            await asyncio.sleep_ms(1_000_000)
        finally:
            ended.append(value)

    b = Bench()
    b.begin()
    b.shadow.on("slow", slow)
    b.cloud.desire({"slow": 1})
    await b.until(lambda: begun)
    await b.end()
    assert ended == [1]
    assert [one.closed for one in b.cloud.subscriptions] == [True] * 3
    b.begin()
    led = Heard()
    b.shadow.on("slow", led)
    await b.until(lambda: led == [1])
    await b.until(lambda: b.cloud.reported() == {"slow": 1})
    await b.end()


async def test_reports_are_merged_into_few_updates():
    async with Bench() as b:
        b.cloud.connected = False
        assert b.shadow.report({"a": 1, "b": {"x": 1}})
        for value in range(50):
            assert b.shadow.report({"count": value})
        assert b.shadow.report({"b": {"y": [1, 2]}, "a": None})
        assert b.shadow.desire({"c": 1.5})
        await turns(50)
        assert b.cloud.asked == []
        b.connect()
        await b.quiet()
        state = {"reported": {"a": None, "b": {"x": 1, "y": [1, 2]}, "count": 49}, "desired": {"c": 1.5}}
        assert b.cloud.asked == [("/update", state)]


async def test_a_state_changes_after_it_was_reported():
    async with Bench() as b:
        state = {"a": {"b": [1]}, "c": "x"}
        b.shadow.report(state)
        state["a"]["b"].append(2)
        state["c"] = "y"
        await b.until(lambda: b.cloud.reported() == {"a": {"b": [1]}, "c": "x"})


async def test_what_has_no_room_in_one_update_goes_out_in_several():
    async with Bench(outbox_bytes=1024) as b:
        state = {"key%d" % at: {"a": "x" * 100, "b": at} for at in range(12)}
        assert b.shadow.report(state)
        await b.until(lambda: b.cloud.reported() == state)
        assert len(b.cloud.asked) > 2
        long = [1] * 200
        assert b.shadow.report({"list": long})  # whose answer is larger than the packet limit
        await b.until(lambda: b.cloud.reported().get("list") == long)
        await b.quiet()


async def test_what_cannot_be_reported():
    async with Bench(outbox_bytes=512) as b:
        for state in (None, [1], {"a": object()}, {"a": float("nan")}, {"a": [None]}, {1: 2}):
            raises(ValueError, "", b.shadow.report, state)
        raises(ValueError, "reported.a: ", b.shadow.report, {"a": "x" * 500})
        raises(ValueError, "desired.a.b: ", b.shadow.desire, {"a": {"b": ["x" * 500]}})
        await b.quiet()
        assert b.cloud.asked == []


async def test_too_much_waits():
    async with Bench() as b:
        b.cloud.connected = False
        taken = [b.shadow.report({"key%d" % at: "x" * 200}) for at in range(40)]
        assert 15 <= taken.count(True) <= 20 and not taken[-1]
        assert b.shadow.report({"key0": "y" * 200}), "the newest of what waits has room"
        assert sum([len(patch) for patch in b.shadow.patches]) <= 4096
        b.connect()
        await b.quiet()
        assert len(b.cloud.reported()) == taken.count(True) and b.cloud.reported()["key0"][0] == "y"


async def test_a_cloud_that_refuses_for_a_moment():
    with NoPause():
        async with Bench() as b:
            b.cloud.next = [
                (409, "Version conflict"),
                (429, "Too Many Requests"),
                (500, "Internal"),
                "lost",
                "twice",
            ]
            b.shadow.report({"a": 1})
            await b.until(lambda: len(b.cloud.asked) == 1)
            b.shadow.report({"a": 2, "b": 1})
            await b.until(lambda: b.cloud.reported() == {"a": 2, "b": 1})
            await b.quiet()
            assert b.cloud.asked == [("/update", {"reported": {"a": 1}})] * 5 + [
                ("/update", {"reported": {"a": 2, "b": 1}})
            ]
            assert not b.log.lines


async def test_a_cloud_that_refuses_for_good():
    async with Bench() as b:
        b.cloud.next = [(413, "The payload exceeds the maximum size allowed"), (400, "Invalid JSON")]
        b.shadow.report({"a": 1})
        await b.until(lambda: len(b.log.lines) == 1)
        b.shadow.report({"b": 1})
        await b.until(lambda: len(b.log.lines) == 2)
        b.shadow.report({"c": 1})
        await b.until(lambda: b.cloud.reported() == {"c": 1})
        assert "dropped, since refused: 413: The payload exceeds the maximum size allowed" in b.log.lines[0]
        assert "400: Invalid JSON" in b.log.lines[1]


async def test_a_get_that_is_refused_is_not_asked_for_again():
    async with Bench() as b:
        b.cloud.next = [(403, "Forbidden")]
        b.shadow.on("a", Heard())
        await b.until(lambda: b.log.lines)
        await b.quiet()
        assert len(b.cloud.asked) == 1


async def test_the_outbox_is_full():
    with NoPause():
        async with Bench() as b:
            b.cloud.full = True
            b.shadow.report({"a": 1})
            await asyncio.sleep_ms(20)
            b.cloud.full = False
            await b.until(lambda: b.cloud.reported() == {"a": 1})


async def test_the_connection_ends_in_every_step():
    for what in ("lost", "silent", "cut", "twice"):
        for steps in range(4):
            with NoPause():
                async with Bench() as b:
                    led = Heard()
                    b.shadow.on("led", led)
                    b.cloud.desire({"led": 1})
                    await turns(steps)
                    b.cloud.next = [what]
                    b.cloud.connected = False
                    b.cloud.desire({"led": 2})
                    await turns(steps)
                    b.connect()
                    await turns(steps)

                    def is_reported(b=b):
                        if not b.cloud.connected:
                            b.connect()
                        return b.cloud.reported() == {"led": 2}

                    await b.until(is_reported)
                    assert led[-1] == 2 and led.count(2) == 1, led


async def turns(count):
    for _ in range(count):
        await asyncio.sleep_ms(0)


async def test_what_was_missed_is_heard_once():
    async with Bench() as b:
        led = Heard()
        b.shadow.on("led", led)
        b.cloud.desire({"led": 1})
        await b.until(lambda: b.cloud.reported() == {"led": 1})
        await b.quiet()
        for value in (2, 3):
            b.cloud.connected = False
            subscriptions, b.cloud.subscriptions = b.cloud.subscriptions, []
            b.cloud.desire({"led": value})
            b.cloud.subscriptions = subscriptions
            b.cloud.asked.clear()
            b.connect()
            await b.until(lambda value=value: b.cloud.reported() == {"led": value})
            await b.quiet()
            # It reports what it knows, whose answer is the delta alone; then what that brought.
            states = [{"reported": {"led": value - 1}}, {"reported": {"led": value}}]
            assert b.cloud.asked == [("/update", state) for state in states]
        assert led == [1, 2, 3]


async def test_a_second_handler_hears_what_the_first_has_heard():
    async with Bench() as b:
        b.cloud.desire({"a": 1, "b": 2})
        b.shadow.on("a", lambda value: "other")
        await b.until(lambda: b.cloud.reported() == {"a": "other"})
        await b.quiet()
        b.shadow.on("b", Heard())
        await b.until(lambda: b.cloud.reported() == {"a": "other", "b": 2})


async def test_deltas_late_twice_and_out_of_order():
    async with Bench() as b:
        led = Heard()
        b.shadow.on("led", led)
        await b.quiet()
        topic = PREFIX + "/update/delta"
        for version, value in (
            (5, "five"),
            (4, "four"),
            (5, "five again"),
            (7, "seven"),
            (6, "six"),
            (7, "seven"),
        ):
            b.cloud.shadows.setdefault("", [0, {}, {}, {}])[0] = 7
            b.cloud.say(topic, {"version": version, "state": {"led": value}, "metadata": {"led": version}})
            await b.quiet()
        assert led == ["five", "seven"] and b.cloud.reported() == {"led": "seven"}


async def test_a_shadow_that_was_deleted_begins_anew():
    async with Bench() as b:
        led = Heard()
        b.shadow.on("led", led)
        for value in range(5):
            b.cloud.desire({"led": value})
            await b.until(lambda value=value: b.cloud.reported() == {"led": value})
        await b.quiet()
        del b.cloud.shadows[""]
        b.cloud.desire({"led": "unheard"})  # version 1
        await b.quiet()
        b.connect()
        await b.until(lambda: b.cloud.reported() == {"led": "unheard"})
        await b.quiet()
        del b.cloud.shadows[""]
        b.cloud.say(PREFIX + "/delete/accepted", {"version": 9})
        b.cloud.desire({"led": "again"})
        await b.until(lambda: b.cloud.reported() == {"led": "again"})


async def test_a_shadow_is_deleted_while_an_update_is_on_its_way():
    async with Bench() as b:
        b.shadow.on("led", Heard())
        for value in range(5):
            b.cloud.desire({"led": value})
        await b.until(lambda: b.cloud.reported() == {"led": 4})
        b.shadow.report({"a": 1})
        await asyncio.sleep_ms(0)
        b.cloud.shadows.clear()
        await b.until(lambda: b.cloud.reported() == {"a": 1})
        b.cloud.desire({"led": 7})
        await b.until(lambda: b.cloud.reported() == {"a": 1, "led": 7})


async def test_a_shadow_that_no_message_has_room_for():
    async with Bench() as b:
        b.cloud.update({"desired": {"big%d" % at: "x" * 500 for at in range(16)}})
        b.cloud.update({"reported": {"big%d" % at: "x" * 500 for at in range(16)}})
        b.cloud.desire({"led": 1})
        led = Heard()
        b.shadow.on("led", led)
        await b.until(lambda: led == [1])
        await b.quiet()
        assert b.cloud.asked[:2] == [("/get", None), ("/update", {"reported": {}})]
        assert b.cloud.reported()["led"] == 1 and not b.log.lines
        b.cloud.desire({"big%d" % at: "y" * 500 for at in range(16)})
        await b.until(lambda: b.log.lines)
        assert "$aws/things/lamp/shadow/update/delta: a message too large" in b.log.lines[0]


async def test_anothers_answer_that_is_too_large_is_not_ours():
    with NoPause():
        async with Bench() as b:
            b.cloud.next = ["lost"]
            b.shadow.report({"a": 1})
            await b.until(lambda: len(b.cloud.asked) == 1)
            b.cloud.say(PREFIX + "/update/accepted", {"state": "x" * 4000})
            await b.until(lambda: b.cloud.reported() == {"a": 1})


async def test_named_shadows():
    async with Bench() as b:
        one, other = b.shadow("one"), b.shadow("other")
        assert one is b.shadow("one") and one is not other and one is not b.shadow and one("other") is other
        raises(ValueError, "a shadow's name", b.shadow, "a/b")
        assert not b.cloud.subscriptions
        a, c = Heard(), Heard()
        one.on("a", a)
        other.on("a", c)
        other.report({"b": 1})
        assert [s.topic_filter[len(PREFIX) :] for s in b.cloud.subscriptions] == [
            "/name/+" + rest for rest in ("/+/accepted", "/+/rejected", "/update/delta")
        ]
        await b.quiet()
        b.cloud.desire({"a": 1}, "/name/one")
        b.cloud.desire({"a": 2}, "/name/other")
        b.cloud.desire({"a": 3}, "/name/third")
        await b.until(lambda: b.cloud.reported("/name/other") == {"a": 2, "b": 1})
        await b.until(lambda: b.cloud.reported("/name/one") == {"a": 1})
        assert a == [1] and c == [2] and "" not in b.cloud.shadows


async def test_messages_that_are_none():
    async with Bench() as b:
        led = Heard()
        b.shadow.on("led", led)
        await b.quiet()
        for document in (
            {},
            [],
            7,
            {"version": 1},
            {"version": "x", "state": 1},
            {"version": 2, "state": [1]},
        ):
            for rest in ("/update/delta", "/get/accepted", "/update/rejected", "/name/x/update/delta"):
                b.cloud.say(PREFIX + rest, document)
        await b.quiet()
        b.cloud.say(PREFIX + "/update/delta", {"version": 3, "state": {"led": 1}})
        await b.until(lambda: led == [1])


async def test_a_storm_ends_with_the_newest_value():
    async with Bench() as b:
        led = Heard()
        b.shadow.on("led", led)
        used = 0
        for value in range(1, 1001):
            b.cloud.desire({"led": value})
            if value % 8 == 0:
                await asyncio.sleep_ms(0)
            if value in (200, 1000):
                await b.quiet()
                led[:] = led[-1:]
                b.cloud.asked.clear()
                b.tasks[2:] = []
                gc.collect()
                grown = gc.mem_alloc() - used if hasattr(gc, "mem_alloc") else 0
                used += grown
        await b.until(lambda: b.cloud.reported() == {"led": 1000})
        assert led[-1] == 1000
        assert grown < 800 * 12, grown  # for each of 800 deltas: the smallest object has 16


async def test_the_same_in_json_as_on_the_wire():
    async with Bench() as b:
        b.shadow.report({"text": 'ä"\n', "number": -1.5, "yes": True})
        await b.until(
            lambda: b.cloud.reported() == json.loads('{"text": "ä\\"\\n", "number": -1.5, "yes": true}')
        )
