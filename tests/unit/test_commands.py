"""Commands, each answered once within its time, whatever comes and whatever the handlers do."""

import asyncio
import json

from check import araises, raises
from fakes import FakeLog
from iot.aws import commands as module
from iot.aws.jobs import Jobs

PREFIX = "$aws/commands/things/lamp/executions/"
DEEP = b'{"action": "beep", "x": ' + b"[" * 500 + b"]" * 500 + b"}"
NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


class Subscription:
    closed = False

    def close(self):
        self.closed = True


class Client:
    """The thing's, with an outbox that may be full."""

    def __init__(self):
        self.filters = {}
        self.answers = []
        self.room = 99
        self.subscriptions = []

    def subscribe(self, topic_filter, qos, depth, put):
        self.filters[topic_filter[len(PREFIX) :]] = put
        self.subscriptions.append(Subscription())
        return self.subscriptions[-1]

    def publish(self, topic, payload, qos):
        assert qos == 1 and topic.startswith(PREFIX) and topic.endswith("/response/json")
        data = json.dumps(payload)
        if len(data.encode()) > 2000:
            raise ValueError("larger than the outbox")
        if not self.room:
            return False
        self.room -= 1
        self.answers.append((topic[len(PREFIX) :].partition("/")[0], json.loads(data)))
        return True


class Bench:
    def __init__(self):
        self.client = Client()
        self.log = FakeLog()
        self.tasks = []
        self.ran = []
        self.commands = module.make("lamp", Jobs("lamp", self.client, self), self.run, None, self.log)
        self.commands.on("beep", self.beep)

    def run(self, coroutine):
        self.tasks.append(asyncio.create_task(coroutine))
        return self.tasks[-1]

    def beep(self, payload):
        self.ran.append(payload)

    def send(self, payload, execution="e1"):
        data = payload if payload is None or isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client.filters["+/request/json"]((PREFIX + execution + "/request/json", data))

    async def ended(self):
        for _ in range(10_000):
            await asyncio.sleep_ms(1)
            if not [task for task in self.tasks if not task.done()]:
                assert self.commands.running == 0 and self.commands._module is None
                return
        raise AssertionError("it does not end")

    async def one(self, handler, payload=None, timeout_s=10):
        """The one answer to a command."""
        self.commands.on("beep", handler, timeout_s)
        self.send(payload or {"action": "beep"})
        await self.ended()
        ((execution, answer),) = self.client.answers
        assert execution == "e1"
        checked(answer)
        return answer


def checked(answer):
    """An answer that AWS takes."""
    assert answer["status"] in ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT")
    if answer["status"] != "SUCCEEDED":
        reason = answer["statusReason"]
        assert 1 <= len(reason["reasonCode"]) <= 64 and 1 <= len(reason["reasonDescription"]) <= 1024
        assert not [c for c in reason["reasonCode"] if c not in NAME or c != c.upper()]
        assert not [c for c in reason["reasonDescription"] if ord(c) < 32]
    for key, value in answer.get("result", {}).items():
        assert 1 <= len(key) <= 32 and not [c for c in key if c not in NAME]
        assert len(value) == 1 and (value.get("s") or isinstance(value.get("b"), bool))


async def test_a_command_is_done_and_answered():
    b = Bench()
    assert await b.one(b.beep, {"action": "beep", "times": 3}) == {"status": "SUCCEEDED"}
    assert b.ran == [{"action": "beep", "times": 3}]
    assert set(b.client.filters) == {"+/request/json", "+/response/rejected/json"}


async def test_its_name_may_be_the_member_command():
    b = Bench()
    assert (await b.one(b.beep, {"command": "beep"}))["status"] == "SUCCEEDED"


async def test_what_handlers_return():
    async def later(result):
        await asyncio.sleep_ms(1)
        return result

    for result, told in (
        ({"a": 1.5, "on": True, "b c": "x", "n": None}, {"a": "1.5", "on": True, "b_c": "x", "n": "None"}),
        ({}, None), (None, None), (7, None), ("text", None), ([1], None), (object(), None),
    ):  # fmt: skip
        for handler in (lambda p, r=result: r, lambda p, r=result: later(r)):
            answer = await Bench().one(handler)
            found = answer.get("result")
            found = found and {key: next(iter(value.values())) for key, value in found.items()}
            assert answer["status"] == "SUCCEEDED" and found == told
            if found:
                assert answer["result"]["on"] == {"b": True} and answer["result"]["a"] == {"s": "1.5"}
    hostile = {"k" * 500: "v" * 5000, "\0": '"' * 5000, "": ""}
    answer = await Bench().one(lambda payload: hostile)
    assert answer["status"] == "SUCCEEDED" and answer["result"]
    assert (await Bench().one(lambda payload: {7: False}))["result"] == {"7": {"b": False}}


async def test_what_handlers_raise():
    class Own(BaseException):
        pass

    for error in (KeyError("pear"), SystemExit(), Own("\0\n" * 999), ValueError("é" * 5000)):

        async def handler(payload, error=error):
            raise error

        answer = await Bench().one(handler)
        assert answer["status"] == "FAILED"
        assert answer["statusReason"]["reasonCode"] == type(error).__name__.upper()
        assert answer["statusReason"]["reasonDescription"].startswith(type(error).__name__ + ": ")


async def test_a_handler_that_runs_for_ever():
    b = Bench()
    cleaned = []

    async def handler(payload):
        try:
            await asyncio.sleep_ms(100_000)
        finally:
            cleaned.append(1)

    answer = await b.one(handler, timeout_s=1)
    assert answer["status"] == "TIMED_OUT" and cleaned == [1]


