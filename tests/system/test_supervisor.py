"""What ends a part, the loop or a command, and by whom: the device goes on, says so, and wears nothing."""

import asyncio
import random
import re

import pytest

from tests.system.house import ANSWER_S, START_S, House, ask, seen, status
from tools.sim import Device

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
LINES = 60


def faster(device: Device, module: str, name: str, value: int) -> None:
    """Replace a constant of a device's module, so that a test need not wait."""
    file = device.files / "lib/iot" / module
    text, count = re.subn(
        rf"^{name} = const\(.*?\)", f"{name} = const({value})", file.read_text(), flags=re.M
    )
    assert count == 1
    file.write_text(text)


STRAY_EXIT = """
    import asyncio
    import sys

    async def stray():
        sys.exit()

    async def main(thing):
        asyncio.create_task(stray())
        await asyncio.sleep(3600)
    """
AWAITED_TWICE = """
    import asyncio

    async def sleeps():
        await asyncio.sleep(3600)

    async def wait_for(task):
        await task

    async def main(thing):
        task = asyncio.create_task(sleeps())
        asyncio.create_task(wait_for(task))
        await asyncio.sleep_ms(10)
        await asyncio.gather(task)
    """


async def test_what_leaves_the_loop_is_logged_and_the_chip_starts_again(house: House) -> None:
    """With pauses that grow from life to life."""
    device = house.device(STRAY_EXIT)
    faster(device, "deaths.py", "_FIRST_MS", 500)
    await house.normal(device)
    for pause_s in (0, 1, 2):
        await device.expect(r"E system: its loop has ended: SystemExit", START_S)
        await device.expect(rf"W system: restarts in {pause_s} s", START_S)
        await device.expect(r"system: mode NORMAL", START_S)


@pytest.mark.micropython
async def test_a_gather_that_micropython_refuses_is_a_failure_like_any_other(house: House) -> None:
    device = house.device(AWAITED_TWICE)
    faster(device, "application.py", "_FIRST_MS", 200)
    await house.normal(device)
    for _ in range(2):
        await device.expect(r"E application: failed, will start again: RuntimeError: can't gather", START_S)
    assert (await status(device))["mode"] == "NORMAL"


async def test_sys_exit_is_a_failure_like_any_other(house: House) -> None:
    app = """
        import sys

        async def main(thing):
            thing.log.info("app", "exits")
            sys.exit()
    """
    device = house.device(app)
    faster(device, "application.py", "_FIRST_MS", 200)
    await house.normal(device)
    await device.expect(r"cloud: connected", START_S)
    boots = device.chip.boots
    for _ in range(3):
        await device.expect(r"E application: failed, will start again: SystemExit", START_S)
    assert device.chip.boots == boots
    assert (await status(device))["mode"] == "NORMAL"


async def test_no_sender_outlives_its_application(house: House) -> None:
    app = """
        import asyncio

        runs = [0]

        async def send(thing, run):
            while True:
                thing.log.info("app", "sender of run {}", run)
                await asyncio.sleep_ms(50)

        async def main(thing):
            runs[0] += 1
            thing.run(send(thing, runs[0]))
            await asyncio.sleep_ms(200)
            if runs[0] < 3:
                raise KeyError("on purpose")
    """
    device = house.device(app)
    faster(device, "application.py", "_FIRST_MS", 1)
    await house.normal(device)
    await device.expect(r"sender of run 3", START_S)
    await asyncio.sleep(1)
    late = device.lines[-10:]
    assert any("sender of run 3" in line for line in late)
    assert not any("sender of run 1" in line or "sender of run 2" in line for line in late)


async def test_a_task_of_the_system_that_returns_or_is_cancelled_is_dead(house: House) -> None:
    device = house.device()
    faster(device, "deaths.py", "_FIRST_MS", 500)
    await house.telemetry(device)
    await device.power_off()
    clock = device.files / "lib/iot/clock/keeper.py"
    whole = clock.read_text()
    for fault, words in (("return", "it returned"), ("raise asyncio.CancelledError", "it was cancelled")):
        assert "certain = False" in whole
        clock.write_text(whole.replace("certain = False", fault))
        await device.power_on()
        await device.expect(rf"E system: clock died: RuntimeError: {words}", START_S)
        await device.expect(r"system: restarting: clock died", START_S)
        await device.power_off()
    clock.write_text(whole)
    await device.power_on()
    await device.expect(ACKNOWLEDGED, START_S)


async def test_a_factory_reset_is_not_overwritten_by_a_restart(house: House) -> None:
    """Whoever asks for one in the same moment, before or after, or while the mode is being left."""
    app = """
        import asyncio

        async def main(thing):
            try:
                await thing.wait("cloud_up")
                {}
                await asyncio.sleep(60)
            finally:
                {}
    """
    for first, last in (
        ("thing.factory_reset(); thing.restart()", "pass"),
        ("thing.restart(); thing.factory_reset()", "thing.restart()"),
        ("thing.restart()", "thing.factory_reset()"),
    ):
        device = house.device(app.format(first, last))
        await house.normal(device)
        await device.expect(r"I system: configuration and certificate are erased", START_S)
        await device.expect(r"system: mode CONFIG", START_S)
        assert not list((device.files / "certs").iterdir())
        await device.power_off()


