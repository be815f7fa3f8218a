"""Improv's packets: what is answered, what a network completes, and what is stored of it."""

import asyncio
import json
import os
import sys

from check import araises, raises
from documents import claim
from fakes import FakeLog, FakeMachine, FakeNVS, forget
from iot import probation
from iot.console import improv

HEADER = b"IMPROV\x01"
STATE, ERROR, COMMAND, RESULT = 1, 2, 3, 4
SETTINGS, GET_STATE, GET_INFO, GET_NETWORKS = 1, 2, 3, 4
OPEN, WPA2 = 0, 3


if not hasattr(sys.implementation, "_machine"):  # CPython's
    sys.implementation._machine = "Generic ESP32 module with ESP32"


class Stream:
    """Gives its bytes, then nothing more; or ends."""

    later = b""  # what comes after a pause

    def __init__(self, data, ends=True):
        self.left, self._ends = data, ends

    async def read(self, count):
        if not self.left and not self._ends:
            try:
                await asyncio.Event().wait()
            finally:
                self.left, self.later = self.later, b""
        byte, self.left = self.left[:1], self.left[1:]
        return byte


class Station:
    """A network.WLAN among networks {name: password}."""

    STA_IF = 0
    address = "0.0.0.0"

    def __init__(self, **networks):
        self.WLAN = lambda interface: self
        self.networks = networks
        self.joined = None

    def active(self, *on):
        return True

    def config(self, reconnects):
        pass

    def scan(self):
        if self.networks is None:
            raise OSError("Wifi Internal Error")
        return [
            (name.encode(), b"\2\0\0\0\0\1", 1, -60, WPA2 if password else OPEN, False)
            for name, password in self.networks.items()
        ]

    def ifconfig(self):
        return (self.address, "", "", "")

    def disconnect(self):
        self.joined = None

    def connect(self, ssid, password, bssid=None):
        right = ssid in self.networks and (password or "") == self.networks[ssid]
        self.joined = ssid if right else None
        self.reasons = [15 if ssid in self.networks else 201, 1001]  # at first it shows that it tries

    def isconnected(self):
        return self.joined is not None

    def status(self, *what):
        if what and not self.joined:
            raise OSError("Wifi Not Connected")
        return 1010 if self.joined else self.reasons.pop() if self.reasons[1:] else self.reasons[0]

    def __enter__(self):
        self._before = sys.modules.get("network")
        sys.modules["network"] = self

    def __exit__(self, *error):
        del sys.modules["network"]
        if self._before:
            sys.modules["network"] = self._before


class Settings:
    PRODUCT = "lamp"
    VERSION = "1.2"
    CONFIG = None


class System:
    mode = "CONFIG"
    device_id = "esp32-24"
    setup = stored = error = None

    def __init__(self, **settings):
        self.settings = Settings()
        for name, value in settings.items():
            setattr(self.settings, name, value)
        self.tasks, self.log, self.nvs = {}, FakeLog(), FakeNVS()
        self.output, self.saved, self.turns = b"", [], []

    def write(self, data):
        assert data[:7] == HEADER and data[-1:] == b"\n" and len(data) == 11 + data[8], data
        assert sum(data[:-2]) & 255 == data[-2]
        self.output += data

    def told(self):
        """(type, data) of what it wrote."""
        found, output, self.output = [], self.output, b""
        while output:
            end = 9 + output[8]
            found.append((output[7], output[9:end]))
            output = output[end + 2 :]
        return found

    def turn(self, event, reason):
        self.turns.append(event)

    def store(self):
        return self

    def save(self, document, on_trial):
        if self.error:
            raise self.error
        self.saved.append(document)

    def certificates(self):
        return {name: claim()["aws"][name] for name in ("root_ca", "claim_certificate", "claim_key")}


def command(number, data=b"", change=0):
    """What follows a command's type; `change` spoils its checksum."""
    body = bytes((len(data) + 2, number, len(data))) + data
    return body + bytes((sum(HEADER) + COMMAND + sum(body) + change & 255,))


