"""What is between a device and a server: names, delay, lost Wi-Fi, and time servers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.patience import until
from tools.sim import Device, World
from tools.sim.ntp import NtpBehaviour

JOIN = """
    import asyncio, network, socket, time
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    wlan.connect("Home", "correct horse")
    while not wlan.isconnected():
        time.sleep_ms(10)
"""


class Echo:
    """A server that sends back what it gets, and counts its connections and their ends."""

    def __init__(self) -> None:
        self.connections = self.ended = 0
        self.received = b""
        self.ended_by: Exception | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while data := await reader.read(1000):
                self.received += data
                writer.write(data)
        except OSError as error:
            self.ended_by = error
        finally:
            self.ended += 1
            writer.close()


@pytest.fixture
async def echo(world: World) -> AsyncIterator[Echo]:
    echo = Echo()
    async with echo.serving() as port:
        world.hosts["echo.example"] = ("127.0.0.1", port)
        yield echo


async def test_names_need_wifi_and_have_to_be_known(world: World, run) -> None:
    world.unknown_names.add("gone.example")
    lines = await run(
        """
        import socket
        def resolve(name, port=8883):
            try:
                return socket.getaddrinfo(name, port)
            except OSError as error:
                print(name, error.errno)
        resolve("127.0.0.1")
        """
        + JOIN.replace("\n    ", "\n        ")
        + """
        resolve("nowhere.example")
        resolve("gone.example", 123)
        for known in ("127.0.0.1", "localhost"):
            family, kind, protocol, name, address = resolve(known)[0]
            assert family == socket.AF_INET and kind == socket.SOCK_STREAM
        """
    )
    assert lines == ["127.0.0.1 -202", "nowhere.example -202", "gone.example -202"]


async def test_a_stream_through_the_relay(echo: Echo, run) -> None:
    lines = await run(
        JOIN
        + """
    async def main():
        stream, writer = await asyncio.open_connection("echo.example", 7)
        assert stream is writer
        stream.write(b"one line\\nand ")
        await stream.drain()
        print(await stream.readline(), await stream.readexactly(3))
        stream.write(b" more")
        await stream.drain()
        buffer = bytearray(6)
        count = await stream.readinto(buffer)
        while count < 6:
            count += await stream.readinto(memoryview(buffer)[count:])
        print(buffer)
        large = bytes(range(256)) * 80
        async def write():
            stream.write(large)
            await stream.drain()
        writing = asyncio.create_task(write())
        assert await stream.readexactly(len(large)) == large
        await writing
        stream.close()  # does nothing
        stream.write(b"open")
        await stream.drain()
        print(await stream.readexactly(4))
        await stream.wait_closed()
    asyncio.run(main())
    """
    )
    assert lines[0] == r"b'one line\n' b'and'" and "more" in lines[1] and lines[2] == "b'open'"
    await until(lambda: echo.ended == 1, "the end of the connection")


async def test_a_reader_is_woken_when_its_stream_is_closed(echo: Echo, run) -> None:
    lines = await run(
        JOIN
        + """
    async def main():
        stream, _ = await asyncio.open_connection("echo.example", 7)
        async def read():
            try:
                print("read", await stream.read(10))
            except OSError as error:
                print("error", error.errno)
        reader = asyncio.create_task(read())
        await asyncio.sleep_ms(50)
        await stream.wait_closed()
        await asyncio.wait_for(reader, 100)
    asyncio.run(main())
    """
    )
    assert lines == ["error 9"]


@pytest.mark.parametrize("micropython", [None])  # it forgets the first: its assertion is compiled away
async def test_two_readers_on_one_stream_are_refused(echo: Echo, run) -> None:
    await run(
        JOIN
        + """
    async def main():
        stream, _ = await asyncio.open_connection("echo.example", 7)
        first = asyncio.create_task(stream.read(1))
        await asyncio.sleep_ms(10)
        try:
            await stream.read(1)
            assert False, "not refused"
        except AssertionError as error:
            assert "not refused" not in str(error)
        first.cancel()
    asyncio.run(main())
    """
    )


async def test_a_server_that_refuses_looks_like_a_reset(world: World, run) -> None:
    world.hosts["closed.example"] = ("127.0.0.1", 1)
    lines = await run(
        JOIN
        + """
    async def main():
        try:
            stream, _ = await asyncio.open_connection("closed.example", 1)
            print(await stream.read(1))
        except OSError as error:
            print(error.errno)
    asyncio.run(main())
    """
    )
    assert lines == ["104"]  # ECONNRESET


PING = """
    async def main():
        stream, _ = await asyncio.open_connection("echo.example", 7)
        for size in (1, 1, 1):
            start = time.ticks_ms()
            stream.write(b"x")
            await stream.drain()
            await stream.readexactly(1)
            print(time.ticks_diff(time.ticks_ms(), start))
        start = time.ticks_ms()
        for _ in range(10):
            stream.write(b"x")
            await stream.drain()
            await asyncio.sleep_ms(2)
        await stream.readexactly(10)
        print(time.ticks_diff(time.ticks_ms(), start))
    asyncio.run(main())
