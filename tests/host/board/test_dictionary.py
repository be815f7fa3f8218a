"""The dictionary of packs: made from the library as it is, kept as long as a new one would not save much."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools.board import dictionary as maker
from tools.board.pack import DICTIONARY, UNIT_SIZE, deflated, files, inflated, kept_dictionary

ROOT = Path(__file__).parents[3]
WORTH_BYTES = 1024  # what a new one has to save


@pytest.fixture(scope="module")
def modules() -> dict[str, bytes]:
    return maker.library()


def test_a_new_one_would_not_save_much(modules: dict[str, bytes]) -> None:
    """Else: `.venv/bin/python3 -m tools.board.dictionary`."""
    kept, new = (
        maker.packed_bytes(modules, dictionary) for dictionary in (kept_dictionary(), maker.trained(modules))
    )
    assert kept - new <= WORTH_BYTES, "write dictionary.bin anew: .venv/bin/python3 -m tools.board.dictionary"


def test_it_saves_more_than_it_takes(modules: dict[str, bytes]) -> None:
    stored = dict(files(modules, kept_dictionary()))
    behind = [*stored][[*stored].index(DICTIONARY) + 1 :]
    saved = {path: len(deflated(modules[path])) - len(stored[path]) for path in behind}
    assert min(saved.values()) > 0 and sum(saved.values()) > 2500 > 4 * len(stored[DICTIONARY])
    assert {path: inflated(stored[path], kept_dictionary()) for path in behind} == {
        path: modules[path] for path in behind
    }


def test_it_has_a_form_that_the_reader_takes() -> None:
    """Whole units, as many as a byte says, and half of the window: modules refer to what they have, too."""
    assert len(kept_dictionary()) == maker.SIZE and maker.SIZE % UNIT_SIZE == 0
    assert maker.SIZE // UNIT_SIZE < 256 and 2 * maker.SIZE <= 1 << 10


def test_the_same_library_makes_the_same_bytes(modules: dict[str, bytes], tmp_path: Path) -> None:
    """Also in another process, and whatever order its modules come in."""
    compiled = tmp_path / "modules"
    compiled.write_bytes(pickle.dumps(dict(reversed(modules.items()))))
    program = (
        "import pickle, sys\n"
        "from tools.board import dictionary\n"
        "print(dictionary.trained(pickle.load(open(sys.argv[1], 'rb'))).hex())\n"
    )
    command = [sys.executable, "-c", program, str(compiled)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout.strip() == maker.trained(modules).hex()


def test_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: dict[str, bytes]) -> None:
    file = tmp_path / "dictionary.bin"
    monkeypatch.setattr(maker.pack, "DICTIONARY_FILE", file)
    monkeypatch.setattr(maker, "library", lambda: modules)
    maker.main()
    assert file.read_bytes() == maker.trained(modules)
