"""Resets, what outlives them, the watchdog, and the program's end."""

import asyncio

import pytest

from tools.sim import Device, World

RESETS = """
    import machine, time
    rtc = machine.RTC()
    print("cause", machine.reset_cause(), time.gmtime()[0], rtc.memory())
    if machine.reset_cause() == machine.PWRON_RESET:
        rtc.datetime((2026, 11, 20, 4, 12, 30, 0, 0))
        rtc.memory(b"kept")
        try:
            machine.reset()
        finally:
            print("never: a reset is at once")
    if machine.reset_cause() == machine.HARD_RESET:
        rtc.memory(b"kept again")
        machine.soft_reset()
"""


async def test_clock_and_rtc_memory_outlive_resets_but_not_the_power(device: Device, load) -> None:
    load(RESETS)
    for _ in range(2):
        await device.power_on()
        await device.expect("^cause 1 2000 b''$")
        await device.expect("^cause 2 2026 b'kept'$")
        await device.expect("^cause 5 2026 b'kept again'$")
        await device.expect("^end of main.py$")
        await device.power_off()
    assert not [line for line in device.lines if "never" in line]


async def test_the_rtc_shows_the_clock(run) -> None:
    await run(
        """
        import machine, time
        machine.RTC().datetime((2031, 5, 6, 0, 7, 8, 9, 250000))
        assert time.gmtime()[:5] == (2031, 5, 6, 7, 8)
        year, month, day, weekday, hour, minute, second, microsecond = machine.RTC().datetime()
        assert (year, month, day, weekday, hour) == (2031, 5, 6, 1, 7) and 0 <= microsecond < 1000000
        try:
            machine.RTC().memory(bytes(2049))
            assert False
        except ValueError:
            pass
        """
    )


async def test_the_watchdog_resets_a_program_that_hangs(device: Device, load) -> None:
    load(
        """
        import machine, sys
        print("cause", machine.reset_cause())
        if machine.reset_cause() != machine.WDT_RESET:
            watchdog = machine.WDT(timeout=3_600_000)
            print("begun")
            sys.stdin.readline()
            watchdog.feed()
            print("fed")
            while True:
                pass
        """
    )
    await device.power_on()
    await device.expect("^cause 1$")
    await device.expect("^begun$")
    assert device.chip._watchdog
    end = device.chip._watchdog.when()
    await device.send("feed it")
    await device.expect("^fed$")
    assert end < device.chip._watchdog.when()
    device.chip.watchdog_s = 0.1  # an hour later
    device.chip._on_feed()
    await device.expect("^cause 3$")
    await device.expect("^end of main.py$")


async def test_the_watchdog_also_bites_after_the_end_of_the_program(device: Device, load) -> None:
    load("import machine\nprint('cause', machine.reset_cause())\nmachine.WDT(timeout=500)")
    await device.power_on()
    await device.expect("^cause 1$")
    await device.expect("^cause 3$")
    await device.expect("^cause 3$")


@pytest.mark.parametrize("timeout", [0, -1])
async def test_a_watchdog_without_time_is_refused(run, timeout) -> None:
    lines = await run(
        f"""
        import machine
        try:
            machine.WDT(timeout={timeout})
        except ValueError as error:
            print(error)
        """
    )
    assert lines == ["WDT timeout too short"]


async def test_pins_are_seen_from_outside(device: Device, run) -> None:
    await run(
        """
        import machine
        led = machine.Pin(2, machine.Pin.OUT, value=1)
        assert led.value() == 1 and led() == 1
        led.off()
        led(1)
        for bad in ((24, machine.Pin.IN), (40, machine.Pin.IN), (34, machine.Pin.OUT)):
            try:
                machine.Pin(*bad)
                assert False
            except ValueError:
                pass
        assert machine.unique_id() == b"\\x24\\x0a\\xc4\\0\\0\\1"
        machine.freq(240000000)
        assert machine.freq() == 240000000
        """
    )
    assert device.chip.pins == {2: 1}


async def test_a_button_is_held_over_resets_and_losses_of_power(device: Device, load) -> None:
    load(
        """
        import machine, time
        button = machine.Pin(0, machine.Pin.IN, machine.Pin.PULL_UP)
        plain = machine.Pin(4, machine.Pin.IN)
        print("read", button.value(), machine.Pin(0).value(), plain.value())
        time.sleep_ms(200)
        if button.value():
            button.init(pull=None)
            print("floating", button.value())
        else:
            machine.reset()
        """
    )
    await device.power_on()
    await device.expect("^read 1 1 0$")
    await device.expect("^floating 0$")
    await device.power_off()
    device.chip.held_low.add(0)
    await device.power_on()
    await device.expect("^read 0 0 0$")
    await device.expect("^read 0 0 0$")  # after the reset, too
    device.chip.held_low.clear()
    await device.expect("^floating 0$")


async def test_power_off_ends_it_and_power_on_starts_it_again(device: Device, load) -> None:
    load("import time\nprint('running')\nwhile True: time.sleep(1)")
    await device.power_on()
    await device.expect("running")
    assert device.running and device.powered
    await device.power_off()
    assert not device.running and not device.powered
    with pytest.raises(RuntimeError, match="no program"):
        await device.send("hello")
    await device.power_on()
    await device.expect("running")
    assert device.lines == ["running", "running"]


async def test_expect_tells_what_it_saw_instead(device: Device, load) -> None:
    load("print('this')")
    await device.power_on()
    await device.expect("this")
    with pytest.raises(TimeoutError, match="no line with 'that' within 1 s; last lines:\nthis"):
        await device.expect("that", timeout_s=1)


async def test_a_device_ends_when_its_world_does(tmp_path, micropython) -> None:
    async with World() as world:
        device = Device(tmp_path, world, micropython=micropython)
        (device.files / "main.py").write_text(
            "import machine, time\nw = machine.WDT(timeout=60000)\nprint('up')\nwhile True:\n  w.feed()\n"
        )
        await device.power_on()
        await device.expect("up")
    await device.ended()
    await device.power_off()


async def test_two_devices_in_one_world_are_two(tmp_path, world: World, micropython) -> None:
    devices = [Device(tmp_path / str(n), world, f"24:0a:c4:00:00:0{n}", micropython) for n in range(2)]
    for device in devices:
        (device.files / "main.py").write_text("import machine\nprint(machine.unique_id()[-1])")
    async with asyncio.TaskGroup() as group:
        for device in devices:
            group.create_task(device.power_on())
    for n, device in enumerate(devices):
        await device.expect(f"^{n}$")
        await device.power_off()


def test_a_program_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-micropython"):
        Device(tmp_path, World(), micropython="no-such-micropython")
