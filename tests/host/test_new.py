"""`python3 -m tools new`: what it makes, what mip makes of that, and what it refuses."""

import json
from pathlib import Path

import pytest
from mpremote import mip

from tests.host.board.support import run_verb
from tools.application import NEEDED, SETTING, complaint, folder, is_own
from tools.board.errors import BoardError
from tools.board.files import DEPENDENCIES, library_files, values
from tools.environment import ROOT
from tools.new.project import make, source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make(tmp_path / "lamp", source(None))
    return tmp_path / "lamp"


def test_a_project_is_a_product_of_its_own(project: Path) -> None:
    known, example = values(project), values(ROOT)
    assert known["PRODUCT"] == known["NAME_PREFIX"] == "lamp"
    assert known.keys() == example.keys() and known["WATCHDOG_MS"] == example["WATCHDOG_MS"]
    assert f"@ {ROOT.as_uri()}\n" in (project / "requirements.txt").read_text()
    assert "$" not in "".join((project / name).read_text() for name in ("README.md", "package.json"))
    assert {path.name for path in project.parent.iterdir()} == {"lamp"}


class Transport:
    """A board's file system, as mpremote's mip sees one."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def fs_exists(self, _path: str) -> bool:
        return True

    def fs_hashfile(self, path: str, _algorithm: str) -> bytes:
        raise FileNotFoundError(path)

    def fs_writefile(self, path: str, data: bytes, progress_callback: object) -> None:
        self.files[path] = data

    def exec(self, _code: str) -> None:
        pass

    def eval(self, _code: str) -> int:
        return 6


def test_mip_brings_library_and_application(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    for name, version in DEPENDENCIES.items():
        listing = index / f"package/6/{name}/{version}.json"
        listing.parent.mkdir(parents=True)
        listing.write_text("{}")
    monkeypatch.chdir(project)
    board = Transport()
    mip._install_package(board, "./package.json", str(index), "/lib", None, True)
    library = {f"/{file.as_posix()}": (ROOT / file).read_bytes() for file in library_files()}
    application = {
        f"/lib/{file.relative_to(project).as_posix()}": file.read_bytes()
        for file in (project / "firmware").glob("*.py")
    }
    assert board.files == library | application


def test_the_source_may_be_a_repository(tmp_path: Path) -> None:
    make(tmp_path / "lamp", source("github:someone/esp32@v1.2"))
    wanted = "esp32-aws-iot @ git+https://github.com/someone/esp32@v1.2"
    assert wanted in (tmp_path / "lamp/requirements.txt").read_text().splitlines()
    package = json.loads((tmp_path / "lamp/package.json").read_text())
    assert package["deps"] == [["github:someone/esp32", "v1.2"]]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("there", "is there already"),
        ("Lamp", "small letters, digits and hyphens"),
        ("lamp_2", "small letters, digits and hyphens"),
        ("a" * 17, "1 to 16"),
        ("no/such/lamp", "no such folder"),
        (f"{ROOT}/lamp", "is in the folder of the tools"),
    ],
)
async def test_what_cannot_be_is_told_and_leaves_nothing(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "there").mkdir()
    done = await run_verb("new", str(tmp_path / name))
    assert done.status == 1 and reason in done.err and "Traceback" not in done.err
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"] and not (ROOT / "lamp").exists()


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, *_: object) -> int:
        raise OSError(28, "No space left on device") if path.name == "app.py" else OSError(0, "")

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(BoardError, match="cannot be written"):
        make(tmp_path / "lamp", source(None))
    assert not list(tmp_path.iterdir())


def test_whose_application_it_is(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.chdir(tmp_path)
    assert folder() == ROOT and not is_own()
    monkeypatch.chdir(project)
    assert folder() == project and is_own()
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv(SETTING, str(project))
    assert folder() == project and complaint() == ""
    (project / NEEDED[0]).unlink()
    assert NEEDED[0] in complaint()