def network(ssid, password):
    data = b""
    for text in (ssid.encode(), password.encode()):
        data += bytes((len(text),)) + text
    return command(SETTINGS, data)


def result(number, *strings):
    data = b""
    for text in strings:
        data += bytes((len(text),)) + text.encode()
    return RESULT, bytes((number, len(data))) + data


async def asked(system, packet, station=None):
    """What is told, once all of it is done."""
    with FakeMachine(), station or Station(Home="correct horse", Cafe=""):
        assert await improv.run(system, Stream(packet), system.write) == "improv"
        for task in system.tasks.values():
            await task
    return system.told()


def product():
    document = claim()
    del document["wifi"]
    return document


async def test_who_it_is_and_how_it_is():
    system = System()
    assert await asked(system, command(GET_STATE)) == [(STATE, b"\2")]
    ((kind, data),) = await asked(system, command(GET_INFO))
    assert kind == RESULT and data[:13] == b"\x03" + bytes((len(data) - 2,)) + b"\4lamp\0031.2" + data[11:13]
    assert data[-9:] == b"\x08esp32-24"


async def test_in_other_modes_it_is_provisioned_and_changes_nothing():
    system = System()
    system.mode = "NORMAL"
    assert await asked(system, command(GET_STATE)) == [(STATE, b"\0")]
    system.stored = {"config": {"app": {"url": "https://example.com/{id}"}}}
    assert await asked(system, command(GET_STATE)) == [
        (STATE, b"\4"), result(GET_STATE, "https://example.com/esp32-24"),
    ]  # fmt: skip
    for url in (None, 5, "x" * 201):
        system.stored = {"config": {"app": {"url": url}}}
        assert await asked(system, command(GET_STATE)) == [(STATE, b"\4"), result(GET_STATE)]
    for packet, error in ((command(GET_NETWORKS), b"\2"), (network("Home", "correct horse"), b"\xff")):
        await araises(ValueError, "in mode NORMAL", improv.run(system, Stream(packet), system.write))
        assert system.told() == [(ERROR, error)] and not system.tasks


async def test_what_is_no_packet_is_told():
    whole = command(GET_STATE)
    wrong = [whole[:size] for size in range(len(whole))]
    wrong += [command(GET_STATE, change=1), b"\0\xe1", b"\1\2\xe4", b"\x02\x02\x01\xe6", b"\xff" * 300]
    wrong += [
        command(SETTINGS, data)
        for data in (b"", b"\4Home", b"\5Home", b"\4Home\5abc", b"\1a\1bc", b"\1\xff\0")
    ]
    for packet in wrong:
        system = System()
        await araises(ValueError, "no whole packet", improv.run(system, Stream(packet), system.write))
        assert system.told() == [(ERROR, b"\1")] and not system.tasks, packet
    system = System()
    hangs = Stream(whole[:2], ends=False)
    await araises(ValueError, "no whole packet", improv.run(system, hangs, system.write))
    for number in (0, 5, 6, 7, 255):
        await araises(ValueError, "no command", improv.run(system, Stream(command(number)), system.write))
        assert system.told()[-1] == (ERROR, b"\2")


class Around:
    """What the module knows as `asyncio`, `sys` and `micropython` once Ctrl-C has ended the loop."""

    def __init__(self, system, left):
        self.stdin = self.stdout = self.buffer = self
        self.stream = Stream(left, ends=False)
        self.write = lambda data: system.write(data) if isinstance(data, bytes) else None
        self.characters = []
        self.kbd_intr = self.characters.append
        self._before = improv.asyncio, improv.sys, improv.micropython

    def StreamReader(self, file):
        return self.stream

    async def wait_for_ms(self, awaitable, ms):
        return await asyncio.wait_for_ms(awaitable, min(ms, 100))

    TimeoutError = asyncio.TimeoutError

    def __enter__(self):
        improv.asyncio = improv.sys = improv.micropython = self
        return self

    def __exit__(self, *error):
        improv.asyncio, improv.sys, improv.micropython = self._before