async def test_a_factory_reset_is_asked_for_twice(house: House) -> None:
    device = house.device()
    await house.normal(device)
    assert (await ask(device, "factory-reset")).startswith("error this erases")
    assert (await ask(device, "factory-reset")).startswith("ok erasing")
    await device.expect(r"I system: configuration and certificate are erased", START_S)
    await device.expect(r"system: mode CONFIG", START_S)


async def test_a_main_py_that_cannot_start_is_tried_again(house: House) -> None:
    device = house.device()
    main, system = device.files / "main.py", device.files / "lib/iot/system.py"
    main.write_text(main.read_text().replace("time.sleep(60)", "time.sleep(1)"))
    whole = system.read_text()
    first = "import machine\nif machine.reset_cause() == machine.PWRON_RESET:\n    import no_such_module\n"
    system.write_text(whole.replace('"""\n', '"""\n' + first, 1))
    await device.power_on()
    await device.expect(r"(?i)no.module.named.*no_such_module", START_S)
    await device.expect(r"main\.py has ended; the chip restarts in a minute", START_S)
    await device.expect(r"system: mode CONFIG", START_S)


WORDS = (
    "help", "status", "mode", "code", "wifi", "log", "configure", "begin", "data", "commit", "--yes", "info",
    "LEVEL", "{}", '{"wifi": 1}', "\u00fc", "\U0001f600", "-1", "", " ", "\t", "x" * 100, "\x00", "[" * 60,
)  # fmt: skip


def lines(number: int) -> list[str]:
    """Each command alone, with a wrong argument and with many; then what chance makes."""
    words = random.Random(number)
    made = [f"{command}{argument}" for command in WORDS[:7] for argument in ("", " x", " \u00fc " * 20, "  ")]
    made += ["configure begin", "configure data {", "configure commit", "configure data", "configure begin x"]
    made += ["factory-reset x", "configure commit", "restart-", "configure data \ud7ff", "log debug ", "log"]
    made += [" ".join(words.choices(WORDS, k=words.randint(1, 4))) for _ in range(LINES)]
    return [line for line in made if line.strip("\n")]


async def answers_everything(device: Device, number: int) -> None:
    """Every line is answered by one, and the console is there afterwards."""
    boots = device.chip.boots
    for line in lines(number):
        answer = await ask(device, line)
        assert answer.startswith(("ok ", "error ")), (line, answer)
    assert re.match(r"ok (CONFIG|NORMAL|IDLE)$", await ask(device, "mode"))
    assert not seen(device, r"E system: |Traceback") and device.chip.boots == boots, "\n".join(
        device.lines[-40:]
    )


async def test_no_command_ends_the_console_in_config(house: House) -> None:
    device = house.device()
    await device.power_on()
    await device.expect(r"system: mode CONFIG", START_S)
    await answers_everything(device, 1)


async def test_no_command_ends_the_console_in_idle(house: House) -> None:
    device = house.device()
    await house.normal(device)
    await device.power_off()
    for file in (device.files / "certs").iterdir():
        file.unlink()
        file.mkdir()  # a file system that answers with an error which is not "no such file"
    await device.power_on()
    await device.expect(r"system: mode IDLE", START_S)
    del device.lines[:]
    device._console.pass_all()
    await answers_everything(device, 2)


async def test_no_command_ends_the_console_in_normal(house: House) -> None:
    """A commit restarts it there, in words, and that is all."""
    device = house.device()
    await house.telemetry(device)
    for line in lines(3):
        answer = await ask(device, line)
        assert answer.startswith(("ok ", "error ")), (line, answer)
        if line.startswith("configure commit") and "begin comes first" not in answer:
            await device.expect(r"system: restarting: the new configuration was refused", START_S)
            await device.expect(r"system: mode NORMAL", START_S)
    assert (await ask(device, "mode")) == "ok NORMAL"
    assert not seen(device, r"E system: |Traceback"), "\n".join(device.lines[-40:])


async def test_noise_on_the_cable_ends_nothing(house: House) -> None:
    device = house.device()
    await device.power_on()
    await device.expect(r"system: mode CONFIG", START_S)
    process = device._process
    assert process and process.stdin
    process.stdin.write(bytes(range(128, 256)) + b"\n\xf0\n")
    for _ in range(2):
        await device.expect(r"^= error ", ANSWER_S)
    assert await ask(device, "mode") == "ok CONFIG"
    assert (await status(device))["mode"] == "CONFIG"
    assert not seen(device, r"E system: |Traceback")
