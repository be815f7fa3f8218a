"""A chip's clock that runs faster while its program waits."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tools.sim import Device, World

SPEED = 10


@pytest.fixture
async def device(tmp_path: Path, world: World) -> AsyncIterator[Device]:
    """A device on CPython, with a fast clock."""
    device = Device(tmp_path / "device", world, speed=SPEED)
    yield device
    await device.power_off()


async def test_waiting_is_short_and_all_clocks_agree_on_it(device: Device, run) -> None:
    before = time.monotonic()
    await run(
        """
        import asyncio, machine, time
        async def main():
            ticks, seconds = time.ticks_ms(), time.time_ns()
            await asyncio.sleep(5)
            try:
                await asyncio.wait_for_ms(asyncio.Event().wait(), 5_000)
            except asyncio.TimeoutError:
                pass
            time.sleep(5)
            passed_ms = time.ticks_diff(time.ticks_ms(), ticks)
            assert passed_ms >= 15_000, passed_ms
            passed_s = (time.time_ns() - seconds) / 1_000_000_000
            assert abs(passed_s - passed_ms / 1000) < 0.5, (passed_s, passed_ms)
        asyncio.run(main())
        """
    )
    skipped_s = device.chip.clock.ahead_s
    assert 0 <= time.monotonic() - before - (15 - skipped_s) < 100
    assert skipped_s == pytest.approx(15 * (1 - 1 / SPEED), rel=0.1)


async def test_work_is_not_hastened(device: Device, run) -> None:
    await run(
        """
        import time
        start = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), start) < 200:
            pass
        """
    )
    assert device.chip.clock.ahead_s == 0


async def test_a_world_that_is_late_brings_no_deadline_nearer(device: Device, load) -> None:
    load("import time; print('begun'); time.sleep(3600)")
    await device.power_on()
    await device.expect("^begun$")
    ahead_s = device.chip.clock.ahead_s
    time.sleep(1)  # the world does something else
    await asyncio.sleep(0)
    assert device.chip.clock.ahead_s - ahead_s < 1


async def test_the_time_outlives_a_reset_and_goes_with_the_worlds(device: Device, world: World, run) -> None:
    lines = await run(
        """
        import machine, network, socket, struct, time
        def world_s():
            wlan = network.WLAN(network.STA_IF)
            wlan.active(True)
            wlan.connect("Home", "correct horse")
            while not wlan.isconnected():
                time.sleep_ms(50)
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.sendto(bytes([0x1B] + [0] * 47), socket.getaddrinfo("pool.ntp.org", 123)[0][-1])
            return struct.unpack(">I", s.recv(48)[40:44])[0] - 3_155_673_600
        difference_s = world_s() - time.time()
        print(machine.reset_cause(), difference_s)
        if machine.reset_cause() == machine.PWRON_RESET:
            time.sleep(20)
            machine.reset()
        """
    )
    differences = [int(line.split()[1]) for line in lines if line[0] in "12"]
    assert len(differences) == 2 and abs(differences[0] - differences[1]) <= 1, lines
    assert device.chip.clock.ahead_s > 15


async def test_timers_and_the_watchdog_keep_to_it(device: Device, load) -> None:
    load(
        """
        import machine, time
        print("cause", machine.reset_cause())
        if machine.reset_cause() == machine.PWRON_RESET:
            rung = []
            machine.Timer(0).init(period=1_000, callback=lambda timer: rung.append(time.ticks_ms()))
            start = time.ticks_ms()
            time.sleep_ms(2500)
            passed = [time.ticks_diff(at, start) for at in rung]
            assert len(passed) == 2 and 990 < passed[0] < 2_500, passed
            machine.WDT(timeout=4_000)
            time.sleep(2)
            print("bites not yet")
            time.sleep(10)
        """
    )
    await device.power_on()
    await device.expect("^bites not yet$")
    await device.expect("^cause 3$")


async def test_delays_of_the_network_keep_to_it(device: Device, world: World, run) -> None:
    world.delay_ms = 2_000
    server = await asyncio.start_server(lambda reader, writer: writer.write(b"hello"), "127.0.0.1", 0)
    world.hosts["far.example.com"] = server.sockets[0].getsockname()[:2]
    async with server:
        await run(
            """
            import asyncio, network, time
            async def main():
                wlan = network.WLAN(network.STA_IF)
                wlan.active(True)
                wlan.connect("Home", "correct horse")
                while not wlan.isconnected():
                    await asyncio.sleep_ms(50)
                start = time.ticks_ms()
                reader, _ = await asyncio.open_connection("far.example.com", 1883)
                assert await reader.read(5) == b"hello"
                passed_ms = time.ticks_diff(time.ticks_ms(), start)
                assert passed_ms >= 6_000, passed_ms
            asyncio.run(main())
            """
        )
    assert device.chip.clock.ahead_s > 4