def running():
    system = System()
    system.mode, system.stored = "NORMAL", {"config": {"app": {"url": "https://example.com"}}}

    async def command(name, argument):
        assert name is None
        return await improv.run(system, argument, system.write)

    system.command = command
    return system


async def test_a_packet_that_has_ended_the_loop_by_its_ctrl_c_is_answered():
    """Wherever in the header it was read up to; and so is what comes next."""
    state = [(STATE, b"\4"), result(GET_STATE, "https://example.com")]
    for read in range(8):
        for more in (b"", HEADER + b"\3" + command(GET_STATE) + b"\n"):
            system = running()
            with Around(system, HEADER[read:] + command(GET_STATE) + b"\n") as around:
                around.stream.later = more
                assert await improv._talk(system)
            assert system.told() == (state * 2 if more else state), (read, more)
            assert around.characters == [-1]


async def test_a_ctrl_c_that_somebody_typed_leads_to_the_prompt():
    """And what an IDE sends behind it stays for the prompt."""
    for left, stays in (
        (b"", b""),
        (b"\r\x01", b"\x01"),
        (b"\r\x03\x03", b"\x03\x03"),
        (b"\x03", b""),
        (b"x", b""),
    ):
        system = running()
        with Around(system, left) as around:
            assert not await improv._talk(system)
            assert around.stream.left == stays and not around.characters and not system.output


class Loop:
    """`asyncio`, whose new loop ends with that answer."""

    def __init__(self, answer):
        self._answer = answer

    def new_event_loop(self):
        pass

    def run(self, coroutine):
        coroutine.close()
        return self._answer


class Chip(FakeMachine):
    resets = 0

    def reset(self):
        self.resets += 1
        raise OSError("reset")


def test_behind_a_packet_s_ctrl_c_the_chip_is_reset_and_else_there_is_the_prompt():
    system, chip = System(), Chip()
    try:
        with chip:
            improv.asyncio = Loop(False)
            improv.interrupted(system)
            assert system.log.lines == [
                "system: stopped by Ctrl-C; restarts in an hour, or by machine.reset()"
            ]
            improv.asyncio = Loop(True)
            raises(OSError, "reset", improv.interrupted, system)
            assert chip.resets == 1 and len(system.log.lines) == 1
    finally:
        improv.asyncio = asyncio


async def test_networks():
    system = System()
    assert await asked(system, command(GET_NETWORKS), Station(Home="correct horse")) == [
        result(GET_NETWORKS, "Home", "-60", "YES"), result(GET_NETWORKS),
    ]  # fmt: skip
    assert await asked(system, command(GET_NETWORKS), Station(Cafe="")) == [
        result(GET_NETWORKS, "Cafe", "-60", "NO"), result(GET_NETWORKS),
    ]  # fmt: skip
    deaf = Station()
    deaf.networks = None
    assert await asked(system, command(GET_NETWORKS), deaf) == [(ERROR, b"\xff")]
    assert system.log.lines == ["improv: no scan: Wifi Internal Error"]


async def test_a_network_completes_the_settings():
    document = product()
    document["app"] = {"url": "https://example.com/#{id}"}
    system = System(CONFIG=document)
    system.nvs.values["reached"] = 1
    assert await asked(system, network("Home", "correct horse")) == [
        (ERROR, b"\0"), (STATE, b"\3"), (STATE, b"\4"), result(SETTINGS, "https://example.com/#esp32-24"),
    ]  # fmt: skip
    assert system.saved[0]["wifi"] == [{"ssid": "Home", "password": "correct horse"}]
    assert isinstance(system.saved[0]["aws"]["claim_key"], bytes) and system.turns == ["committed"]
    assert not probation.reached(system.nvs) and "wifi" not in document
    assert "horse" not in str(system.log.lines)


