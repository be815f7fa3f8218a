"""Want of memory: known by its faces, told, healed by itself, or by a restart where nothing else helps."""

import re

import pytest

from tests.patience import until
from tests.system.house import START_S, House, ask, seen, send_configuration, status
from tools.cloud.ca import ServerChain
from tools.configure import ConfigureError
from tools.sim import Device
from tools.sim.memory import NO_WIFI, SILENCE

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
COUNTED = r"E memory: not enough for it, (\d+) times in a row: (.*)$"
RESTARTING = r"(\d+\.\d+) I system: restarting: not enough memory: (.*)$"
# Each with what ESP-IDF's largest block is then, where only that tells it from other errors.
FACES: list[tuple[Exception | str, int | None]] = [
    (OSError(12, "ENOMEM"), None),
    (OSError(16, "MBEDTLS_ERR_MPI_ALLOC_FAILED"), None),
    (OSError(-17040, "MBEDTLS_ERR_RSA_PUBLIC_FAILED"), None),
    (OSError(-10368, "MBEDTLS_ERR_X509_ALLOC_FAILED"), None),
    (MemoryError("memory allocation failed, allocating 16717 bytes"), None),
    (ValueError("invalid key"), 12_000),
    (SILENCE, 12_000),
]


def change(device: Device, module: str, *changes: tuple[str, str]) -> None:
    """Another number in a module on the device: what takes minutes shall not in a test."""
    file = device.files / f"lib/iot/{module}.py"
    text = file.read_text()
    for before, after in changes:
        assert before in text, f"{module}: no {before}"
        text = text.replace(before, after)
    file.write_text(text)


def hasten(device: Device) -> None:
    """Attempts as fast as they may be, one a second, and short pauses after a failed application."""
    change(device, "backoff", ("base_ms=1000, cap_ms=64000", "base_ms=10, cap_ms=20"))
    change(
        device,
        "mqtt/client",
        ("connect_timeout_ms=30000", f"connect_timeout_ms={1000 * device.chip.clock.speed:.0f}"),
    )
    change(device, "wifi/station", ("_BEGIN_MS = const(5000)", "_BEGIN_MS = const(1000)"))
    change(device, "application", ("_FIRST_MS = const(10000)", "_FIRST_MS = const(1)"))
    change(device, "aws/claim", ("_FIRST_MS = const(2000)", "_FIRST_MS = const(1)"))


async def restarts_after_three(device: Device) -> None:
    """The next restart comes after as many failed attempts as the first one ever."""
    start = len(device.lines)
    await device.expect(RESTARTING, START_S)
    assert sum(1 for line in device.lines[start:] if re.search(COUNTED, line)) == 3


async def starts_again(device: Device) -> None:
    """Restart it by its console, up to where it tries to connect."""
    assert (await ask(device, "restart")).startswith("ok")
    await device.expect(r"system: mode NORMAL", START_S)


@pytest.mark.parametrize(("face", "largest"), FACES, ids=[str(face) for face, _ in FACES])
async def test_want_of_memory_is_told_counted_and_heals(
    house: House, face: Exception | str, largest: int | None
) -> None:
    device = house.device()
    hasten(device)
    await house.telemetry(device)
    before = await status(device)
    assert before["starved"] == 0 and before["starved_reason"] is None
    device.chip.memory.starve(face, largest)
    await starts_again(device)
    boots = device.chip.boots
    told = await device.expect(r"W cloud: disconnected: (no memory for TLS: .*)$", START_S)
    assert face == SILENCE or str(face.args[0] if isinstance(face, Exception) else face) in told[1]
    assert (await device.expect(COUNTED, START_S)).groups() == ("1", told[1])
    starved = await status(device)
    device.chip.memory.feed()
    assert starved["starved"] in (1, 2) and starved["starved_reason"] == told[1]
    await device.expect(ACKNOWLEDGED, START_S)
    after = await status(device)
    assert after["starved"] == 0 and after["starved_reason"] == told[1] and after["cloud"] is True
    assert device.chip.boots == boots


async def test_the_claim_s_connection_may_want_memory_too(house: House) -> None:
    device = house.device()
    hasten(device)
    device.chip.memory.starve(OSError(16, "MBEDTLS_ERR_MPI_ALLOC_FAILED"))
    await house.normal(device)
    await device.expect(r"W provisioning: no memory for TLS: .*; will start over", START_S)
    assert (await device.expect(COUNTED, START_S))[1] == "1"
    device.chip.memory.feed()
    await device.expect(ACKNOWLEDGED, START_S)
    assert not seen(device, RESTARTING)


