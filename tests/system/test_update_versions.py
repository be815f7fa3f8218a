"""New versions that are no good, each in its own way: the one before comes back, and says why."""

import os
from dataclasses import dataclass, field

import pytest

from firmware.settings import WATCHDOG_MS
from tests.patience import PATIENCE_S
from tests.system.house import START_S, House
from tests.system.test_jobs import details, reaches
from tests.system.test_rescue import other
from tests.system.test_update import QUIET, TESTED, Publisher, version_of
from tools.sim import Device
from tools.sim.device import ROOT

STARTS = 3
QUICK = 100
LAUNCHER_S = 120  # of main.py's watchdog
KIB = 1024
HANGS = "print('hangs')\n{0}while True:\n{0}    pass\n"
SPOILS = """
    import esp32
    import os

    async def main(thing):
        nvs = esp32.NVS("iot")
        {}
        nvs.commit()
        raise ValueError("pear")
"""
FILLS = f"""
    import os

    async def main(thing):
        for size in (4096, 64):
            with open("/certs/fill", "ab") as file:
                try:
                    while True:
                        file.write(os.urandom(size))
                        file.flush()
                except OSError as error:
                    print("full", error.errno)
        raise ValueError("pear")

    PAD = {os.urandom(8000).hex()!r}
"""  # larger than the next one, which has no more room than it leaves
TAKES = """
    import asyncio

    async def main(thing):
        print("takes all")
        await asyncio.sleep(3600)
"""
LATE = """
    import machine

    async def main(thing):
        machine.RTC().datetime((2040, 6, 1, 0, 0, 0, 0, 0))
        raise ValueError("pear")
"""
# All that is a single value, but for what decides which version starts.
VALUES = (
    "reached",
    "unreached",
    "refused",
    "last_time",
    "told_time",
    "image",
    "image_of",
    "counter0",
    "counter1",
)
BLOBS = f'for name in {VALUES}: nvs.set_blob(name, b"\\xff" * 500)'
NUMBERS = f"for name in {VALUES}: nvs.set_i32(name, 0x7fffffff)"


@dataclass
class Bad:
    """A version that is no good.

    Args:
        name: what it does.
        why: what the cloud is told of it.
        app, others: as for Publisher.publish.
        hangs_s: where it hangs, how long the watchdog that runs then waits.
        ends: whether main.py ends.
        heap: bytes that its application takes of ESP-IDF's heap.
    """

    name: str
    why: str
    app: str = QUIET
    others: dict[str, str] = field(default_factory=dict)
    hangs_s: float = 0
    heap: int = 0
    ends: bool = False


def never_connects() -> dict[str, str]:
    text = (ROOT / "lib/iot/aws/cloud.py").read_text()
    before, sleeps = "await self.client.run()", "await __import__('asyncio').sleep(100000)"
    assert before in text
    return {"aws/cloud": text.replace(before, sleeps), "ota/trial": other("ota/trial", _REACH_MS=5000)}


NOT_REACHED = "it did not reach the cloud"
BITTEN = "the watchdog bit"
DO_NOT_START = [
    Bad(
        "the application cannot be imported", "the application: KeyError: 'pear'", "raise KeyError('pear')\n"
    ),
    Bad(
        "the library hangs while it is imported",
        BITTEN,
        others={"system": HANGS.format("")},
        hangs_s=LAUNCHER_S,
    ),
    Bad("it needs what is not there", NOT_REACHED, others={"system": "from firmware import pear"}, ends=True),
    Bad("the system is no system", NOT_REACHED, others={"system": "class System:\n    pass\n"}, ends=True),
    Bad("it is in another language", NOT_REACHED, others={"system": "import pear\n"}, ends=True),
]
DO_NOT_WORK = [
    Bad(
        "main() hangs",
        BITTEN,
        "async def main(thing):\n    " + HANGS.format("    "),
        hangs_s=WATCHDOG_MS / 1000,
    ),
    Bad("it never connects", "the cloud was not reached", others=never_connects()),
    Bad("its own test fails", "self_test: ValueError: pear", TESTED.format("raise ValueError('pear')")),
    Bad(
        "its own test hangs",
        BITTEN,
        TESTED.format(HANGS.format(" " * 8).lstrip()),
        hangs_s=WATCHDOG_MS / 1000,
    ),
    Bad("it takes all memory", NOT_REACHED, TAKES, heap=40 * KIB),
]
SPOIL = [
    Bad("it fills the file system", "the application: ValueError: pear", FILLS),
    Bad("it spoils NVS with bytes", "the application: ValueError: pear", SPOILS.format(BLOBS)),
    Bad("it spoils NVS with numbers", "the application: ValueError: pear", SPOILS.format(NUMBERS)),
    Bad("it sets the clock wrong", "the application: ValueError: pear", LATE),
]


