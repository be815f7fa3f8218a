"""An image on its way into the other partition, and its trial by the bootloader; cut at its writes."""

import asyncio
import dataclasses
import hashlib
import itertools
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from check import raises
from fakes import FakeLog
from iot.ota import forms, kept, partitions, pending
from iot.ota.image import Target
from iot.ota.patched import Patched

from tests.host.test_power_cuts import nvs
from tests.images import file_of, image, manifest_of, patch
from tools.release.manifest import BLOCK_BYTES, HASH_BYTES
from tools.sim.chip import OUTCOMES
from tools.sim.flash import CutFlash, partition_shim

IMAGE = image()
FILE = file_of(IMAGE)
LISTED = len(FILE) - len(IMAGE)
STEP = 16  # one of so many writes of an image is cut
OLD, NEW = "ota_0", "ota_1"

cut_anyhow = pytest.mark.parametrize("outcome", OUTCOMES)


def said(file: bytes = FILE, **members: Any) -> dict[str, Any]:
    """What the manifest says, as the device reads it."""
    return forms.manifest(manifest_of(file, **members).text().decode())


def target(manifest: dict[str, Any] | None = None, is_listed: bool = True) -> Target:
    return Target(nvs(), manifest or said(), bytearray(4096), FakeLog(), is_listed)


def feed(into: Target, data: bytes, seed: int = 1) -> None:
    """In pieces as they come from a network, of the buffer that it has."""
    buffer, pieces, kept = memoryview(into._buffer), random.Random(seed), 0
    while data:
        place = buffer[kept:][: min(len(data), pieces.choice((1, 7, 512, 1460, 4096)))]
        place[:] = data[: len(place)]
        data = data[len(place) :]
        kept = into.write(place)


def install(file: bytes = FILE, manifest: dict[str, Any] | None = None) -> int:
    """Goes on with what is there; returns where it began."""
    into = target(manifest or said(file))
    start: int = into.start
    feed(into, file[start:])
    into.close()
    into.finish()
    return start


def settle() -> None:
    """What comes before an order that waits is carried out."""
    os.mkdir("/certs")
    assert pending.is_due("/certs", nvs())
    os.rmdir("/certs")


def in_flash(label: str, size: int) -> bytes:
    import esp32  # noqa: PLC0415 (the simulated one)

    data = bytearray(size)
    esp32.Partition(label).readblocks(0, data, 0)
    return bytes(data)


def start(folder: Path) -> str:
    """The label of what a start of the chip runs."""
    with CutFlash(folder).mounted():
        return str(partitions.running())
    raise AssertionError


