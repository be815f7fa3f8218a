"""`release build`: what deploy puts on a board, and the same bytes on any machine."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.host.board.fake_board import FakeBoard
from tests.host.board.made_images import BOARD, ONE_SLOT, TWO_SLOTS, Made
from tests.host.board.packs import unpack
from tests.host.board.products import PACKAGES, Product, put
from tests.host.release.conftest import Run
from tests.patience import PATIENCE_S
from tools.board.deploy import deploy
from tools.release import manifest
from tools.release.manifest import BLOCK_BYTES

ROOT = Path(__file__).parents[3]
HOUSE = ("tools", "firmware", "lib", "boot.py", "main.py", "package.json")
LATER = ("--expires", "2999-01-01")
WITH = (*LATER, "--packages", "packages")
OUT = Path("build/release/lamp-1.4.0")


def read(folder: Path = OUT) -> manifest.Manifest:
    return manifest.read((folder / "manifest").read_bytes())


def test_it_is_what_deploy_puts_on_a_board(release: Run, product: Product, tmp_path: Path) -> None:
    done = release("build", *WITH)
    assert done.status == 0 and f"sign {OUT} --key" in done.out
    with FakeBoard(tmp_path / "board") as board:
        deploy(board.port, product.packages)
    content = (OUT / "firmware.pack").read_bytes()
    assert content == board.tree()["firmware.pack"]
    found = read()
    assert (found.product, found.kind, found.version, found.counter) == ("lamp", "app", "1.4.0", 0)
    assert (found.chip, found.boards, found.micropython, found.mpy) == ("ESP32", (), "1.25.0", "6")
    assert found.expires == datetime(2999, 1, 1, tzinfo=UTC)
    assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert {file.name for file in OUT.iterdir()} == {"manifest", "firmware.pack", "sbom.json"}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """This whole checkout built in two places, on machines that differ in what a build must not see."""
    machines: list[tuple[int, dict[str, str]]] = [
        (0o022, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
        (0o077, {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "LANGUAGE": "tr"}),
    ]
    found = []
    for number, (umask, variables) in enumerate(machines):
        folder = tmp_path_factory.mktemp("machine") / ("a" * (1 + 40 * number))
        folder.mkdir()
        for name in HOUSE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder)
        put(folder / "packages", PACKAGES)
        command = [sys.executable, "-m", "tools", "release", "build", "--packages", "packages"]
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {"SOURCE_DATE_EPOCH": "1800000000", **variables}
        subprocess.run(command, cwd=folder, env=environment, umask=umask, check=True, timeout=PATIENCE_S)
        [made] = (folder / "build/release").iterdir()
        found.append({file.name: file.read_bytes() for file in made.iterdir()})
    return found


def test_the_same_bytes_on_any_machine(twice: list[dict[str, bytes]]) -> None:
    one, other = twice
    assert one.keys() == other.keys() == {"manifest", "firmware.pack", "sbom.json"}
    assert one == other
    found = manifest.read(one["manifest"])
    assert found.expires == datetime.fromtimestamp(1800000000 + 365 * 86400, UTC)
    assert json.loads(one["sbom.json"])["metadata"]["timestamp"] == "2027-01-15T08:00:00+00:00"


def test_this_product_fits(twice: list[dict[str, bytes]]) -> None:
    modules = unpack(twice[0]["firmware.pack"])
    assert {"iot/system.mpy", "firmware/app.mpy", "aioble/core.mpy"} <= modules.keys()
    assert "boot.mpy" not in modules and "pack.mpy" not in modules


def test_a_time_from_the_environment_alone(release: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = release("build", "--packages", "packages", "--json")
    assert done.status == 2 and "SOURCE_DATE_EPOCH" in done.objects[-1]["text"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert release("build", "--packages", "packages", "--json").status == 1
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert release("build", "--packages", "packages").status == 0
    for text in ("tomorrow", "2027-13-01"):
        assert release("build", "--expires", text).status == 2
    release("build", "--expires", "2027-06-01T02:00:00+02:00", "--packages", "packages")
    assert read().expires == datetime(2027, 6, 1, tzinfo=UTC)


def test_the_counter_is_that_of_the_releases_before(release: Run, product: Product) -> None:
    release("build", *WITH, "--counter", 7)
    product.change("firmware/settings.py", 'PRODUCT = "lamp"\nVERSION = "1.5.0"\n')
    assert release("build", *WITH, "--json").value["counter"] == 7
    product.change("firmware/settings.py", 'PRODUCT = "door"\nVERSION = "1.5.0"\n')
    put(Path("build/release/mine"), {"manifest": "notes\n"})
    assert release("build", *WITH, "--json").value["counter"] == 0
    assert release("build", *WITH, "--counter", 1 << 31).status == 2


def test_what_is_signed_stays(release: Run, root: dict[str, str]) -> None:
    release("build", *WITH)
    release("sign", OUT, "--key", "anna", "--packages", "packages")
    assert release("build", *WITH).status == 0  # the same
    before = {file: file.read_bytes() for file in OUT.iterdir()}
    done = release("build", *WITH, "--counter", 3, "--json")
    assert done.status == 1 and "something else is signed there" in done.failure["text"]
    assert {file: file.read_bytes() for file in OUT.iterdir()} == before


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("firmware/app.py", "def main(:\n", "firmware/app.py does not compile"),
        ("firmware/data.py", f"DATA = {os.urandom(210_000)!r}\n", "196,608 may be"),
        ("firmware/settings.py", 'PRODUCT = "a lamp"\nVERSION = "1"\n', "product 'a lamp'"),
        ("firmware/settings.py", 'PRODUCT = "l"\nVERSION = "1"\nNAME_PREFIX = "a/b"\n', "settings.py"),
    ],
)
def test_what_cannot_be_built(release: Run, product: Product, path: str, text: str, told: str) -> None:
    product.change(path, text)
    done = release("build", *WITH, "--json")
    assert done.status == 1 and told in done.failure["text"]
    assert not Path("build").exists()


def test_wrong_arguments(release: Run, product: Product) -> None:
    assert "settings.py has 1.4.0" in release("build", *WITH, "--version", "2", "--json").failure["text"]
    assert release("build", *WITH, "--kind", "image").status == 2
    assert release("build", *WITH, "--kind", "app", "--image", "x.bin").status == 2
    assert release("build", *LATER, "--image", "x.bin").status == 2  # of which version is not said
    assert release("build", *WITH, "--no-packages").status == 2
    assert release("build", *WITH, "--chip", "ESP8266").status == 2
    assert release("build", *WITH, "--micropython", "1.25", "--json").status == 1
    product.change("firmware/settings.py", "VERSION = '1'\n")
    done = release("build", *WITH, "--json")
    assert done.status == 2 and "--product is missing" in done.err
    assert not Path("build").exists()


def test_packages_of_another_version(release: Run) -> None:
    put(Path("packages"), {"aioble/manifest.py": 'metadata(version="0.5.0")\n'})
    done = release("build", *WITH, "--json")
    assert done.status == 1 and "aioble 0.5.0, a release has 0.6.2" in done.failure["text"]
    put(Path("packages"), {"aioble/manifest.py": 'metadata(version="0.6.2")\n'})
    assert release("build", *WITH).status == 0


def test_for_some_boards_and_another_chip(release: Run, product: Product) -> None:
    source = "@micropython.native\ndef main(thing):\n    return thing\n"
    product.change("firmware/app.py", source)
    boards = ("--board", "One with ESP32C3", "--board", "Other with ESP32C3", "--chip", "ESP32C3")
    release("build", *WITH, *boards, "--micropython", "1.27.0")
    found = read()
    assert found.boards == ("One with ESP32C3", "Other with ESP32C3") and found.chip == "ESP32C3"
    assert found.mpy == "6 rv32imc" and found.micropython == "1.27.0"
    release("build", *WITH)
    assert read().mpy == "6 xtensawin"


IMAGE = Made(partitions=TWO_SLOTS)
BIG = dataclasses.replace(IMAGE, application=IMAGE.micropython() + b"more" * 40_000)


@pytest.mark.parametrize("is_alone", [False, True], ids=["bin", "app-bin"])
def test_an_image(release: Run, root: dict[str, str], is_alone: bool) -> None:
    application = BIG.program(BIG.application or b"")
    Path("image.bin").write_bytes(application if is_alone else BIG.image())
    done = release("build", *LATER, "--image", "image.bin", "--version", "1.25.0", "--json")
    folder = Path(done.value["folder"])
    assert folder.name == "lamp-1.25.0-image"
    found, content = read(folder), (folder / "firmware.bin").read_bytes()
    assert (found.kind, found.chip, found.boards, found.micropython) == ("image", "ESP32", (BOARD,), "")
    blocks = -(-len(application) // BLOCK_BYTES)
    assert blocks == 3 and content[32 * blocks :] == application
    for number in range(blocks):
        block = application[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        assert content[32 * number : 32 * number + 32] == hashlib.sha256(block).digest()
    assert found.blocks == (blocks, hashlib.sha256(content[: 32 * blocks]).hexdigest())
    signed = release("sign", folder, "--key", "anna", "--json")
    assert "Name it: --image" in signed.failure["remedy"]
    assert release("sign", folder, "--key", "anna", "--image", "image.bin").status == 0
    Path("other.bin").write_bytes(
        dataclasses.replace(BIG, application=(BIG.application or b"") + b"!").image()
    )
    signed = release("sign", folder, "--key", "ben", "--image", "other.bin", "--json")
    assert f"{folder}/firmware.bin: built here it differs" in signed.failure["text"]


def test_an_image_behind_which_there_is_more(release: Run) -> None:
    """As where a file system follows it in one file: a partition has no room for that."""
    Path("image.bin").write_bytes(Made(partitions=ONE_SLOT).image() + b"\xff" * 100_000)
    release("build", *LATER, "--image", "image.bin", "--version", "1")
    content = Path("build/release/lamp-1-image/firmware.bin").read_bytes()
    assert content[32:] == Made().program(Made().micropython())


def test_what_is_no_image(release: Run) -> None:
    for data in (b"", b"hello" * 100, Made().image()[:-40]):
        Path("image.bin").write_bytes(data)
        done = release("build", *LATER, "--image", "image.bin", "--version", "1", "--json")
        assert done.status == 1 and done.failure["text"].startswith("image.bin: ")
    assert release("build", *LATER, "--image", "none.bin", "--version", "1").status == 1
    assert not Path("build").exists()
