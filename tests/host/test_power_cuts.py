"""The power is cut at every program and erase of a block and every write of NVS, amid and around it.

The old or the new state, never neither.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from documents import claim, own, pem
from fakes import FakeLog
from iot import config
from iot.ota import forms, kept
from iot.storage.record import Record
from iot.storage.store import Credentials, Store
from iot.storage.user_bytes import SIZE, Flash
from updates import PRODUCT, root_text

from tools.sim.chip import OUTCOMES
from tools.sim.flash import CutFlash

Step = Callable[[], object]

pytestmark = pytest.mark.parametrize("outcome", OUTCOMES)


def nvs() -> object:
    import esp32  # noqa: PLC0415 (the simulated one, while a CutFlash is mounted)

    return esp32.NVS("iot")


def store() -> Store:
    return Store(Record(nvs(), "config", 2000), Credentials("certs"))


def flash() -> Flash:
    return Flash(partial(Record, nvs()), FakeLog())


def at_every_write(folder: Path, outcome: str, prepare: Step, change: Step, look: Step) -> list[object]:
    """What `look` sees after `change` was cut at its first, second, … write, and after a whole one."""
    seen, mended = [], []
    before = folder / "before"
    with CutFlash(before).mounted():
        prepare()
    for write in range(1, 400):
        place = folder / str(write)
        shutil.copytree(before, place)
        cut = CutFlash(place, write, outcome)
        with cut.mounted():
            change()
        with CutFlash(place).mounted():
            seen.append(look())
            change()
            mended.append(look())
        shutil.rmtree(place)
        if not cut.was_cut:
            assert mended == [seen[-1]] * len(mended), "a cut is still felt after the next whole change"
            return seen
    raise AssertionError("more writes than expected")


def old_then_new(seen: list[object], old: object, new: object, writes: int = 2) -> None:
    assert all(state in (old, new) for state in seen), seen
    assert seen[-1] == new and len(seen) > writes
    turn = seen.index(new)
    assert seen == [old] * turn + [new] * (len(seen) - turn), "back to the old state after the new one"


def first() -> dict:
    document = config.validate(claim())
    document["app"] = {"n": 1}
    return document


def second() -> dict:
    document = config.validate(own())
    document["app"] = {"n": 2}
    return document


def configuration() -> object:
    """All that a restart finds: the plain part, and certificates that belong to it."""
    plain = store().load()
    return None if plain is None else (json.dumps(plain, sort_keys=True), store().certificates())


def expected(folder: Path, document: dict) -> object:
    with CutFlash(folder).mounted():
        store().save(document)
        return configuration()


def test_the_first_configuration(tmp_path: Path, outcome: str) -> None:
    new = expected(tmp_path / "new", first())
    seen = at_every_write(
        tmp_path / "cut", outcome, lambda: None, lambda: store().save(first()), configuration
    )
    old_then_new(seen, None, new)


@pytest.mark.parametrize("before", [1, 2], ids=["into the second set", "into the first set"])
def test_another_configuration(tmp_path: Path, outcome: str, before: int) -> None:
    old, new = expected(tmp_path / "old", first()), expected(tmp_path / "new", second())

    def prepare() -> None:
        for _ in range(before):
            store().save(first())

    seen = at_every_write(tmp_path / "cut", outcome, prepare, lambda: store().save(second()), configuration)
    old_then_new(seen, old, new)


def test_the_thing_s_certificate(tmp_path: Path, outcome: str) -> None:
    certificates = pem(size=310), pem("PRIVATE KEY", 138)
    endpoint = claim()["aws"]["endpoint"]

    def prepare() -> None:
        store().save(first())
        store().save_thing(endpoint, "old", pem(), pem("PRIVATE KEY"))

    def change() -> None:
        store().save_thing(endpoint, "new", *certificates)

    def look() -> tuple[str, int, int]:
        name, certificate, key = store().thing()
        return name, len(certificate), len(key)

    seen = at_every_write(tmp_path, outcome, prepare, change, look)
    old_then_new(seen, ("old", 300, 300), ("new", 310, 138))


def test_the_first_certificate_of_a_thing(tmp_path: Path, outcome: str) -> None:
    def change() -> None:
        store().save_thing(claim()["aws"]["endpoint"], "new", pem(), pem("PRIVATE KEY"))

    seen = at_every_write(
        tmp_path, outcome, lambda: store().save(first()), change, lambda: store().thing() is not None
    )
    old_then_new(seen, False, True)


def with_a_thing() -> None:
    store().save(first())
    store().save_thing(claim()["aws"]["endpoint"], "lamp", pem(size=300), pem("PRIVATE KEY", 300))


def on_trial() -> None:
    store().save_thing(claim()["aws"]["endpoint"], "lamp", pem(size=310), pem("PRIVATE KEY", 138), True)


def thing() -> tuple[int, int, bool]:
    """What a start would connect with: sizes of certificate and key, which belong together; and the trial."""
    it = store()
    _, certificate, key = it.thing()
    return len(certificate), len(key), it.on_trial


OLD, TRIED, NEW = (300, 300, False), (310, 138, True), (310, 138, False)


def test_a_certificate_beside_the_thing_s(tmp_path: Path, outcome: str) -> None:
    seen = at_every_write(tmp_path, outcome, with_a_thing, on_trial, thing)
    old_then_new(seen, OLD, TRIED)


@pytest.mark.parametrize(("is_kept", "after"), [(True, NEW), (False, OLD)], ids=["kept", "thrown away"])
def test_the_end_of_a_trial(
    tmp_path: Path, outcome: str, is_kept: bool, after: tuple[int, int, bool]
) -> None:
    def prepare() -> None:
        with_a_thing()
        on_trial()

    def change() -> None:
        it = store()
        if it.thing() and it.on_trial:
            it.settle(is_kept)

    seen = at_every_write(tmp_path, outcome, prepare, change, thing)
    old_then_new(seen, TRIED, after, writes=1)  # it is one


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "thrown away"])
def test_a_whole_rotation(tmp_path: Path, outcome: str, is_kept: bool) -> None:
    """Each start that follows a cut finds a certificate with its key, the configuration, and goes on."""

    def change() -> None:
        on_trial()
        store().renewal(b"asked")
        it = store()
        assert it.thing() and it.on_trial
        it.settle(is_kept)

    def look() -> object:
        assert configuration() and set(os.listdir("certs")) <= {"config0", "thing", "next", "next.new", *more}
        return thing()

    more = ("renewal", "renewal.new")
    seen = at_every_write(tmp_path, outcome, with_a_thing, change, look)
    states = [state for at, state in enumerate(seen) if not at or seen[at - 1] != state]
    assert states == [OLD, TRIED, NEW if is_kept else OLD], seen


def ssid() -> tuple[str, bool]:
    """Which configuration is whole at a start, and whether the other could come back."""
    it = store()
    found = it.load()
    assert found and it.certificates()["claim_key"]
    return found["wifi"][0]["ssid"], "before" in os.listdir("certs")


def moved(name: str) -> dict[str, Any]:
    document = claim()
    document["wifi"][0]["ssid"] = name
    return config.validate(document)


def test_a_configuration_s_trial(tmp_path: Path, outcome: str) -> None:
    seen = at_every_write(
        tmp_path,
        outcome,
        lambda: store().save(moved("old")),
        lambda: store().load() == moved("old") or store().save(moved("new"), True),
        ssid,
    )
    assert seen[-1] == ("new", True) and ("new", False) not in seen


@pytest.mark.parametrize("is_kept", [True, False])
def test_the_end_of_a_configuration_s_trial(tmp_path: Path, outcome: str, is_kept: bool) -> None:
    def prepare() -> None:
        store().save(moved("old"))
        store().save(moved("new"), True)

    after = ("new" if is_kept else "old", False)
    seen = at_every_write(tmp_path, outcome, prepare, lambda: store().settle_configuration(is_kept), ssid)
    assert seen[-1] == after
    assert set(seen) <= {("new", True), ("old", True), after}


def test_a_certificate_of_the_claim_s_ends_a_trial(tmp_path: Path, outcome: str) -> None:
    def prepare() -> None:
        with_a_thing()
        on_trial()

    def change() -> None:
        store().save_thing(claim()["aws"]["endpoint"], "lamp", pem(size=320), pem("PRIVATE KEY", 150))

    seen = at_every_write(tmp_path, outcome, prepare, change, thing)
    old_then_new(seen, TRIED, (320, 150, False))


def test_a_factory_reset_leaves_the_configuration_or_nothing(tmp_path: Path, outcome: str) -> None:
    def prepare() -> None:
        store().save(first())
        store().save_thing(claim()["aws"]["endpoint"], "lamp", pem(), pem("PRIVATE KEY"))
        on_trial()

    def look() -> tuple[bool, list[str]]:
        return configuration() is None, sorted(os.listdir("certs"))

    seen = at_every_write(tmp_path, outcome, prepare, lambda: store().erase(), look)
    old_then_new(seen, (False, ["config0", "next", "thing"]), (True, []))


def test_the_256_bytes(tmp_path: Path, outcome: str) -> None:
    def write(value: bytes) -> None:
        it = flash()
        it.write(0, value * SIZE)
        asyncio.run(it.flush())

    seen = at_every_write(
        tmp_path, outcome, lambda: write(b"o"), lambda: write(b"n"), lambda: flash().read(0, SIZE)
    )
    old_then_new(seen, b"o" * SIZE, b"n" * SIZE)


def keep_root(version: int) -> None:
    kept.keep_root("certs", forms.root(root_text(version=version), PRODUCT))


def update_root() -> int:
    """The version of the root that counts, where the product brought version 1."""
    settings, log = SimpleNamespace(__name__="product.settings", PRODUCT=PRODUCT), FakeLog()
    module = SimpleNamespace(ROOT=root_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "product", SimpleNamespace(update_root=module))
        patch.setitem(sys.modules, "product.update_root", module)
        found = kept.root("certs", settings, log)
    assert not log.lines, "a cut damages no copy"
    assert found["text"] == root_text(version=found["version"]).encode()
    return int(found["version"])


@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_root_s_rotation(tmp_path: Path, outcome: str, before: int) -> None:
    """The first that is kept, the next, and the one after that."""

    def prepare() -> None:
        store().save(first())
        for version in range(2, before + 1):
            keep_root(version)

    seen = at_every_write(tmp_path, outcome, prepare, lambda: keep_root(before + 1), update_root)
    old_then_new(seen, before, before + 1)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_the_counter(tmp_path: Path, outcome: str, before: int) -> None:
    def prepare() -> None:
        for counter in range(before):
            kept.raise_counter(nvs(), counter + 1)

    seen = at_every_write(
        tmp_path, outcome, prepare, lambda: kept.raise_counter(nvs(), 9), lambda: kept.counter(nvs())
    )
    old_then_new(seen, before, 9, writes=1)


def test_root_and_counter_outlive_a_factory_reset_that_is_cut(tmp_path: Path, outcome: str) -> None:
    def prepare() -> None:
        with_a_thing()
        keep_root(2)
        kept.raise_counter(nvs(), 5)

    seen = at_every_write(
        tmp_path,
        outcome,
        prepare,
        lambda: store().erase(),
        lambda: (configuration() is None, update_root(), kept.counter(nvs())),
    )
    old_then_new(seen, (False, 2, 5), (True, 2, 5))
