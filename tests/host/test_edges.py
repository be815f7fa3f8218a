"""The edges to the network: whatever one exchange raises or sends is a warning and a retry."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from clock_bench import BUILT_S, NOW_S, YEAR_S, Chip, Server
from fakes import FakeChip, FakeNVS, forget
from hypothesis import example, given, settings
from hypothesis import strategies as st
from iot.backoff import Backoff
from stream import Broker, Notes
from stream import client as made

from tests.patience import PATIENCE_S

NUMBERS = st.sampled_from([0, 5, 11, 12, 16, 104, 113, -2, -202, -0x7780, -0x2700, 1 << 40])
RAISED = (
    st.builds(OSError, NUMBERS, st.just("what the network says"))
    | st.builds(OSError, st.text(max_size=5))
    | st.builds(ValueError, st.just("x"))
    | st.builds(MemoryError)
    | st.builds(OverflowError, st.just("x"))
)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, PATIENCE_S))


# NTP and DNS.

CALLS = ("socket", "setblocking", "getaddrinfo", "sendto", "recv", "close")
packets = (
    st.binary(max_size=60).map(lambda data: lambda honest: data)
    | st.binary(min_size=48, max_size=48).map(
        lambda data: lambda honest: data[:24] + honest[24:32] + data[32:]
    )
    | st.tuples(st.integers(0, 47), st.integers(0, 255)).map(
        lambda change: lambda honest: honest[: change[0]] + bytes((change[1],)) + honest[change[0] + 1 :]
    )
    | st.just(lambda honest: None)
)
servers = st.builds(
    Server,
    offset_s=st.integers(-40 * YEAR_S, 140 * YEAR_S) | st.just(0),
    late_ms=st.integers(0, 12000),
    dns_ms=st.sampled_from([0, 0, 0, 5000, 15000]),
    packet=packets | st.just(bytes),
    error=st.none() | RAISED,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), servers, min_size=1),
    st.dictionaries(st.sampled_from(CALLS), RAISED, max_size=2),
    st.none() | st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, (1 << 31) - 200000),
    st.lists(st.tuples(st.integers(0, 60000), st.sampled_from(["cloud_up", "validity", "lost"])), max_size=5),
)
@example({"a": Server(42 * YEAR_S), "b": Server(42 * YEAR_S)}, {}, (1 << 31) - 1, 0, [])
def test_the_clock_survives_whatever_servers_say_and_sockets_raise(
    servers: dict[str, Server],
    faults: dict[str, Exception],
    kept: int | None,
    chip_s: int,
    told: list[tuple[int, str]],
) -> None:
    nvs = FakeNVS()
    if kept is not None:
        nvs.set_i32("last_time", kept)
    chip = Chip(servers, nvs, chip_s=chip_s)
    chip.faults.update(faults)

    async def live() -> None:
        with chip:
            clock = chip.clock()
            for ms, event in told:
                chip.at(
                    ms,
                    lambda event=event: clock.tell(
                        "cloud_up" if event == "cloud_up" else "cloud_down", event
                    ),
                )
            await chip.run(clock, 90000)
            if not told:
                assert clock.state != "unset"
                # The longest that the lookup of one name holds the loop, and what is due after 8 s.
                assert chip.events[0][0] <= 8100 + 15000

    run(live())
    assert all(BUILT_S <= seconds <= BUILT_S + 31 * YEAR_S for seconds in chip.set_to)
    assert isinstance(nvs.values.get("last_time", 0), int)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30 * 365 * 86400 - 86400), st.integers(0, 30 * YEAR_S // 2))
def test_a_time_of_any_era_that_two_servers_tell_is_believed(ahead_s: int, known_s: int) -> None:
    nvs = FakeNVS()
    nvs.set_i32("last_time", BUILT_S + known_s)
    offset_s = BUILT_S + ahead_s - NOW_S
    chip = Chip({"a": Server(offset_s), "b": Server(offset_s + 2)}, nvs)

    async def live() -> None:
        with chip:
            await chip.run(chip.clock(), 3000)

    run(live())
    assert chip.made.state == "sntp" and abs(chip.off_s() - offset_s) <= 4


# Wi-Fi, and DHCP behind it.


class Wlan:
    """A network.WLAN that connects; a call raises what is next in `faults`, by its name."""

    def __init__(self, faults: dict[str, list[Exception | None]]) -> None:
        self.faults = faults
        self.joined = False

    def _call(self, name: str) -> None:
        if (faults := self.faults.get(name)) and (error := faults.pop(0)):
            raise error

    def active(self, *on: bool) -> bool:
        self._call("active")
        self.joined = False
        return True

    def disconnect(self) -> None:
        self._call("disconnect")
        self.joined = False

    def connect(self, *arguments: object, **more: object) -> None:
        self._call("connect")
        self.joined = True

    def isconnected(self) -> bool:
        self._call("isconnected")
        return self.joined

    def ifconfig(self, *static: object) -> tuple[str, ...]:
        self._call("ifconfig")
        return ("192.168.4.9", "255.255.255.0", "192.168.4.1", "192.168.4.1")

    def ipconfig(self, **options: bool) -> None:
        self._call("ipconfig")

    def status(self, *what: str) -> int:
        self._call("status")
        return -50

    def config(self, *what: object, **more: object) -> int:
        return 0

    def scan(self) -> list[object]:
        self._call("scan")
        return []


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["active", "disconnect", "connect", "isconnected", "ifconfig", "ipconfig", "status", "scan"]
        ),
        st.lists(
            st.none() | RAISED | st.builds(RuntimeError, st.just("Wifi Unknown Error 0x0101")), max_size=4
        ),
    )
)
def test_wifi_survives_whatever_the_driver_raises(faults: dict[str, list[Exception | None]]) -> None:
    chip, told = Chip({}), []

    async def live() -> None:
        with FakeChip(), chip:
            forget("iot.wifi.station", "iot.wifi.join")
            try:
                from iot.wifi.station import Wifi  # noqa: PLC0415 - as after a start

                networks = [{"ssid": "Home", "password": ""}]
                wifi = Wifi(
                    Wlan(faults), networks, Backoff(1, 1), chip.log, lambda *event: told.append(event)
                )
                await chip.run(wifi, 600_000)
            finally:
                forget("iot.wifi.station", "iot.wifi.join")

    run(live())
    event, detail = told[-1]
    assert event == "wifi_up" and detail["ssid"] == "Home" and detail["ip"] == "192.168.4.9"


# TLS and MQTT.


@settings(max_examples=40, deadline=None)
@given(st.lists(RAISED, min_size=1, max_size=4), st.lists(st.binary(max_size=12), max_size=4))
def test_the_client_survives_whatever_a_connection_raises_and_a_broker_says(
    raised: list[Exception], said: list[bytes]
) -> None:
    broker, notes = Broker(), Notes()
    opened: list[None] = []

    async def open_stream() -> Any:
        opened.append(None)
        if len(opened) <= len(raised):
            raise raised[len(opened) - 1]
        stream = await broker.open_stream()
        if len(opened) <= len(raised) + len(said):
            broker.connack = None
            stream.feed(said[len(opened) - len(raised) - 1])
            stream.hang_up(raised[0] if isinstance(raised[0], OSError) else None)
        else:
            broker.connack = b"\x20\x02\x00\x00"
        return stream

    async def live() -> None:
        client = made(open_stream, notes, notes.notify, backoff=Backoff(1, 1))
        running = asyncio.create_task(client.run())
        while not client.connected:
            assert not running.done(), await running
            client._attempt_ms -= 2000  # nobody waits for the second between two attempts
            await asyncio.sleep(0.001)
            if running.done():
                await running
        await client.disconnect()
        await running

    run(live())
