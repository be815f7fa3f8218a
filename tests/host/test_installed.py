"""`pip install .`: the wheel, and what it installs, in a virtual environment of its own."""

import re
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from firmware import settings
from tests.host.board.fake_board import FakeBoard
from tests.host.board.packs import unpack
from tests.patience import PATIENCE_S
from tools.__main__ import NEED_TESTS, VERBS

ROOT = Path(__file__).parents[2]
HOUSE = "esp32_aws_iot/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", *options, str(ROOT)], check=True)
    [wheel] = folder.iterdir()
    return wheel


@pytest.fixture(scope="module")
def iot(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command; what the package depends on is borrowed from where the tests run."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    [site_packages] = folder.glob("lib/python*/site-packages")
    python = ("--python", str(folder / "bin/python"))
    command = [sys.executable, "-m", "pip", *python, "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True)
    installed = {path.name for path in site_packages.iterdir() if not path.name.endswith(".dist-info")}
    assert installed == {"esp32_aws_iot"}  # and no `tools`, no `lib` for all to import
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin/iot"


def run(iot: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(iot), *arguments]
    return subprocess.run(
        command, cwd=iot.parent, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_the_wheel_has_all_of_the_device_and_of_the_tools(wheel: Path) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for folder in ("firmware", "lib", "tools")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".mpy"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix(HOUSE) for name in archive.namelist() if name.startswith(HOUSE)}
        [metadata] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        about = BytesParser().parsebytes(archive.read(metadata))
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert names == here | {"boot.py", "main.py", "package.json"}
    assert about["Version"] == settings.VERSION
    assert about["License-Expression"] == "MIT"


def test_every_verb_is_there(iot: Path) -> None:
    done = run(iot, "--help")
    assert done.returncode == 0
    assert all(re.search(rf"^    {verb}\s", done.stdout, re.MULTILINE) for verb in VERBS), done.stdout


@pytest.mark.parametrize("verb", NEED_TESTS)
def test_what_is_for_developers_says_so(iot: Path, verb: str) -> None:
    done = run(iot, verb)
    assert done.returncode == 1
    assert done.stderr == f"{verb}: runs in a clone of the repository, not installed\n"


def test_a_simulated_device_comes_to_telemetry(iot: Path) -> None:
    done = run(iot, "run", "--once", "--timeout", str(PATIENCE_S - 20))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "messages acknowledged and received" in done.stdout


def test_it_deploys(iot: Path, tmp_path: Path) -> None:
    board = FakeBoard(tmp_path / "board")
    with board:
        done = run(iot, "deploy", board.port, "--no-packages")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"boot.py", "main.py", "pack.mpy", "firmware.pack"} <= board.tree().keys()


def test_an_application_of_ones_own(iot: Path, tmp_path: Path) -> None:
    """Its tests pass, and it is what a board gets, by what `pip install` has brought alone."""
    assert run(iot, "new", str(tmp_path / "lamp")).returncode == 0
    board = FakeBoard(tmp_path / "board")
    tested = [str(iot.with_name("python")), "-m", "pytest", "-q"]
    with board:
        deployed = [str(iot), "deploy", board.port, "--no-packages"]
        for command in (tested, deployed):
            done = subprocess.run(
                command,
                cwd=tmp_path / "lamp",
                capture_output=True,
                text=True,
                timeout=2 * PATIENCE_S,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    modules = unpack(board.tree()["firmware.pack"])
    assert b"lamp" in modules["firmware/settings.mpy"] and b"every_s" in modules["firmware/app.mpy"]


def test_the_local_cloud_runs(iot: Path, tmp_path: Path) -> None:
    command = [str(iot), "cloud", "--port", "0", "--state", "state"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "AWS IoT Core (local) listens on 127.0.0.1" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert (tmp_path / "state/ca.pem").is_file()
