"""`python3 -m tools release` in this process, on a small product with keys of its own."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.board.products import Product
from tests.host.thing.conftest import Done, in_process
from tools.__main__ import main
from tools.release.keys import PASSPHRASE, Keys
from tools.release.roots import key_id

SETTINGS = 'PRODUCT = "lamp"\nVERSION = "1.4.0"\nNAME_PREFIX = "lamp"\n'
SECRET = "a passphrase of the tests"
Run = Callable[..., Done]


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    """It stands in for this checkout; relative paths lie in `tmp_path`."""
    product = Product(tmp_path, monkeypatch)
    product.change("firmware/settings.py", SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PASSPHRASE, SECRET)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return product


@pytest.fixture
def release(product: Product, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Done:
        return in_process(monkeypatch, capsys, "release", *map(str, arguments))

    return run


@pytest.fixture
def detools() -> None:
    """What makes deltas: it is compiled where it is installed."""
    pytest.importorskip(
        "detools", reason="detools is not installed: make setup, where there is a C++ compiler"
    )


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three keys as keygen makes them, once: to make and to open one takes a while, and shall."""
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSPHRASE, SECRET)
        for name in ("anna", "ben", "carla"):
            patch.setattr(sys, "argv", ["tools", "release", "keygen", str(folder / name)])
            assert main() == 0
    return folder


@pytest.fixture
def keys(product: Product, made_keys: Path) -> dict[str, str]:
    """The ids of three keys, whose files have their names."""
    shutil.copytree(made_keys, ".", dirs_exist_ok=True)
    return {name: key_id(Keys().public(f"{name}.pub")) for name in ("anna", "ben", "carla")}


@pytest.fixture
def root(release: Run, keys: dict[str, str]) -> dict[str, str]:
    """The same, two of which must sign."""
    assert release("root", "make", "--threshold", 2, *(f"{name}.pub" for name in keys)).status == 0
    return keys


@pytest.fixture
def built(release: Run, root: dict[str, str]) -> Path:
    """A release of the product, not signed as yet."""
    done = release("build", "--expires", "2999-01-01", "--packages", "packages", "--json")
    return Path(done.value["folder"])
