"""Which way a device with Greengrass goes: to a core, to the next one, to AWS and back."""

import asyncio

from check import araises
from fakes import FakeLog
from iot.aws import greengrass
from iot.backoff import Backoff

KEPT = [["a", 8883, 0], ["b", 8883, 1]]


class Opener:
    def __init__(self, host="aws", port=8883, load=None):
        self.host, self.context = host, None

    def prepare(self):
        self.context = "context"

    async def open(self):
        return self.host


class Ended:
    """A connection that came about; `error` ended it, None: it was left."""

    def __init__(self, error):
        self.error = error
        self.left = False

    def leave(self):
        self.left = True


class Subscription:
    granted = True


class FakeClient:
    connected, reason, connection, refusals = False, None, None, 0

    def __init__(self):
        self.backoff = Backoff(randrange=lambda most: most - 1)
        self.inbox = self
        self.subscriptions = [Subscription()]

    async def flush(self, timeout_ms):
        pass


class FakeSystem:
    """A System and its parts, as far as the way to a core has to do with them; discovery, too."""

    Unanswered = ValueError
    name, on_trial, certificate_ends = "lamp", False, None

    def __init__(self, kept=KEPT, said=None):
        self.log = FakeLog()
        self.stored = {"config": {"aws": {"endpoint": "aws"}}}
        self.tasks, self.turns, self.jobs = {}, [], None
        self.client = FakeClient()
        self.opener = Opener()
        self.cloud = self
        self.known, self.said, self.asked = kept, said, 0
        greengrass.borrow = lambda name: self
        greengrass.tls = self
        self.cores = greengrass.Cores(self, self)

    Opener = Opener

    def store(self):
        return self

    def thing(self):
        pass

    def kept(self, system, name, endpoint):
        return self.known

    async def ask(self, system, name, endpoint):
        self.asked += 1
        if self.said is None:
            raise ValueError("nothing")
        before, self.known = self.known, self.said
        return self.said, self.said != before

    async def fails(self, reason="connection broken off"):
        """Where it goes; nothing comes of it."""
        host = await self.client.open_stream()
        self.client.reason = reason
        return host

    async def ends(self, error=None, after_ms=0):
        """Where it goes; it connects there, which ends."""
        host = await self.client.open_stream()
        self.client.connection = Ended(error)
        self.client.refusals = 0
        self.cores._opened_ms -= after_ms
        return host


async def several(count, way, *how):
    """Where it goes one time after the other."""
    hosts = []
    for _ in range(count):
        hosts.append(await way(*how))
    return hosts


async def test_the_first_that_answers_is_the_core_and_aws_comes_last():
    system = FakeSystem()
    assert await several(5, system.fails) == ["a", "b", "aws", "a", "b"]
    assert await system.ends() == "aws" and await system.fails() == "a"
    assert await system.ends() == "b" and await system.fails() == "b", "where it was, it looks first"


async def test_discovery_is_asked_before_the_first_connection_and_not_without_a_pause_again():
    system = FakeSystem(None, KEPT)
    assert await system.fails() == "a" and system.asked == 1
    assert await several(3, system.fails) == ["b", "aws", "a"] and system.asked == 1
    system.cores._wait_ms = 0
    assert await system.fails() == "b" and system.asked == 2 and "discovery: 2" in system.log.lines[0]


async def test_without_discovery_and_without_the_internet_the_kept_cores_count():
    system = FakeSystem()
    assert await system.ends() == "a" and system.asked == 0
    assert await several(4, system.fails) == ["a", "b", "aws", "a"] and system.asked == 1


async def test_a_core_that_is_not_trusted_has_discovery_asked_at_once_and_not_for_the_clock_s_sake():
    for reason, asked in (("TLS: not signed", 1), ("TLS: validity has expired", 0), ("no answer", 0)):
        system = FakeSystem(said=[["c", 8883, 0]])
        assert await system.ends() == "a"
        assert await system.fails(reason) == "a"
        assert await system.fails() == ("c" if asked else "b") and system.asked == asked