"""


async def test_delay_is_each_way_and_leaves_room_for_many_in_flight(world, echo, run) -> None:
    world.delay_ms = 200
    first, second, third, ten = (int(line) for line in await run(JOIN + PING))
    assert first >= 800 - 20  # SYN and its answer, then there and back
    assert min(second, third) >= 400 - 20
    assert 400 - 20 <= ten < 10 * 400


LOSS = (
    JOIN
    + """
    async def main():
        stream, _ = await asyncio.open_connection("echo.example", 7)
        stream.write(b"before")
        await stream.drain()
        print(await stream.readexactly(6))
        while wlan.isconnected():
            await asyncio.sleep_ms(10)
        stream.write(b"during")
        await stream.drain()
        print("written")
        try:
            print(await stream.read(10))
        except OSError as error:
            print("reset", error.errno)
        while not wlan.isconnected():
            await asyncio.sleep_ms(10)
        stream, _ = await asyncio.open_connection("echo.example", 7)
        stream.write(b"after")
        await stream.drain()
        print(await stream.readexactly(5))
    asyncio.run(main())
"""
)


async def test_lost_wifi_swallows_everything_and_its_return_resets(
    device: Device, world: World, echo: Echo, load
) -> None:
    load(LOSS)
    await device.power_on()
    await device.expect("before")
    world.wifi_lost(True)
    await device.expect("^written$")
    await asyncio.sleep(0.2)  # what would arrive had arrived by then
    assert echo.received == b"before" and device.lines[-1] == "written"
    world.wifi_lost(False)
    await device.expect("^reset 104$")
    await device.expect("after")
    await until(lambda: isinstance(echo.ended_by, ConnectionResetError), "a reset")


async def test_a_lost_network_takes_only_a_little(device: Device, world: World, echo: Echo, load) -> None:
    load(
        JOIN
        + """
    async def main():
        stream, _ = await asyncio.open_connection("echo.example", 7)
        stream.write(b"x")
        await stream.drain()
        print(await stream.read(1))
        while wlan.isconnected():
            await asyncio.sleep_ms(10)
        count = 0
        async def flood():
            nonlocal count
            while True:
                stream.write(bytes(1024))
                await stream.drain()
                count += 1
        try:
            await asyncio.wait_for_ms(flood(), 1000)
        except asyncio.TimeoutError:
            print("kilobytes", count)
    asyncio.run(main())
    """
    )
    await device.power_on()
    await device.expect("b'x'")
    world.wifi_lost(True)
    taken = await device.expect(r"^kilobytes (\d+)$")
    assert int(taken[1]) < 500


ASK = (
    JOIN
    + """
    import struct
    address = socket.getaddrinfo("pool.ntp.org", 123)[0][-1]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.connect(address)
    stamp = bytes(range(1, 9))
    sock.send(b"\\x23" + bytes(39) + stamp)
    start = time.ticks_ms()
    answer = None
    while answer is None and time.ticks_diff(time.ticks_ms(), start) < WAIT:
        time.sleep_ms(10)
        try:
            answer = sock.recv(48)
        except OSError:
            pass
    if answer and len(answer) == 48:
        assert answer[24:32] == stamp and answer[0] & 7 == 4 and answer[0] >> 6 == 0 and answer[1] == 2
        print(struct.unpack(">I", answer[40:44])[0] - 2208988800)
    else:
        print(answer)
