"""The library as a chip gets it, compiled and with names that are in ROM: it does what its source does."""

from pathlib import Path

import pytest

from tests.board.runner import names_there, watched
from tests.vm.test_vm import FOLDERS, ROOT, TIMEOUT_S, UNIT, VERSIONS, VM, check, names_in, run, vm_command
from tools.board import shared
from tools.board.files import compile_as_it_is, compile_for_chip, library_files

# Those dual tests that neither look at nor replace anything private.
FILES = (
    "test_backoff", "test_config", "test_delta", "test_documents", "test_forms", "test_framer", "test_frames",
    "test_inbox", "test_outbox", "test_packet", "test_requests", "test_shadow_document", "test_unclaimed",
    "test_verify",
)  # fmt: skip


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lib")
    for file in library_files():
        if source := (ROOT / file).read_bytes():
            target = (folder / file.relative_to("lib")).with_suffix(".mpy")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(compile_for_chip(source, file.as_posix()))
    return folder


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests, which mean the library's names."""
    folder = tmp_path_factory.mktemp("unit")
    for file in UNIT.glob("*.py"):
        module = shared.in_rom(compile_as_it_is(file.read_bytes(), f"unit/{file.name}"))
        (folder / file.with_suffix(".mpy").name).write_bytes(module)
    return folder


@pytest.mark.parametrize("file", FILES)
@pytest.mark.timeout(TIMEOUT_S)
def test_what_is_deployed_does_the_same(file: str, deployed: Path, unit: Path) -> None:
    there = {ROOT / "lib": deployed, UNIT: unit}
    folders = {there.get(folder, folder): target for folder, target in FOLDERS.items()}
    parts, output = run(file, vm_command(file, folders, VERSIONS[0]))
    failed = [part for part in parts.values() if not part.startswith("PASSED")]
    assert parts.keys() == set(names_in(ROOT / f"tests/unit/{file}.py")) and not failed, output


THERE = """
import sys

sys.modules["tls"] = sys  # which the VM has not

def test_there():
    for module, owner, name in {places}:
        __import__(module)
        there = sys.modules[module]
        assert callable(getattr(getattr(there, owner) if owner else there, name)), (module, owner, name)
"""


@pytest.mark.timeout(TIMEOUT_S)
def test_what_the_board_tests_watch_has_these_names_there(deployed: Path, tmp_path: Path) -> None:
    names = names_there()
    places = [
        (module, *(names.get(module, {}).get(name, name) for name in (owner, function)))
        for module, watches in watched().items()
        for owner, function, _ in watches
    ]
    (tmp_path / "test_it.py").write_text(THERE.format(places=places))
    folders = {deployed: "/lib", tmp_path: "/unit", VM / "shims": "/vm"}
    check("test_there", run("test_it", vm_command("test_it", folders, VERSIONS[0])))