@pytest.mark.slow
async def test_where_it_stays_the_device_restarts_ever_more_rarely(house: House) -> None:
    device = house.device()
    hasten(device)
    await house.telemetry(device)
    device.chip.memory.starve(OSError(16, "MBEDTLS_ERR_MPI_ALLOC_FAILED"))
    await starts_again(device)
    for tries in (3, 6, 12):
        start = len(device.lines)
        restarting = await device.expect(RESTARTING, 3 * START_S)
        counted = [match[1] for line in device.lines[start:] if (match := re.search(COUNTED, line))]
        assert counted == [str(number) for number in range(1, tries + 1)]
        assert float(restarting[1]) > tries - 1, "more than one attempt a second"
        await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(COUNTED, START_S)
    device.chip.memory.feed()
    await device.expect(ACKNOWLEDGED, START_S)
    assert (await status(device))["starved"] == 0
    device.chip.memory.starve(OSError(12, "ENOMEM"))  # now the counts begin anew
    await starts_again(device)
    await restarts_after_three(device)


@pytest.mark.slow
async def test_a_power_cut_forgets_the_restarts(house: House) -> None:
    device = house.device()
    hasten(device)
    await house.telemetry(device)
    device.chip.memory.starve(MemoryError("memory allocation failed"))
    await starts_again(device)
    await device.expect(RESTARTING, START_S)
    await device.expect(r"system: mode NORMAL", START_S)
    await device.power_off()
    await device.power_on()
    await restarts_after_three(device)


async def test_a_radio_that_gets_no_memory(house: House) -> None:
    device = house.device()
    hasten(device)
    await house.telemetry(device)
    device.chip.memory.starve(NO_WIFI)
    await starts_again(device)
    told = await device.expect(r"E wifi: the radio fails: (.*)$", START_S)
    assert told[1] == "Wifi Unknown Error 0x0101"
    assert (await device.expect(COUNTED, START_S)).groups() == ("1", told[1])
    now = await status(device)
    assert now["starved"] in (1, 2) and now["starved_reason"] == told[1] and now["wifi"] is None
    restarting = await device.expect(RESTARTING, START_S)
    assert float(restarting[1]) > 2
    await device.expect(COUNTED, START_S)
    device.chip.memory.feed()
    await device.expect(ACKNOWLEDGED, START_S)
    assert (await status(device))["starved"] == 0