async def test_a_network_takes_the_first_place_in_what_is_stored():
    config = product()
    for name in ("root_ca", "claim_certificate", "claim_key"):
        del config["aws"][name]
    wifi = [{"ssid": name, "password": ""} for name in ("Home", "a", "b", "c", "d", "e", "f", "Cafe")]
    system = System()
    system.stored = {"set": 0, "cloud": "aws", "config": dict(config, wifi=wifi)}
    assert (STATE, b"\4") in await asked(system, network("Cafe", ""))
    assert [one["ssid"] for one in system.saved[0]["wifi"]] == ["Cafe", "Home", "a", "b", "c", "d", "e", "f"]
    assert (STATE, b"\4") in await asked(system, network("New", "12345678"), Station(New="12345678"))
    assert [one["ssid"] for one in system.saved[1]["wifi"]] == ["New", "Home", "a", "b", "c", "d", "e", "f"]


async def test_a_network_that_does_not_let_it_in():
    for ssid, password, why in (
        ("Home", "wrong password", "does not accept the password"),
        ("Hame", "correct horse", "no network of this name"),
        ("Home", "short", "wifi[0].password: 8 to 64 bytes"),
        ("", "correct horse", "wifi[0].ssid: 1 to 32 bytes"),
    ):
        system = System(CONFIG=product())
        assert await asked(system, network(ssid, password)) == [
            (ERROR, b"\0"), (STATE, b"\3"), (STATE, b"\2"), (ERROR, b"\3"),
        ]  # fmt: skip
        assert why in system.log.lines[-1] and not system.saved and not system.turns, system.log.lines
        assert password not in str(system.log.lines)


async def test_what_is_missing_is_named_before_anything_is_tried():
    path = "/tmp/iot-unit-product-{}.json".format(getattr(os, "getpid", int)())
    with Station():
        from iot.console import provision

    half = product()
    del half["aws"]["root_ca"]
    for text, why in (
        (None, "endpoint and certificates are missing: neither CONFIG of firmware/settings.py nor " + path),
        ("[1]", path + ": not a JSON object"),
        ("{", path + ": ends early"),
        (json.dumps(half), "aws.root_ca: missing"),
    ):
        if text:
            with open(path, "w") as file:
                file.write(text)
        system = System()
        provision.PRODUCT = path
        try:
            await araises(ValueError, why, provision.provision(system, {"ssid": "Home", "password": ""}))
        finally:
            forget("iot.console.provision")
            if text:
                os.remove(path)
        assert not system.saved
    system = System()
    assert (await asked(system, network("Home", "correct horse")))[-2:] == [(STATE, b"\2"), (ERROR, b"\xff")]
    assert "endpoint and certificates are missing" in system.log.lines[-1]


async def test_what_flash_does_not_take_is_told():
    system = System(CONFIG=product())
    system.error = OSError(28, "ENOSPC")
    assert (await asked(system, network("Home", "correct horse")))[-2:] == [(STATE, b"\2"), (ERROR, b"\xff")]
    assert not system.turns and "28" in system.log.lines[-1]


async def test_one_thing_at_a_time():
    class Setup:
        """Has a phone's commit under way until `free` is set."""

        free = asyncio.Event()

        async def alone(self, work, *arguments):
            await self.free.wait()
            return await work(*arguments)

    system = System(CONFIG=product())
    system.setup = Setup()
    with FakeMachine(), Station(Home="correct horse"):
        await improv.run(system, Stream(network("Home", "correct horse")), system.write)
        for packet in (command(GET_NETWORKS), network("Home", "correct horse")):
            await araises(ValueError, "under way", improv.run(system, Stream(packet), system.write))
        await asyncio.sleep_ms(0)
        await improv.run(system, Stream(command(GET_STATE)), system.write)
        assert system.told()[-1] == (STATE, b"\3")
        system.setup.free.set()
        for task in system.tasks.values():
            await task
    assert system.told()[0] == (STATE, b"\4") and len(system.saved) == 1