async def tried(publisher: Publisher, device: Device, bad: Bad, job_id: str, version: str) -> None:
    """Have it tried, up to where the version before runs again."""
    app = bad.app.replace("{", "{{").replace("}", "}}") if bad.app is not QUIET else QUIET
    publisher.publish(job_id, version, app, others=bad.others)
    await device.expect(f"version {version} is installed", PATIENCE_S)
    if bad.hangs_s:
        for _ in range(STARTS):
            await device.expect("^hangs", START_S)
            device.chip.clock.skip(bad.hangs_s)
    if bad.ends:
        clock = device.chip.clock
        speed, clock.speed = clock.speed, QUICK  # of the starts to come: nothing is connected in them
        for _ in range(STARTS):
            await device.expect("^main.py has ended", START_S)
        clock.speed = speed
    if bad.heap:
        for _ in range(STARTS):
            await device.expect("^takes all", START_S)
            device.chip.memory.grow_heap(bad.heap)
            await device.expect("restarting: ", START_S)
    await device.expect("app: 1.0", PATIENCE_S)
    await reaches(publisher.house, job_id, "FAILED")
    assert details(publisher.house, job_id)["message"].startswith(bad.why), bad.name


@pytest.mark.parametrize("versions", [DO_NOT_START, DO_NOT_WORK, SPOIL], ids=["start", "work", "spoil"])
async def test_a_version_that_is_no_good_goes_back_says_why_and_is_not_tried_again(
    house: House, versions: list[Bad]
) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    for number, bad in enumerate(versions):
        version = f"2.{number}"
        boots = device.chip.boots
        await tried(publisher, device, bad, f"bad{number}", version)
        # Two lives of the mode OTA, its own, and the version before.
        assert device.chip.boots - boots <= 2 + STARTS + 1, bad.name
        assert await version_of(device) == "1.0"
        app = bad.app.replace("{", "{{").replace("}", "}}") if bad.app is not QUIET else QUIET
        publisher.publish(f"same{number}", version, app, others=bad.others)
        await reaches(house, f"same{number}", "FAILED")
        assert "it has failed here before" in details(house, f"same{number}")["message"], bad.name
    publisher.publish("good", "3.0")
    await reaches(house, "good", "SUCCEEDED")
    assert await version_of(device) == "3.0"


async def test_rubbish_in_place_of_the_numbers_that_decide_starts_the_factory_version(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("two", "2.0")
    await reaches(house, "two", "SUCCEEDED")
    for number, job_id in ((0x7FFFFFFF, "most"), (-1, "least")):
        app = SPOILS.format(f"for name in ('boot0', 'boot1'): nvs.set_i32(name, {number})")
        publisher.publish(job_id, f"3.{job_id}", app)
        await reaches(house, job_id, "FAILED")
        assert details(house, job_id)["message"] == "interrupted"
        await device.power_off()
        await device.power_on()
        await device.expect("app: 1.0", START_S)
        publisher.publish(f"good-{job_id}", f"4.{job_id}")
        await reaches(house, f"good-{job_id}", "SUCCEEDED")
        assert await version_of(device) == f"4.{job_id}"


async def test_who_stops_an_update_that_hangs_has_an_hour(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("bad", "2.0", others={"system": HANGS.format("")})
    await device.expect("^hangs", PATIENCE_S)
    assert device.chip.watchdog_s == LAUNCHER_S
    device.interrupt()
    await device.expect("^KeyboardInterrupt", START_S)
    assert device.chip.watchdog_s == 3600
