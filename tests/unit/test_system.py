"""The System: what leads out of a mode, which of two events counts, whom it asks and whom it tells."""

import asyncio

from check import araises, raises
from fakes import FakeMachine, FakeNVS, FakeTime, forget
from iot import modes
from iot.log import Log
from iot.memory import borrow


class Settings:
    LOG_LEVEL = "error"
    SETUP_CODE = "abcd-efgh-jkmn"
    WATCHDOG_MS = 60_000


class Machine(FakeMachine):
    """With a watchdog, and a reset that ends the test's program."""

    class Reset(BaseException):
        """The chip is reset."""

    def __init__(self):
        FakeMachine.__init__(self)
        self.watchdogs = []
        self.fed = 0

    def WDT(self, timeout):
        self.watchdogs.append(timeout)
        return self

    def feed(self):
        self.fed += 1

    def reset(self):
        raise self.Reset


def module_of(machine):
    """The module iot.system, on that chip."""
    with machine:
        forget("iot.system")
        from iot import system
    forget("iot.system")
    return system


def on_fake_time(machine):
    """The module, a System of it whose watchdog is `machine`, and the time that both go by."""
    module = module_of(machine)
    module.asyncio = module.time = time = FakeTime()
    module.memory = module.gc = Heap()
    system = module.System(Settings)
    system.watchdog = machine
    return module, system, time


def system_in(mode, event=None):
    """A System in that mode, for which `event` waits, or which has led there."""
    system = module_of(FakeMachine()).System(Settings)
    system.mode, system.turns, system.event = mode, modes.turns(mode), event
    return system


def test_an_event_leads_out_of_the_modes_that_have_it():
    for mode in modes.ROWS:
        for event in ("provisioned", "restart", "mode", "lunch"):
            system = system_in(mode)
            system.turn(event, "why")
            there = event in modes.turns(mode)
            assert (system.event, system.reason) == ((event, "why") if there else (None, "")), (mode, event)


def test_a_stronger_event_takes_the_place_of_what_waits_and_no_other_does():
    events = modes.turns("NORMAL")
    for waits in events:
        for event in events:
            system = system_in("NORMAL", waits)
            system.turn(event, "why")
            stronger = events.index(event) > events.index(waits)
            assert system.event == (event if stronger else waits), (waits, event)


def test_what_is_asked_for_while_a_mode_begins_counts():
    """Until its tasks have begun, what led there still stands in the place of what waits."""
    for event in ("restart", "factory_reset", "certificate_refused"):
        system = system_in("NORMAL", "configured")
        system.turn(event, "why")
        assert (system.event, system.reason) == (event, "why")


def test_what_is_told_leads_on_too():
    system = system_in("NORMAL", "configured")
    system.tell("provisioned", "lamp-1")
    assert system.event == "provisioned"


def told(system):
    """Its log's lines, from now on."""
    lines = []
    system.log = Log("info", lines.append)
    return lines


class Runs:
    """`asyncio` whose loop ends at once by an error."""

    def __init__(self, error):
        self._error = error

    def __getattr__(self, name):
        return getattr(asyncio, name)

    def run(self, coroutine):
        coroutine.close()
        raise self._error


class Improv:
    """The module that has to know of Ctrl-C."""

    def __init__(self):
        self.told = []
        self.interrupted = self.told.append


def test_ctrl_c_leaves_an_hour_and_whatever_else_leaves_the_loop_resets_the_chip():
    for error in (KeyboardInterrupt(), SystemExit(), RuntimeError("can't gather"), asyncio.CancelledError()):
        machine = Machine()
        module = module_of(machine)
        module.asyncio = Runs(error)
        system = module.System(Settings)
        lines = told(system)
        if isinstance(error, KeyboardInterrupt):
            improv = Improv()
            module.borrow = lambda name, improv=improv: improv
            system.run("load")
            assert machine.watchdogs == [60_000, 3_600_000] and improv.told == [system]
            assert system.load_application == "load"
            continue
        with machine:
            forget("iot.deaths")
            from iot import deaths

            deaths.time = FakeClock()
            module.borrow = lambda name, deaths=deaths: deaths
            raises(Machine.Reset, "", system.run, "load")
            forget("iot.deaths")
        assert machine.watchdogs == [60_000] and machine.fed == 10
        assert "its loop has ended" in lines[0]