async def test_memory_is_told_as_the_chip_has_it(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    now = await status(device)
    assert now["heap_total"] == now["heap_used"] + now["heap_free"]
    assert 0 < now["heap_piece"] <= now["heap_free"]
    assert 0 < now["idf_lowest"] <= now["idf_free"] and 0 < now["idf_largest"] <= now["idf_free"]
    regions = device.chip.memory.idf()
    assert now["idf_free"] == sum(region[1] for region in regions)


def of_cpython(house: House) -> None:
    """The heap of MicroPython's unix port cannot grow; what CPython runs has one that can."""
    house.micropython = None


@pytest.mark.parametrize(("server_chain", "total"), [("p256", 98_000), ("rsa", 96_000)])
async def test_the_heap_gets_its_last_size_before_the_radio(
    house: House, server_chain: ServerChain, total: int
) -> None:
    """56,000, and of 43,008 or 40,960 bytes what is no table: TLS needs more where RSA has to be checked."""
    of_cpython(house)
    device = house.device()
    await house.telemetry(device)
    now = await status(device)
    assert now["heap_total"] == total
    device.chip.memory.heap_used = 80_000
    assert (await status(device))["heap_free"] == total - 80_000


async def test_an_application_is_ended_where_the_heap_has_grown(house: House) -> None:
    of_cpython(house)
    device = house.device()
    hasten(device)
    await house.telemetry(device)
    boots = device.chip.boots
    device.chip.memory.grow_heap(8000)
    ended = await device.expect(r"E application: failed, will start again: MemoryError: (.*)$", START_S)
    device.chip.memory.shrink_heap()
    assert ended[1] == "the application takes too much: 44000 bytes of heap are free, 8000 too many taken"
    await device.expect(r"app: telemetry 1 acknowledged", START_S)
    await device.chip.clock.sleep(2)  # it is looked at every second
    now = await status(device)
    assert now["starved"] == 0 and now["cloud"] is True
    assert device.chip.boots == boots and seen(device, "E application: failed") == 1


@pytest.mark.slow
async def test_where_the_memory_does_not_come_back_the_device_restarts(house: House) -> None:
    of_cpython(house)
    device = house.device()
    await house.telemetry(device)
    device.chip.memory.grow_heap(8000)
    await device.expect(r"E application: failed, will start again: MemoryError: the application", START_S)
    restarting = await device.expect(RESTARTING, 3 * START_S)
    assert restarting[2] == "the heap has grown by 8000 bytes"
    await device.expect(ACKNOWLEDGED, START_S)
    assert (await status(device))["heap_total"] == 98_000


HOARDS = """
    import asyncio

    async def main(thing):
        kept = []
        while True:
            kept.append([None] * 500)
            thing.log.info("app", "{} pieces", len(kept))
            await asyncio.sleep_ms(400)
"""


@pytest.mark.slow
async def test_an_application_that_takes_too_much(house: House) -> None:
    of_cpython(house)
    device = house.device(HOARDS)
    hasten(device)
    await house.normal(device)
    await device.expect(r"I cloud: connected", START_S)
    device.chip.memory.heap_used = 80_000
    ended = await device.expect(r"MemoryError: the application takes too much: (\d+) bytes", 3 * START_S)
    assert int(ended[1]) < 4096
    assert seen(device, "app: .* pieces") >= 4
    await until(lambda: seen(device, "app: 1 pieces") == 2, "the next run")
    assert (await status(device))["starved"] == 0
    assert not seen(device, "not enough")


LATE = """
    import asyncio

    async def main(thing):
        thing.on("cloud_up", lambda kept: thing.log.info("app", "up"))
        await asyncio.sleep(10)
"""


async def test_a_command_waits_for_a_connection_in_the_making(house: House) -> None:
    device = house.device(LATE)
    await house.normal(device)
    await device.expect(r"app: up", START_S)
    house.world.delay_ms = 500
    await starts_again(device)
    await device.expect(r"clock: set by sntp", START_S)
    await device.chip.clock.sleep(0.5)
    await device.send("mode")
    await device.expect(r"I console: connecting, a moment", START_S)
    await device.expect(r"I cloud: connected", START_S)
    await device.expect(r"^= ok NORMAL$", START_S)


async def test_a_command_is_also_answered_where_no_connection_comes(house: House) -> None:
    device = house.device()
    hasten(device)
    await house.telemetry(device)
    device.chip.memory.starve(SILENCE)
    await starts_again(device)
    for _ in range(2):
        assert await ask(device, "mode") == "ok NORMAL"


async def test_a_configuration_with_an_error_in_it(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    broken = house.configuration(root_ca="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigureError, match=r"^aws\.root_ca: "):
        await send_configuration(device, broken)
    await device.expect(r"system: restarting: the new configuration was refused, the old one stays", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    assert not (device.files / "certs/document.new").exists()
    assert (await ask(device, "configure begin")).startswith("ok")
    answer = ""
    while answer.startswith(("", "ok")) and "error" not in answer:
        answer = await ask(device, "configure data " + 200 * "x")
    assert answer == "error a configuration has at most 16384 bytes"
    assert not (device.files / "certs/document.new").exists()
    assert (await status(device))["cloud"] is True


async def test_a_configuration_takes_the_place_of_another(house: House) -> None:
    app = """
        async def main(thing):
            thing.log.info("app", "number {}", thing.config["n"])
    """
    device = house.device(app)
    document = house.configuration()
    for number in (1, 2):
        document["app"] = {"n": number}
        if number == 1:
            await house.normal(device, document)
        else:
            await send_configuration(device, document)
        await device.expect(rf"app: number {number}", START_S)
        await device.expect(r"I cloud: connected", START_S)
        assert not (device.files / "certs/document.new").exists()


async def test_an_application_that_cancels_itself_starts_again(house: House) -> None:
    app = """
        import asyncio

        async def forever():
            while True:
                await asyncio.sleep(1)

        async def main(thing):
            thing.log.info("app", "here")
            task = asyncio.create_task(forever())
            await asyncio.sleep_ms(1)
            task.cancel()
            await task
    """
    device = house.device(app)
    hasten(device)
    await house.normal(device)
    for _ in range(2):
        await device.expect(r"app: here", START_S)
        await device.expect(
            r"E application: failed, will start again: RuntimeError: it was cancelled, by itself", START_S
        )
    await device.expect(r"I cloud: connected", START_S)
    assert (await status(device))["mode"] == "NORMAL"