async def test_a_core_s_refusals_say_nothing_of_the_certificate():
    system = FakeSystem()
    client, counted = system.client, []
    for _ in range(6):
        await system.fails("refused by the broker")
        client.refusals += 1
        counted.append(client.refusals)
    assert counted == [0, 0, 1, 0, 0, 2], "what is 0 is none; those of AWS count in a row"


async def test_rounds_are_paused_for_by_backoff_and_cores_in_between_shortly():
    system = FakeSystem()
    pauses = []
    for _ in range(9):
        await system.fails()
        pauses.append(system.client.backoff.next_ms())
    assert pauses == [1000, 1000, 1000, 1000, 1000, 2000, 1000, 1000, 4000]


async def test_another_broker_is_asked_for_all_subscriptions_and_the_same_one_is_not():
    system = FakeSystem()
    (subscription,) = system.client.subscriptions
    for host, granted in (("a", None), ("a", True), ("a", True)):
        assert await system.ends() == host and subscription.granted is granted
        subscription.granted = True
    await system.fails()
    assert await system.ends() == "b" and subscription.granted is None


async def test_a_core_that_lets_go_soon_is_a_bad_one_the_third_time():
    system = FakeSystem()
    assert await several(4, system.ends, OSError(104)) == ["a", "a", "a", "b"]
    system = FakeSystem()
    assert await several(4, system.ends, OSError(104), 30000) == ["a"] * 4
    system = FakeSystem()
    assert await several(4, system.ends, None) == ["a"] * 4, "MQTT that steps aside is none"


async def test_who_does_not_answer_does_not_keep_the_others_waiting():
    class Late:
        TimeoutError = asyncio.TimeoutError

        async def wait_for_ms(self, opening, timeout_ms):
            assert await opening == "a" and timeout_ms == 3000
            raise asyncio.TimeoutError

    system = FakeSystem()
    greengrass.asyncio = Late()
    try:
        await araises(OSError, "nobody answers", system.client.open_stream())
    finally:
        greengrass.asyncio = asyncio
    assert await system.fails() == "b"


async def test_what_is_on_trial_is_for_aws_to_judge():
    system = FakeSystem()
    system.tasks["trial"] = True
    assert await system.ends() == "aws"
    del system.tasks["trial"]
    assert await system.ends() == "a"
    FakeSystem.on_trial = True
    try:
        assert await FakeSystem().ends() == "aws"
    finally:
        FakeSystem.on_trial = False


async def test_one_context_is_in_memory():
    system = FakeSystem()
    far = system.cores._far
    await system.fails()
    near = system.opener
    assert near is not far and await system.fails() == "b"
    assert near.context is None and await system.fails() == "aws"
    assert system.opener is far


async def looks(system, answers):
    """Whether it leaves AWS within a look."""
    cores, client = system.cores, system.client
    await system.ends()
    client.connected = True
    pauses = []

    async def any_answers(host, port):
        return answers

    async def sleep_ms(ms):
        pauses.append(ms)
        if len(pauses) > 1:
            raise EOFError

    cores._answers = any_answers
    before, greengrass.asyncio = greengrass.asyncio, system
    system.sleep_ms = sleep_ms
    try:
        await cores.run()
    except EOFError:
        pass
    finally:
        greengrass.asyncio = before
    assert len(pauses) == 2
    return client.connection.left


async def test_aws_is_left_for_a_core_that_answers():
    for answers in (True, False):
        system = FakeSystem()
        await system.fails()
        await system.fails()
        assert await looks(system, answers) is answers


async def test_aws_is_not_left_in_the_midst_of_what_no_core_has():
    class Jobs:
        job = update = None

    for spoil in ("turns", "job", "update", "trial"):
        system = FakeSystem([])
        system.jobs = Jobs()
        if spoil == "trial":
            system.tasks["trial"] = True
        elif spoil == "turns":
            system.turns.append(1)
        else:
            setattr(system.jobs, spoil, "one")
        assert await looks(system, True) is False, spoil


async def test_where_no_core_is_known_aws_is_left_to_ask_again():
    system = FakeSystem([], KEPT)
    assert await looks(system, False) is True
    system.client.connected = False
    assert await system.fails() == "a" and system.asked == 1


async def test_a_core_is_not_left():
    system = FakeSystem()
    assert await looks(system, True) is False