class FakeClock:
    def sleep_ms(self, ms):
        pass


def test_what_needs_flash_says_that_there_is_none():
    system = system_in("IDLE")
    for call in (lambda: system.record("config", 10), system.store):
        raises(OSError, "flash could not be initialised", call)
    system.nvs = FakeNVS()
    system.record("key", 10).store(b"x")
    assert system.record("key", 10).load() == b"x" and system.store().load() is None
    assert system.service("packets").dropped == 0


def test_to_restart_is_asked_for_with_a_reason():
    system = system_in("NORMAL")
    system.restart("why not")
    assert (system.event, system.reason) == ("restart", "why not")


class Heap:
    """`memory` and `gc` as the system has them."""

    def __init__(self, free=30_000, total=92_000):
        self.free, self.total, self.collections = free, total, 0

    def heap_free(self):
        return self.free

    def heap_total(self):
        return self.total

    def mem_alloc(self):
        return 50_000

    def collect(self):
        self.collections += 1


async def test_a_command_has_its_memory_tidied_and_told():
    module = module_of(FakeMachine())
    module.memory = module.gc = heap = Heap()
    system = module.System(Settings)
    assert await system.command("mode", "") == "INIT"
    assert system.memory == (50_000, 30_000) and heap.collections == 1
    await araises(ValueError, "no such command", system.command("dance", ""))


async def test_a_command_waits_for_a_connection_in_the_making():
    module = module_of(FakeMachine())
    module.memory = module.gc = Heap()
    system = module.System(Settings)
    lines = told(system)
    system.tell("connecting", True)
    command = asyncio.create_task(system.command("mode", ""))
    for _ in range(20):
        await asyncio.sleep_ms(0)
    assert not command.done() and "connecting, a moment" in lines[0]
    system.tell("connecting", False)
    assert await command == "INIT"


async def test_the_code_of_configure_stays_between_its_pieces():
    module = module_of(FakeMachine())
    module.memory = module.gc = Heap()
    system = module.System(Settings)
    borrowed = []

    class Configure:
        async def run(self, system, argument):
            system.document = None if argument == "commit" else "a file"
            if argument == "commit":
                raise OSError("full")
            return argument

    def borrow(name):
        borrowed.append(name)
        return Configure()

    module.borrow = borrow
    for argument in ("begin", "data", "data"):
        assert await system.command("configure", argument) == argument
    await araises(OSError, "full", system.command("configure", "commit"))
    assert borrowed == ["iot.console.configure"]
    await system.command("configure", "begin")
    assert len(borrowed) == 2, "it was let go of with the document"


class Part:
    """A clock, a client or what heals, as far as it is told."""

    def __init__(self):
        self.heard = []
        self.client = self

    def tell(self, event, detail):
        self.heard.append((event, detail))

    def probe(self):
        self.heard.append("probe")

    def heal(self, system, reason):
        self.heard.append(("heal", reason))
        system.starved += 1

    def fed(self, system):
        self.heard.append("fed")
        system.starved = 0


def test_who_hears_of_what():
    module = module_of(FakeMachine())
    system = module.System(Settings)
    system.turns = modes.turns("NORMAL")
    system.clock, system.cloud, starving = Part(), Part(), Part()
    module.borrow = lambda name: starving
    system.events.on("cloud_up", starving.heard.append)
    system.tell("cloud_up", True)
    assert starving.heard == [True] and system.unreached is None, "the application; and nothing to heal"
    for event in ("unreached", "wifi_down", "cloud_down"):
        system.tell(event, event + " it is")
        assert system.unreached == event + " it is"
        system.tell("wifi_up", {})
        assert system.unreached is None
    assert system.clock.heard == [
        ("cloud_up", True), ("unreached", "unreached it is"), ("cloud_down", "cloud_down it is")
    ]  # fmt: skip
    assert system.cloud.heard == ["probe"] * 3, "a connection that did not survive shall end soon"
    starving.heard.clear()
    system.tell("starved", "no memory")
    system.tell("provisioned", "lamp")
    system.tell("cloud_up", True)
    assert starving.heard == [("heal", "no memory"), "fed", True]
    assert system.event == "provisioned"


