"""Which version starts, with boot.py itself, whatever a cut of power left of an installation or a trial."""

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from iot.ota import slots

from tests.host.test_power_cuts import at_every_write, nvs
from tools.sim.chip import OUTCOMES
from tools.sim.flash import CutFlash

ROOT = Path(__file__).parents[2]
BOOT, PACK = ((ROOT / name).read_text() for name in ("boot.py", "lib/pack.py"))
FACTORY, OLD, NEW = b"the factory's pack", b"the pack before", b"the pack of the update"
STARTS = 3

cut_anyhow = pytest.mark.parametrize("outcome", OUTCOMES)


def start() -> bytes | None:
    """What a start mounts: boot.py and the reader are the board's, but for what mounts a file as modules."""
    mounted: list[bytes] = []

    def mount(path: str) -> None:
        with open(path, "rb") as file:
            mounted.append(file.read())

    reader = ModuleType("pack")
    exec(compile(PACK, "pack.py", "exec"), vars(reader))
    reader.mount = mount  # type: ignore[attr-defined] # tests/vm/test_pack.py has the real one
    sys.modules["pack"] = reader
    exec(compile(BOOT, "boot.py", "exec"), {})
    return mounted[-1] if mounted else None


@pytest.fixture(autouse=True)
def chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a chip has besides."""
    for name, call in (("esp", "osdebug"), ("machine", "freq"), ("deflate", "DeflateIO")):
        module = ModuleType(name)
        setattr(module, call, lambda value: None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "pack", ModuleType("pack"))


def manifest(pack: bytes) -> bytes:
    return f"iot-update 1\nversion 1.0\nsize {len(pack)}\nsha256 {'0' * 64}\n".encode()


def factory() -> None:
    with open("/firmware.pack", "wb") as file:
        file.write(FACTORY)


def install(pack: bytes) -> int:
    slot = slots.free(nvs())
    slots.prepare(slot, len(pack))
    with open(slots.path(slot), "wb") as file:
        file.write(pack)
    slots.seal(slot, manifest(pack))
    slots.begin_trial(nvs(), slot, STARTS)
    return slot


def update(pack: bytes) -> None:
    """An update that is kept."""
    install(pack)
    assert start() == pack
    slots.end_trial(nvs(), True)


def factory_and_update() -> None:
    factory()
    update(OLD)
    start()


@contextlib.contextmanager
def flash(folder: Path) -> Iterator[None]:
    """As it is after a deployment."""
    with CutFlash(folder).mounted():
        factory()
        assert start() == FACTORY
        yield


def test_a_version_that_is_not_confirmed_is_started_so_often_and_no_more(tmp_path: Path) -> None:
    with flash(tmp_path):
        install(NEW)
        assert [start() for _ in range(STARTS + 2)] == [NEW] * STARTS + [FACTORY] * 2
        assert slots.running() == 0 and slots.on_trial(nvs()) == 1, "it is told that its trial has failed"
        slots.end_trial(nvs(), False)
        assert slots.on_trial(nvs()) == 0 and start() == FACTORY


def test_versions_take_turns_in_the_slots(tmp_path: Path) -> None:
    with flash(tmp_path):
        for number, expected in zip(range(5), itertools.cycle((1, 2)), strict=False):
            pack = b"version %d" % number
            assert install(pack) == expected
            assert start() == pack and slots.running() == slots.on_trial(nvs()) == expected
            assert slots.free(nvs()) != expected, "what runs is not written over"
            assert slots.free(nvs()) == (0 if number else 2)
            slots.end_trial(nvs(), True)
            assert [start() for _ in range(STARTS + 1)] == [pack] * (STARTS + 1)
            assert slots.manifest(expected) == manifest(pack)


def test_a_trial_that_fails_leaves_the_version_before(tmp_path: Path) -> None:
    with flash(tmp_path):
        update(OLD)
        install(NEW)
        assert [start() for _ in range(STARTS + 1)] == [NEW] * STARTS + [OLD]
        assert slots.free(nvs()) == 2, "the one that counts is not written over"


def test_any_damage_to_a_manifest_starts_the_factory_s_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with flash(tmp_path):
        update(OLD)
        with open("/a/manifest", "rb") as file:
            whole = file.read()
        damaged = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
        for text in [*damaged, whole[:-1], whole + b"\n", whole[13:], b"", b"\nsize \n", b"\nsize 7"]:
            with open("/a/manifest", "wb") as file:
                file.write(text)
            assert start() == FACTORY and slots.running() == 0 and slots.manifest(1) is None
            assert "slot 1 is not whole" in capsys.readouterr().out
        os.remove("/a/manifest")
        assert start() == FACTORY
        slots.seal(1, manifest(OLD))
        assert start() == OLD


def test_a_pack_of_another_size_is_none(tmp_path: Path) -> None:
    with flash(tmp_path):
        update(OLD)
        for pack in (OLD + b"!", OLD[:-1], b""):
            with open("/a/firmware.pack", "wb") as file:
                file.write(pack)
            assert start() == FACTORY
        os.remove("/a/firmware.pack")
        assert start() == FACTORY


def test_numbers_that_nobody_wrote_start_the_factory_s_version(tmp_path: Path) -> None:
    with flash(tmp_path):
        for state in (3, 12, 15, 1, 2, 4, 0x3F, 0x10, 0x18, 0x3FF, -1, -(2**31), 2**31 - 0x400):
            for key in ("boot0", "boot1"):
                nvs().set_i32(key, state)  # type: ignore[attr-defined]
            assert start() == FACTORY


def test_flash_that_fails_starts_the_factory_s_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> None:
        raise OSError(-0x1101, "ESP_ERR_NVS_NOT_INITIALIZED")

    with flash(tmp_path):
        update(OLD)
        monkeypatch.setattr(sys.modules["esp32"], "NVS", broken)
        assert start() == FACTORY and slots.running() == 0
    assert "ESP_ERR_NVS_NOT_INITIALIZED" in "".join(capsys.readouterr())


@cut_anyhow
def test_a_cut_at_any_write_of_an_installation(tmp_path: Path, outcome: str) -> None:
    seen: list[object] = []
    for before in (factory, factory_and_update):
        seen = at_every_write(
            tmp_path / before.__name__,
            outcome,
            before,
            lambda: install(NEW),
            lambda: [start() for _ in range(STARTS + 1)],
        )
        old = FACTORY if before is factory else OLD
        states = ([old] * (STARTS + 1), [NEW] * STARTS + [old])
        assert all(state in states for state in seen), seen
        assert seen[0] == states[0] and seen[-1] == states[1] and len(seen) > 5


@cut_anyhow
def test_a_cut_at_any_write_of_its_confirmation(tmp_path: Path, outcome: str) -> None:
    def on_trial() -> None:
        factory_and_update()
        install(NEW)
        start()

    def look() -> object:
        started = start()
        slots.end_trial(nvs(), True)  # the version that runs confirms itself at each start
        return started, [start() for _ in range(STARTS + 1)]

    seen = at_every_write(tmp_path, outcome, on_trial, lambda: slots.end_trial(nvs(), True), look)
    assert seen == [(NEW, [NEW] * (STARTS + 1))] * len(seen) and len(seen) > 2


@cut_anyhow
def test_a_cut_at_a_start_s_own_write_costs_at_most_that_start(tmp_path: Path, outcome: str) -> None:
    for write in itertools.count(1):
        folder = tmp_path / str(write)
        with CutFlash(folder).mounted():
            factory()
            install(NEW)
        cut = CutFlash(folder, write, outcome)
        with cut.mounted():
            start()
        with CutFlash(folder).mounted():
            started = [start() for _ in range(STARTS + 1)]
        assert started in ([NEW] * STARTS + [FACTORY], [NEW] * (STARTS - 1) + [FACTORY] * 2)
        if not cut.was_cut:
            assert write > 1
            break