"""
)


async def test_ntp_answers_with_the_time_and_with_its_offset(world: World, run) -> None:
    for offset_s in (0, -86400 * 365, 3600.5):
        world.ntp.offset_s = offset_s
        (seconds,) = await run(ASK.replace("WAIT", "30000"))
        assert abs(int(seconds) - time.time() - offset_s) < 30
    assert world.ntp.requests == 3


async def test_a_time_server_may_differ_from_the_others(world: World, run) -> None:
    world.time_servers["pool.ntp.org"] = NtpBehaviour(offset_s=-86400, late_s=0.5)
    (seconds,) = await run(ASK.replace("WAIT", "30000"))
    assert abs(int(seconds) - time.time() + 86400) < 30
    assert world.ntp.requests == 0
    world.time_servers["pool.ntp.org"].mode = "zero"
    for text, told in (
        ("answer[1] == 2", "-2208988800"),
        ("answer[1] == 0 and answer[12:16] == b'RATE'", None),
    ):
        (seconds,) = await run(ASK.replace("WAIT", "30000").replace("answer[1] == 2", text))
        assert told in (None, seconds)
        world.time_servers["pool.ntp.org"].mode = "kiss"


async def test_a_name_may_hold_a_chip(world: World, run) -> None:
    world.dns_s["echo.example"] = 0.5
    world.unknown_names.add("echo.example")
    lines = await run(
        JOIN
        + """
    start = time.ticks_ms()
    try:
        socket.getaddrinfo("echo.example", 7)
    except OSError:
        print(time.ticks_diff(time.ticks_ms(), start) >= 500)
    """
    )
    assert lines == ["True"]


async def test_ntp_stays_silent_or_talks_nonsense(world: World, run) -> None:
    world.ntp.mode = "silent"
    assert await run(ASK.replace("WAIT", "300")) == ["None"]
    world.ntp.mode = "garbage"
    (answer,) = await run(ASK.replace("WAIT", "30000"))
    assert answer.startswith("b'\\xff")


async def test_a_socket_s_deadline_passes_by_the_chip_s_clock(
    echo: Echo, device: Device, micropython, run
) -> None:
    """And one that may wait reads all that is asked for, as a stream of MicroPython does."""
    device.chip.clock.speed = 1 if micropython else 10
    program = """
    import errno
    sock = socket.socket()
    sock.settimeout(20)
    sock.connect(socket.getaddrinfo("echo.example", 7)[0][-1])
    sock.write(b"one")
    time.sleep_ms(200)
    sock.write(b"twothree")
    print(sock.read(6), sock.read(0), sock.read(3))
    start_ms = time.ticks_ms()
    try:
        sock.read(3)
    except OSError as error:
        print(error.errno == errno.ETIMEDOUT, 19900 < time.ticks_diff(time.ticks_ms(), start_ms) < 60000)
    sock.settimeout(0)
    print(sock.read(3))
    sock.close()
    """
    assert await run(JOIN + program) == [
        "b'onetwo' b'' b'thr'",
        "True True",
        "None",
    ]  # what was there is lost


async def test_ntptime_asks_its_host(world: World, run) -> None:
    world.time_servers["time.example"] = NtpBehaviour(offset_s=86400 * 365)
    program = """
    import ntptime
    ntptime.host = "time.example"
    now = ntptime.time()
    ntptime.settime()
    ntptime.host = "other.example"
    print(abs(now - time.time()) < 3, 364 < (now - ntptime.time()) / 86400 < 366)
    """
    assert await run(JOIN + program) == ["True True"]
