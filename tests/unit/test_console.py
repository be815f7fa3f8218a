"""The console: lines in, answers out, and the commands behind them."""

import asyncio
import binascii
import json
import os

from check import araises
from documents import claim
from fakes import FakeMachine, FakeNVS
from iot import probation
from iot.console import commands, configure, lines
from iot.log import Log


class FakeInput:
    """A stream that gives its bytes one by one, then ends."""

    def __init__(self, text):
        self._text = text if isinstance(text, bytes) else text.encode()
        self._at = 0

    async def read(self, count):
        character = self._text[self._at : self._at + count]
        self._at += count
        return character


class Settings:
    SETUP_CODE = "abcd-efgh-jkmn"
    BUILT = (2026, 11, 20)


class FakeSystem:
    folder = "/tmp/iot-unit-{}".format(getattr(os, "getpid", int)())  # tests run side by side
    mode = "CONFIG"

    def __init__(self):
        self.calls = []
        self.tasks = {}
        self.error = self.document = self.nvs = self.clock = self.cloud = self.asked_ms = None
        self.settings = Settings
        self.device_id = "esp32-24"
        self.log = Log()

    def restart(self, reason):
        self.calls.append("restart")

    def turn(self, event, reason):
        self.calls.append(event)

    def store(self):
        return self

    def save(self, document, on_trial):
        assert not on_trial
        if self.error:
            raise self.error
        self.calls.append(document)


async def answers(text, system=None, run=None):
    written = []
    if not run:
        system = system or FakeSystem()

        async def run(name, argument):
            if name == "configure":
                return await configure.run(system, argument)
            return commands.run(system, name, argument)

    with FakeMachine():
        await lines.run(FakeInput(text), written.append, run)
    assert not written or written[-1].endswith("\n")
    return "".join(written).split("\n")[:-1]


async def test_a_line_calls_its_command():
    heard = []

    async def run(name, argument):
        heard.append((name, argument))
        return "done"

    lines = await answers("do\ndo  this \r\n\r\n\ndo that\n", run=run)
    assert heard == [("do", ""), ("do", " this "), ("do", "that")]
    assert lines == ["= ok done"] * 3


async def test_lines_that_make_no_sense():
    assert await answers("what\n") == ["= error no such command; help lists them"]
    assert await answers("x" * 1000 + "\n") == ["= error a line has at most 240 bytes, this one 1000"]
    assert await answers("unfinished") == []
    lines = await answers("h\u00fc" * 100 + "\n\u00fc\nmode\n")
    assert lines[0] == "= error a line has at most 240 bytes, this one 300"
    assert lines[1].startswith("= error no such command") and lines[2].startswith("= ok")


async def test_every_error_is_answered_and_the_console_goes_on():
    for error, text in (
        (ValueError("broken"), "broken"),
        (OSError("broken"), "broken"),
        (MemoryError("broken"), "broken"),
        (MemoryError(), "MemoryError: "),
        (AttributeError("broken"), "AttributeError: broken"),
        (asyncio.TimeoutError(), "TimeoutError: "),
    ):

        async def run(name, argument, error=error):
            if name == "a":
                raise error
            return "fine"

        assert await answers("a\nb\n", run=run) == ["= error " + text, "= ok fine"]


async def test_noise_on_the_line_is_answered():
    """All bytes there are but Ctrl-C, each alone, and in pairs that begin a character and do not end it."""

    async def run(name, argument):
        return "heard"

    for number in [number for number in range(256) if number != 3]:
        noise = bytes([number])
        for text in (noise, noise * 2, noise + b"mode", b"mode" + noise):
            lines = await answers(text + b"\nmode\n", run=run)
            assert lines[-1] == "= ok heard" and len(lines) <= 3, (text, lines)
            assert all([line.startswith("= ") for line in lines]), (text, lines)


async def test_ctrl_c_drops_the_line_and_stops_what_runs_where_there_is_none():
    async def run(name, argument):
        return "heard " + name

    assert await answers("mo\x03mode\nIMPRXV\x01\x03mode\n", run=run) == ["= ok heard mode"] * 2
    for text in ("\x03", "mode\n\x03", "mode\r\x03", "mo\x03\x03"):
        await araises(KeyboardInterrupt, "", answers(text, run=run))