async def test_a_handler_that_will_not_be_cancelled_is_answered_all_the_same():
    b = Bench()
    leave = []

    async def handler(payload):
        while not leave:
            try:
                await asyncio.sleep_ms(20)
            except asyncio.CancelledError:
                pass

    b.commands.on("beep", handler, 1)
    b.send({"action": "beep"})
    while not b.client.answers:
        await asyncio.sleep_ms(5)
    assert b.client.answers[0][1]["status"] == "TIMED_OUT"
    leave.append(1)
    await b.ended()
    assert len(b.client.answers) == 1


async def test_a_handler_that_cancels_itself():
    async def handler(payload):
        raise asyncio.CancelledError

    assert (await Bench().one(handler))["statusReason"]["reasonCode"] == "CANCELLED"


async def test_what_nobody_can_do():
    for payload, code in (
        (None, "UNREADABLE"), (b"", "UNREADABLE"), (b"\xff", "UNREADABLE"), (b"[1]", "UNREADABLE"),
        (b"7", "UNREADABLE"), (b'{"action": "beep"', "UNREADABLE"), (b"{}", "UNKNOWN_COMMAND"),
        ({"action": "dance"}, "UNKNOWN_COMMAND"), ({"action": ["beep"]}, "UNKNOWN_COMMAND"),
        ({"action": {}}, "UNKNOWN_COMMAND"), ({"action": "\0" * 2500}, "UNKNOWN_COMMAND"),
    ):  # fmt: skip
        b = Bench()
        b.send(payload)
        await b.ended()
        ((_, answer),) = b.client.answers
        checked(answer)
        assert answer["status"] == "REJECTED" and answer["statusReason"]["reasonCode"] == code, payload
        assert not b.ran
    assert "dance" in (await told({"action": "dance"})) and "beep" in (await told({"action": "dance"}))


async def told(payload):
    b = Bench()
    b.send(payload)
    await b.ended()
    return b.client.answers[0][1]["statusReason"]["reasonDescription"]


async def test_500_levels_end_nothing():
    b = Bench()
    b.send(DEEP)
    await b.ended()
    assert b.client.answers[0][1]["status"] in ("SUCCEEDED", "REJECTED")


async def test_an_execution_that_comes_twice_is_done_once():
    b = Bench()
    for _ in range(3):
        b.send({"action": "beep"})
    await b.ended()
    b.send({"action": "beep"})
    await b.ended()
    assert len(b.ran) == 1 and len(b.client.answers) == 1
    for number in range(20):
        b.send({"action": "beep"}, "n{}".format(number))
        await b.ended()
    assert len(b.ran) == 21 and len(b.commands._known) == 8


async def test_four_at_once_and_no_more():
    b = Bench()
    go = asyncio.Event()

    async def handler(payload):
        b.ran.append(payload)
        await go.wait()

    b.commands.on("beep", handler)
    for number in range(6):
        b.send({"action": "beep"}, "n{}".format(number))
    await asyncio.sleep_ms(20)
    assert len(b.ran) == 4
    assert [(execution, answer["statusReason"]["reasonCode"]) for execution, answer in b.client.answers] == [
        ("n4", "BUSY"),
        ("n5", "BUSY"),
    ]
    go.set()
    await b.ended()
    assert sorted(execution for execution, _ in b.client.answers) == ["n0", "n1", "n2", "n3", "n4", "n5"]


async def test_a_full_outbox_is_waited_for():
    b = Bench()
    b.client.room = 0
    b.send({"action": "beep"})
    await asyncio.sleep_ms(20)
    assert not b.client.answers
    b.client.room = 1
    await b.ended()
    assert b.client.answers[0][1]["status"] == "SUCCEEDED"


async def test_a_full_outbox_is_not_waited_for_without_end():
    b = Bench()
    b.client.room = 0
    b.commands.on("beep", b.beep, 1)
    b.send({"action": "beep"})
    await b.ended()
    assert not b.client.answers and any("not answered" in line for line in b.log.lines)


async def test_an_application_that_ends_says_so():
    b = Bench()

    async def handler(payload):
        await asyncio.sleep_ms(100_000)

    b.commands.on("beep", handler)
    b.send({"action": "beep"})
    await asyncio.sleep_ms(20)
    for task in b.tasks:
        task.cancel()
    await araises(asyncio.CancelledError, "", b.tasks[0])
    await asyncio.sleep_ms(5)
    assert [answer["statusReason"]["reasonCode"] for _, answer in b.client.answers] in (
        ["ENDED"],
        ["CANCELLED"],
    )
    b.commands.close()
    assert not b.commands.handlers and all(one.closed for one in b.client.subscriptions)


async def test_what_the_cloud_refuses_is_in_the_log():
    b = Bench()
    put = b.client.filters["+/response/rejected/json"]
    put((PREFIX + "e1/response/rejected/json", b'{"error": "InvalidRequest", "errorMessage": "pear"}'))
    put((PREFIX + "e1/response/rejected/json", b"nonsense"))
    assert "e1" in b.log.lines[0] and "pear" in b.log.lines[0] and len(b.log.lines) == 2


def test_bounds_of_the_time():
    b = Bench()
    for timeout_s in (0, -1, 43201):
        raises(ValueError, "timeout_s: 1 to 43200", b.commands.on, "beep", b.beep, timeout_s)
    b.commands.on("beep", b.beep, 43200)