def test_an_application_that_took_too_much_is_looked_for():
    module = module_of(FakeMachine())
    module.memory = module.gc = heap = Heap()
    system = module.System(Settings)
    settled = []

    class Starving:
        def settle(self, system, least):
            settled.append(least)

    module.borrow = lambda name: Starving()
    for grown, free, total, expected in (
        (None, 0, 200_000, 0),
        ("list", 30_000, 92_000, 0),
        ("list", 4000, 92_000, 1),
        ("list", 30_000, 92_001, 1),
    ):
        settled.clear()
        system.heap, system.heap_total, heap.free, heap.total = grown, 92_000, free, total
        for idle in (True, False):
            heap.collections = 0
            system._look_at_heap(idle)
            assert heap.collections == idle, "where that costs nothing"
        assert settled == [4096] * 2 * expected


async def test_a_part_that_ended_is_found_and_one_that_was_asked_to_is_waited_for():
    system = system_in("NORMAL")
    lines = told(system)

    async def forever():
        await asyncio.Event().wait()

    async def fails():
        raise KeyError("pear")

    async def ends():
        pass

    system.tasks["wifi"] = asyncio.create_task(forever())
    await asyncio.sleep_ms(0)
    assert system._done() is None
    for name, coroutine in (("clock", fails()), ("claim", ends())):
        system.tasks[name] = asyncio.create_task(coroutine)
        while not system.tasks[name].done():
            await asyncio.sleep_ms(0)
        assert system._done() == name
        await borrow("iot.endings").end(system, (name,))
    assert len(lines) == 1 and "clock died: KeyError" in lines[0]
    await borrow("iot.endings").end(system, ("wifi",))
    assert system.tasks == {} and len(lines) == 1


def test_ctrl_c_leads_to_the_prompt_also_where_memory_is_tight():
    machine = Machine()
    module = module_of(machine)

    class Interrupted:
        def run(self, coroutine):
            coroutine.close()
            raise KeyboardInterrupt

    def borrow(name):
        raise MemoryError

    system = module.System(Settings)
    module.asyncio, module.borrow = Interrupted(), borrow
    system.run(None)
    assert machine.watchdogs[-1] == 3600_000


async def test_the_watchdog_is_fed_until_something_leads_on():
    machine = Machine()
    _, system, time = on_fake_time(machine)
    changes = []

    class Over(Exception):
        pass

    async def change():
        changes.append(system.event)
        if system.event == "restart":
            raise Over
        system.mode, system.turns, system.event = "NORMAL", modes.turns("NORMAL"), None

    system._change = change
    running = asyncio.create_task(system._run())
    while time.now_ms < 5000:
        await asyncio.sleep_ms(0)
    assert machine.fed >= 49, "ten times a second"
    system.restart("enough")
    try:
        await running
        raise AssertionError("went on")
    except Over:
        pass
    assert changes == [None, "restart"]


async def test_what_a_notice_may_have_missed_is_looked_for():
    """A minute after the start, and then once a day: a job that waits, and a certificate that ends."""
    module, system, time = on_fake_time(Machine())
    looked = []

    class Looks:
        def __init__(self, name):
            self.name = name

        def look(self, *args):
            looked.append((self.name, time.now_ms // 1000))

    async def change():
        system.mode, system.turns, system.event = "NORMAL", modes.turns("NORMAL"), None

    system._change = change
    system.cloud, system.jobs = Looks("cloud"), Looks("jobs")
    module.borrow = Looks
    running = asyncio.create_task(system._run())
    while time.now_ms < 70_000:
        await asyncio.sleep_ms(0)
    running.cancel()
    await araises(asyncio.CancelledError, "", running)
    assert [name for name, _ in looked] == ["iot.aws.rotation", "jobs"]
    assert all(59 <= second <= 61 for _, second in looked)


async def test_a_part_that_dies_is_for_deaths_to_judge():
    module, system, _ = on_fake_time(Machine())
    judged = []

    class Deaths:
        async def of_task(self, system, name):
            judged.append(name)
            system.tasks.pop(name)
            system.event = "restart"

    class Over(Exception):
        pass

    async def change():
        if judged:
            raise Over
        system.tasks["wifi"] = asyncio.create_task(ends())

    async def ends():
        pass

    system._change = change
    module.borrow = lambda name: Deaths()
    try:
        await system._run()
        raise AssertionError("went on")
    except Over:
        pass
    assert judged == ["wifi"]