async def test_what_begins_like_a_packet_is_no_line():
    """Behind noise and a line that was begun, too; the rest of it is read by whoever carries it out."""
    for before in (b"", b"mode\n", b"mo", b"\xff\0", b"IMPROV", b"IMPROV\x01"):
        heard = []

        async def run(name, argument, heard=heard):
            heard.append(name)
            if name is None:
                heard.append(await argument.read(1))
            return "done"

        await answers(before + b"IMPROV\x01\x03\x02\nmode\n", run=run)
        assert heard[-3:] == [None, b"\x02", "mode"] and len(heard) == (4 if before == b"mode\n" else 3), (
            before
        )


async def test_a_line_for_which_there_is_no_memory():
    """It costs a character, and the console goes on."""
    allocated = []

    def bytearray_(size):
        allocated.append(size)
        if len(allocated) == 1:
            raise MemoryError("memory allocation failed")
        return bytearray(size)

    async def run(name, argument):
        return name

    lines.bytearray = bytearray_
    try:
        assert await answers("xmode\n", run=run) == ["= error memory allocation failed", "= ok mode"]
    finally:
        del lines.bytearray


async def test_an_answer_in_pieces_is_one_line():
    async def run(name, argument):
        def pieces():
            yield '{"a": 1'
            if name == "bad":
                raise OSError("broken")
            yield "}"

        return pieces()

    lines = await answers("good\nbad\ngood\n", run=run)
    assert lines == ['= ok {"a": 1}', '= ok {"a": 1', "= error broken", '= ok {"a": 1}']


async def test_the_commands():
    system = FakeSystem()
    lines = await answers("help\nrestart\nfactory-reset --yes\n", system)
    assert lines[0].startswith(
        "= ok help | status | mode | code | wifi | log LEVEL | restart | factory-reset"
    )
    assert system.calls == ["restart", "factory_reset"]
    assert await answers("code\n", system) == ["= error flash could not be initialised"]
    system.nvs = FakeNVS()
    assert await answers("code\n", system) == ["= ok ABCD-EFGH-JKMN esp32-24"]
    lines = await answers("mode\nlog debug\nlog loud\n", system)
    assert lines[:2] == ["= ok CONFIG", "= ok log level debug"]
    assert lines[2].startswith("= error log level 'loud': one of error, warning, info, debug")


async def test_a_factory_reset_is_asked_for_twice():
    system, now_ms = FakeSystem(), [1000]
    system.log.uptime_ms = lambda: now_ms[0]
    lines = await answers("factory-reset --no\nfactory-reset\n", system)
    assert lines[0] == "= error factory-reset, or factory-reset --yes"
    assert lines[1].startswith("= error this erases configuration and certificate: type it again within 30 s")
    now_ms[0] += 30001
    assert (await answers("factory-reset\n", system))[0].startswith("= error this erases")
    assert not system.calls
    now_ms[0] += 30000
    lines = await answers("factory-reset\n", system)
    assert lines == ["= ok erasing configuration and certificate, then restarting"]
    assert system.calls == ["factory_reset"]


def in_pieces(document, size=100):
    text = json.dumps(document)
    lines = ["configure begin"]
    lines += ["configure data " + text[i : i + size] for i in range(0, len(text), size)]
    return "\n".join(lines + ["configure commit", ""])


async def test_a_configuration_in_pieces():
    for size in (1, 7, 100, 200):
        system = FakeSystem()
        system.nvs = FakeNVS()
        probation.set_reached(system.nvs, True)
        lines = await answers(in_pieces(claim(), size), system)
        assert lines[-1] == "= ok stored, restarting", lines[-1]
        assert system.calls[0]["aws"]["template"] == "Fleet_1" and system.calls[1:] == ["committed"]
        assert not probation.reached(system.nvs), "the new Wi-Fi was not seen to work"


def committed(document, told=None):
    """The lines of a configuration whose end proves it, as `python3 -m tools configure` sends them."""
    data = json.dumps(document).encode()
    told = told or "{} {:08x}".format(len(data), binascii.crc32(data))
    return in_pieces(document).replace("configure commit", "configure commit " + told)


async def test_what_came_is_proved_whole():
    system = FakeSystem()
    system.nvs = FakeNVS()
    assert (await answers(committed(claim()), system))[-1] == "= ok stored, restarting"
    whole = committed(claim()).split("\n")
    for lost in (1, 5, -3):
        system = FakeSystem()
        system.nvs = FakeNVS()
        system.tasks = {"cloud": None}  # which goes on: nothing was begun
        lines = await answers("\n".join(whole[:lost] + whole[lost:][1:]), system)
        assert " came, not " in lines[-1] and "send it again" in lines[-1]
        assert not system.calls and "document.new" not in os.listdir(system.folder)