def test_an_image_is_started_once_and_then_the_one_before_unless_it_is_confirmed(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        assert install() == 0 and in_flash(NEW, len(IMAGE)) == IMAGE
        assert partitions.running() == OLD and partitions.on_trial(nvs()) == NEW
        assert not partitions.mark(nvs())
    assert [start(tmp_path) for _ in range(3)] == [NEW, OLD, OLD]
    with CutFlash(tmp_path).mounted():
        found = partitions.facts(nvs())
        assert (found["version"], found["counter"], found["sha256"]) == ("2.0", 0, said()["sha256"])
        partitions.end_trial(nvs(), False)
        assert not partitions.on_trial(nvs()) and not partitions.facts(nvs())
        assert install() == 0, "nothing of it is left that would be gone on with"
    with CutFlash(tmp_path).mounted():
        assert partitions.running() == NEW
        partitions.confirm(nvs())
        partitions.end_trial(nvs(), True)
    assert [start(tmp_path) for _ in range(3)] == [NEW] * 3
    with CutFlash(tmp_path).mounted():
        assert partitions.mark(nvs()) == hashlib.sha256(said()["text"]).hexdigest()


def test_images_take_turns(tmp_path: Path) -> None:
    for number, label in zip(range(5), itertools.cycle((NEW, OLD)), strict=False):
        made = image(70_000, f"{number}")
        with CutFlash(tmp_path).mounted():
            install(file_of(made))
        with CutFlash(tmp_path).mounted():
            assert partitions.running() == partitions.on_trial(nvs()) == label
            assert in_flash(label, len(made)) == made
            partitions.confirm(nvs())
            partitions.end_trial(nvs(), True)


@pytest.mark.parametrize(
    "at", [LISTED, LISTED + 5, LISTED + BLOCK_BYTES + 1, LISTED + 3 * BLOCK_BYTES, len(FILE)]
)
def test_the_next_life_goes_on_from_the_last_whole_block(tmp_path: Path, at: int) -> None:
    with CutFlash(tmp_path).mounted():
        feed(target(), FILE[:at])
    with CutFlash(tmp_path).mounted():
        whole = len(FILE) if at == len(FILE) else LISTED + (at - LISTED) // BLOCK_BYTES * BLOCK_BYTES
        assert install() == whole
        assert in_flash(NEW, len(IMAGE)) == IMAGE


def test_what_an_earlier_life_has_left_of_another_image_is_not_gone_on_with(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        feed(target(), FILE[:-1])
        other = file_of(image(version="3.0"))
        into = target(said(other))
        assert into.start == 0
        feed(into, FILE[: LISTED - 1])
        raises(ValueError, "the list of blocks: its hash begins with", feed, into, FILE[LISTED - 1 :])


def test_a_damaged_block_of_an_earlier_life_comes_again(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        feed(target(), FILE[:-1])
        partitions.other().writeblocks(20, bytes(4096))
        assert install() == LISTED + BLOCK_BYTES


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_wrong_block_is_refused_when_it_has_come(tmp_path: Path, number: int) -> None:
    wrong = bytearray(FILE)
    wrong[LISTED + number * BLOCK_BYTES + 77] ^= 1
    end = min(LISTED + (number + 1) * BLOCK_BYTES, len(FILE))
    with CutFlash(tmp_path).mounted():
        into = target()
        feed(into, bytes(wrong[: end - 1]))
        error = raises(ValueError, f"block {number}: its hash begins with", into.write, wrong[end - 1 : end])
        assert "(arbitrary software)" in str(error)
        into.close()
        assert not partitions.on_trial(nvs())


def test_what_is_no_file_of_the_manifest_is_not_started(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        into = target()
        raises(ValueError, "the list of blocks", feed, into, bytes(LISTED))
        into = target()
        feed(into, FILE)
        raises(ValueError, "(endless data)", into.write, b"!")
        into = target()
        assert into.start == len(FILE)
        os.remove("/update.blocks")
        into = target()
        feed(into, FILE[:-1])
        raises(ValueError, "ends too early", into.finish)
        # A manifest whose list is right, and its hash is not.
        into = target(said(sha256="0" * 64))
        feed(into, FILE[into.start :])
        raises(ValueError, "the file: its hash begins with", into.finish)
        assert target().start == 0
        assert not partitions.on_trial(nvs())


def test_flash_that_does_not_give_back_what_was_written_is_tried_again(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        into = target()
        feed(into, FILE)
        partitions.other().writeblocks(20, bytes(4096))
        raises(OSError, "block 1: flash does not give back", into.finish)
        assert not partitions.on_trial(nvs())
        install()


def test_what_is_no_image_for_this_chip_and_this_partition(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        for other in (image(chip=9), b"\x7fELF" + IMAGE[4:]):
            file = file_of(other)
            raises(ValueError, "no image for this chip (wrong software)", install, file)
        damaged = file_of(IMAGE[:-1] + b"!")  # signed so: its own hash is wrong
        raises(ValueError, "ESP-IDF does not find an image", install, damaged)
        assert partitions.running() == OLD
        large = file_of(image(0x180000))
        raises(ValueError, "this board's partition for it 1572864 (wrong software)", target, said(large))


def test_a_board_with_one_slot(tmp_path: Path) -> None:
    flash = CutFlash(tmp_path)
    flash.partitions.__init__(flash._flash, flash.partitions._folder, 1)
    with flash.mounted():
        assert partitions.running() == "factory"
        raises(ValueError, "this board's image has no second slot", target)


def test_a_list_that_cannot_be_kept_costs_what_could_be_gone_on_with_and_no_more(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        os.mkdir("/update.blocks")
        into = target()
        feed(into, FILE[:-1])
        assert "/update.blocks" in into._log.lines[0]
        assert install() == 0


def at_writes(
    folder: Path, outcome: str, step: int, change: Callable[[], object], before: Path
) -> list[Path]:
    """Flash as a cut at each `step`-th write of `change` leaves it, and as the whole of it does."""
    found = []
    for write in itertools.count(1 if step == 1 else step // 2, step):
        place = folder / str(write)
        shutil.copytree(before, place)
        cut = CutFlash(place, write, outcome)
        if cut.start():
            with cut.mounted():
                change()
        found.append(place)
        if not cut.was_cut:
            return found
    raise AssertionError


@cut_anyhow
def test_a_cut_at_writes_of_an_installation(tmp_path: Path, outcome: str) -> None:
    """The next start runs the one before, or the new one where its trial has begun, and all goes on."""
    before = tmp_path / "before"
    with CutFlash(before).mounted():
        pass
    cuts = at_writes(tmp_path, outcome, STEP, install, before)
    starts = []
    for place in cuts:
        with CutFlash(place).mounted():
            if partitions.running() == OLD:
                settle()
                starts.append(install())
                assert in_flash(NEW, len(IMAGE)) == IMAGE
        if starts and place != cuts[-1]:
            assert start(place) == NEW
        assert start(place) == OLD
    assert starts == sorted(starts) and starts[-1] >= LISTED + 2 * BLOCK_BYTES and len(starts) > 5


@cut_anyhow
def test_a_cut_at_each_write_of_a_trial_s_beginning(tmp_path: Path, outcome: str) -> None:
    before = tmp_path / "before"
    with CutFlash(before).mounted():
        feed(target(), FILE)
    found = set()
    for place in at_writes(tmp_path, outcome, 1, install, before):
        with CutFlash(place).mounted():
            state = partitions.running(), partitions.on_trial(nvs())
            found.add(state)
        assert start(place) == OLD, "it had its start"
    assert found == {(OLD, ""), (OLD, NEW), (NEW, NEW)}


@cut_anyhow
def test_a_cut_at_each_write_of_its_confirmation(tmp_path: Path, outcome: str) -> None:
    """What has passed counts, or the one before runs and says so; the counter rises with what counts."""
    before = tmp_path / "before"
    with CutFlash(before).mounted():
        install(manifest=said(counter=3))

    def confirm() -> None:  # as iot.ota.trial
        assert partitions.running() == NEW
        partitions.confirm(nvs())
        kept.raise_counter(nvs(), 3)
        partitions.end_trial(nvs(), True)

    ends = []
    cuts = at_writes(tmp_path, outcome, 1, confirm, before)
    for place in cuts:
        with CutFlash(place).mounted():
            runs, on_trial = partitions.running(), partitions.on_trial(nvs())
            if runs == NEW and on_trial:
                is_proved = partitions.has_passed(nvs())
                assert is_proved or place == cuts[0], "where the bootloader was cut, it has not been started"
                confirm()
            elif runs == OLD:
                assert kept.counter(nvs()) == 0
                if on_trial:
                    partitions.end_trial(nvs(), False)
            else:
                assert kept.counter(nvs()) == 3 and partitions.mark(nvs())
            assert not partitions.on_trial(nvs())
        assert [start(place) for _ in range(2)] == [runs] * 2
        ends.append(runs)
    assert set(ends) == {OLD, NEW} and ends[1:] == sorted(ends[1:])


def test_a_bootloader_without_a_way_back_is_told_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CutFlash(tmp_path).mounted():
        install()
    monkeypatch.setattr(partition_shim, "_NEW", 2)  # what it starts counts
    with CutFlash(tmp_path).mounted():
        flash = partitions._running()._all
        flash.confirm()
        partitions.give_up(nvs())
    with CutFlash(tmp_path).mounted():
        assert partitions.running() == NEW and partitions.is_given_up(nvs())
        partitions.give_up(nvs())
    with CutFlash(tmp_path).mounted():
        assert partitions.running() == OLD and partitions.on_trial(nvs()) == NEW
        partitions.end_trial(nvs(), False)
    assert [start(tmp_path) for _ in range(2)] == [OLD] * 2


def test_the_list_that_is_made_of_what_comes_is_compared_with_the_manifest_s(tmp_path: Path) -> None:
    with CutFlash(tmp_path).mounted():
        into = target(is_listed=False)
        feed(into, IMAGE)
        into.finish()
        assert partitions.on_trial(nvs()) == NEW
        settle()
        wrong = bytearray(IMAGE)
        wrong[BLOCK_BYTES] ^= 1
        into = target(is_listed=False)
        feed(into, bytes(wrong))
        raises(ValueError, "what the patch makes: its hash begins with", into.finish)


def test_a_manifest_of_the_tests_is_one() -> None:
    assert dataclasses.astuple(manifest_of(FILE))[-1][0] == LISTED // HASH_BYTES


LINE = b"a line more"
CHANGED = partition_shim.image(IMAGE[32:1000] + LINE + IMAGE[1000:-40])
PATCH = patch(IMAGE, CHANGED, 1000, LINE)


def told(base: bytes = IMAGE, size: int = len(PATCH)) -> dict[str, Any]:
    return {"base": hashlib.sha256(base).hexdigest(), "size": size}


def patched(delta: dict[str, Any] | None = None) -> Patched:
    manifest = said(file_of(CHANGED), version="2.1")
    return Patched(nvs(), manifest, bytearray(4096), FakeLog(), delta or told())


def make(data: bytes = PATCH) -> int:
    """Goes on with what is there; returns where it began."""
    into = patched()
    start: int = into.start
    into.write(data[start:])
    into.close()
    asyncio.run(into.apply())
    into.finish()
    return start


@pytest.fixture(scope="module")
def runs_the_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flash whose chip runs IMAGE."""
    folder = tmp_path_factory.mktemp("base")
    with CutFlash(folder).mounted():
        install()
    with CutFlash(folder).mounted():
        partitions.confirm(nvs())
        partitions.end_trial(nvs(), True)
    return folder


def test_a_patch_makes_the_image_of_the_manifest(tmp_path: Path, runs_the_base: Path) -> None:
    place = shutil.copytree(runs_the_base, tmp_path / "flash")
    with CutFlash(place).mounted():
        raises(ValueError, "it is for ", patched, told(CHANGED))
        with open("/update.patch", "wb") as file:
            file.write(bytes(60))  # another's
        assert make() == 0 and in_flash(OLD, len(CHANGED)) == CHANGED
        assert os.listdir("/") == []
    assert start(place) == OLD


def test_a_patch_that_is_none_leaves_what_runs(tmp_path: Path, runs_the_base: Path) -> None:
    for number, wrong in enumerate(
        (PATCH[:-1], PATCH[:-3] + b"\x00\x00\x00", bytes(len(PATCH)), PATCH + b"!")
    ):
        place = shutil.copytree(runs_the_base, tmp_path / str(number))
        with CutFlash(place).mounted():
            raises(ValueError, "", make, wrong)
            assert not partitions.on_trial(nvs())
        assert start(place) == NEW


@cut_anyhow
def test_a_cut_at_writes_of_a_patched_image(tmp_path: Path, outcome: str, runs_the_base: Path) -> None:
    """The patch, once it is whole, need not come again; the image is made anew."""
    starts = []
    for place in at_writes(tmp_path, outcome, STEP, make, runs_the_base):
        with CutFlash(place).mounted():
            if partitions.running() == NEW:
                settle()
                starts.append(make())
            assert in_flash(OLD, len(CHANGED)) == CHANGED
    assert set(starts) == {0, len(PATCH)} and starts.count(0) == 1, "but where only the trial was to begin"
    assert len(starts) > 4
