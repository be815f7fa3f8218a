"""The root of a product's updates in flash: the greatest version counts, and what is damaged does not."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from check import raises
from fakes import FakeLog, FakeNVS
from iot.ota import forms, kept
from iot.storage.record import Record
from iot.storage.store import Credentials, Store
from updates import PRODUCT, root_text

SETTINGS: Any = SimpleNamespace(__name__="product.settings", PRODUCT=PRODUCT)
NONE = "this product has no root: python3 -m tools release root"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def brought() -> Iterator[Any]:
    """Has the product bring a root of its own, from its text."""

    def bring(text: str) -> None:
        module = ModuleType("product.update_root")
        module.ROOT = text  # type: ignore[attr-defined]
        sys.modules.update({"product": ModuleType("product"), module.__name__: module})

    yield bring
    for name in ("product", "product.update_root"):
        sys.modules.pop(name, None)


def keep(*versions: int, **others: Any) -> None:
    for version in versions:
        kept.keep_root(
            "certs", forms.root(root_text(version=version, **others), others.get("product", PRODUCT))
        )


def load(log: FakeLog | None = None) -> int:
    version = kept.root("certs", SETTINGS, log or FakeLog())["version"]
    assert isinstance(version, int)
    return version


def damage(*names: str) -> None:
    for name in names:
        data = bytearray(Path("certs", name).read_bytes())
        data[20] ^= 1
        Path("certs", name).write_bytes(data)


def test_a_product_without_a_root_is_told_the_remedy() -> None:
    log = FakeLog()
    raises(ValueError, NONE, kept.root, "certs", SETTINGS, log)
    assert not log.lines


def test_the_product_s_own_root_is_not_kept_in_memory(brought: Any) -> None:
    brought(root_text())
    assert load() == 1
    assert "product.update_root" not in sys.modules
    raises(ValueError, NONE, kept.root, "certs", SETTINGS, FakeLog())


def test_the_greatest_version_counts(brought: Any) -> None:
    for own, versions, expected in ((1, (2,), 2), (1, (2, 3), 3), (3, (2,), 3), (5, (2, 3), 5)):
        brought(root_text(version=own))
        keep(*versions)
        assert load() == expected


def test_of_one_version_the_product_s_own_counts(brought: Any) -> None:
    brought(root_text((1, 2, 3)))
    keep(1, numbers=(4, 5, 6))
    assert kept.root("certs", SETTINGS, FakeLog())["text"] == root_text((1, 2, 3)).encode()


@pytest.mark.parametrize("name", ["root0", "root1"])
def test_a_damaged_copy_is_told_and_the_other_counts(brought: Any, name: str) -> None:
    brought(root_text())
    keep(2, 3)
    damage(name)
    log = FakeLog()
    assert load(log) == 3
    assert log.lines == [f"update: {name}: damaged"]


def test_the_product_s_own_counts_where_no_kept_one_is_sound(brought: Any) -> None:
    brought(root_text())
    keep(2, 3)
    damage("root0", "root1")
    log = FakeLog()
    assert load(log) == 1
    assert log.lines == ["update: root0: damaged", "update: root1: damaged"]
    keep(2)
    assert load() == 2


def test_a_root_of_the_product_s_that_is_none_gives_way_to_a_kept_one(brought: Any) -> None:
    for text in ("", "iot-root 1\n", root_text(product="lamp-2"), root_text() * 9):
        brought(text)
        log = FakeLog()
        raises(ValueError, "update_root: " if text else NONE, kept.root, "certs", SETTINGS, log)
        assert len(log.lines) == bool(text)
    keep(2)
    brought(root_text(product="lamp-2"))
    assert load() == 2


def test_a_kept_root_of_another_product_does_not_count(brought: Any) -> None:
    keep(7, product="lamp-2")
    brought(root_text())
    log = FakeLog()
    assert load(log) == 1
    assert log.lines == [f"update: root{number}: product: not as it has to be" for number in (0, 1)]


def test_a_kept_file_that_holds_something_else_does_not_count(brought: Any) -> None:
    brought(root_text())
    Credentials("certs").save("root0", {"root": b"\xff\xfe"})
    Credentials("certs").save("root1", {"other": b"x"})
    Path("certs/root2").write_bytes(b"nobody's")
    log = FakeLog()
    assert load(log) == 1
    assert len(log.lines) == 2


def test_a_factory_reset_leaves_root_and_counter(brought: Any) -> None:
    nvs = FakeNVS()
    brought(root_text())
    keep(4)
    kept.raise_counter(nvs, 6)
    Store(Record(nvs, "config", 2000), Credentials("certs")).erase()
    assert (load(), kept.counter(nvs)) == (4, 6)


def test_nvs_that_fails_is_an_error_and_not_a_counter_of_0(monkeypatch: pytest.MonkeyPatch) -> None:
    nvs = FakeNVS()
    kept.raise_counter(nvs, 6)

    def fail(*arguments: Any) -> None:
        raise OSError(5, "EIO")

    monkeypatch.setattr(nvs, "get_blob", fail)
    raises(OSError, "EIO", kept.counter, nvs)
    raises(OSError, "EIO", kept.raise_counter, nvs, 7)