async def test_of_what_fails_nothing_stays():
    for reached in (False, True):
        system = FakeSystem()
        system.nvs = FakeNVS()
        probation.set_reached(system.nvs, reached)
        system.error = OSError(28, "ENOSPC")
        await answers(in_pieces(claim()), system)
        assert probation.reached(system.nvs) == reached
        await answers("configure begin\n" + ("configure data " + "x" * 200 + "\n") * 90, system)
        assert system.document is None and "document.new" not in os.listdir(system.folder)


async def test_a_configuration_that_is_refused():
    document = claim()
    document["wifi"][0]["ssid"] = ""
    system = FakeSystem()
    system.nvs = FakeNVS()
    lines = await answers(in_pieces(document), system)
    assert lines[-1] == "= error wifi[0].ssid: 1 to 32 bytes"
    assert not system.calls
    lines = await answers("configure commit\n", system)
    assert lines == ["= error configure begin comes first"]
    system.error = OSError(28, "ENOSPC")
    lines = await answers(in_pieces(claim()), system)
    assert lines[-1].startswith("= error") and "ENOSPC" in lines[-1]


async def test_a_configuration_that_is_too_long():
    lines = await answers("configure begin\n" + ("configure data " + "x" * 200 + "\n") * 82)
    assert lines[-1] == "= error a configuration has at most 16384 bytes"
    assert (await answers("configure\n"))[0].startswith("= error configure begin")
    assert (await answers("configure begin\nconfigure what\n"))[
        1
    ] == "= error configure begin, data PIECE or commit [BYTES CRC32]"


async def test_the_time():
    system = FakeSystem()
    system.nvs, adjust = FakeNVS(), "time {}\n".format
    assert await answers(adjust("now") + adjust(-5), system) == ["= error time SECONDS: since 1970, UTC"] * 2
    assert await answers(adjust(1_000_000_000), system) == ["= error time: before this firmware was built"]
    assert await answers(adjust(1_800_000_000), system) == ["= ok taken as an estimate"]
    assert system.nvs.values["told_time"]
    system.clock = BorneOut
    lines = await answers(adjust(1_900_000_000), system)
    assert lines == ["= ok not taken, the cloud was reached with the time there is"]


class BorneOut:
    """A Clock with whose time the cloud was reached."""

    borne_out = True


class FakeCloud:
    def __init__(self, calls):
        self.client = self
        self._calls = calls

    async def disconnect(self):
        self._calls.append("disconnect")


async def forever(name, calls):
    try:
        await asyncio.Event().wait()
    finally:
        calls.append(name)


def in_normal():
    """A system in NORMAL, whose memory a configuration needs."""
    system = FakeSystem()
    system.nvs, system.cloud, system.stored = FakeNVS(), FakeCloud(system.calls), "stored"
    for name in ("wifi", "cloud", "application"):
        system.tasks[name] = asyncio.create_task(forever(name, system.calls))
    return system


async def without_wifi(system):
    system.tasks["wifi"].cancel()
    await araises(asyncio.CancelledError, "", system.tasks["wifi"])


async def test_a_configuration_in_normal_mode_has_the_memory_that_it_needs():
    system = in_normal()
    await asyncio.sleep_ms(0)  # they begin
    lines = await answers(in_pieces(claim()), system)
    assert lines[-1] == "= ok stored, restarting", lines[-1]
    assert system.calls[:3] == ["disconnect", "cloud", "application"] and system.calls[-1] == "committed"
    assert list(system.tasks) == ["wifi"] and system.stored is None
    await without_wifi(system)


async def test_whatever_is_wrong_with_it_normal_mode_begins_anew():
    system = in_normal()
    system.error = MemoryError("no room")
    lines = await answers(in_pieces(claim()), system)
    assert lines[-1] == "= error no room" and system.calls[-1] == "restart"
    await without_wifi(system)


async def test_a_configuration_without_a_flash():
    lines = await answers(in_pieces(claim()))
    assert lines[-1] == "= error flash could not be initialised"


async def test_a_configuration_that_is_begun_again():
    system = FakeSystem()
    system.nvs = FakeNVS()
    lines = await answers("configure begin\nconfigure data [[[\n" + in_pieces(claim()), system)
    assert lines[-1] == "= ok stored, restarting"
