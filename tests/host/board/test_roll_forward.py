"""boot.py carries a deployment out, whenever the power fails; so does a whole deployment."""

import builtins
import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.host.board.fake_board import FakeBoard
from tests.host.board.packs import unpack
from tests.host.board.products import OLD, Product, put_old
from tools.board import repl
from tools.board.deploy import BUILT, deploy
from tools.board.errors import BoardError
from tools.board.repl import Repl
from tools.sim.chip import OUTCOMES
from tools.sim.files import FlashPath, Image
from tools.sim.flash import CutFlash

START = Path(__file__).parents[3] / "boot.py"
ON_BOARD = Path(__file__).parents[3] / "tools/board/on_board.py"
Tree = dict[str, bytes]


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    return Product(tmp_path, monkeypatch)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chip's modules that boot.py needs besides its files."""
    for name in ("esp", "machine", "pack"):
        module = ModuleType(name)
        vars(module).update(osdebug=lambda *_: None, freq=lambda hz: None, start=lambda: 0)
        monkeypatch.setitem(sys.modules, name, module)


def change(product: Product) -> None:
    """Something of everything: changed, new, gone, another boot.py and another reader of the pack."""
    product.change("firmware/app.py", "new = True\n")
    product.change("lib/iot/more.py", "more = True\n")
    product.change("lib/pack.py", "def mount(path):\n    return path\n")
    product.remove("lib/iot/mqtt/client.py")
    product.change("boot.py", START.read_text() + "# another\n")


def committed(product: Product, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploy up to the moment before the reset."""

    def powerless(self: Repl) -> None:
        raise BoardError("no power", "none")

    with (
        FakeBoard(place) as board,
        monkeypatch.context() as patch,
        pytest.raises(BoardError, match="no power"),
    ):
        patch.setattr(Repl, "reset", powerless)
        deploy(board.port, product.packages)
    assert (files(place) / "deploy/list").exists()


def files(place: Path) -> FlashPath:
    """What is on the flash of a board; a new one is empty."""
    place.mkdir(exist_ok=True)
    return Image(place / "vfs.bin").root


def tree(place: Path) -> Tree:
    found = FakeBoard(place).tree()
    found.pop(BUILT, None)
    return found


def modules(place: Path) -> set[str]:
    return set(unpack((files(place) / "firmware.pack").read_bytes()))


def before_update(product: Product, board: Path, before: str) -> None:
    """Make a board what it is before a deployment: one of another layout, a developer's copies."""
    if before == "old layout":
        put_old(board)
    elif before != "new":
        with FakeBoard(board) as fake:
            deploy(fake.port, product.packages)
        change(product)
    if before == "copies":
        for path in ("lib/iot/mqtt/client.py", "firmware/app.py"):
            (files(board) / path).parent.mkdir(parents=True)
            (files(board) / path).write_text("copy = True\n")


def start(place: Path, cut_at: int = 0, outcome: str = "torn") -> bool:
    """Run boot.py; return whether the power was cut meanwhile."""
    flash = CutFlash(place, cut_at, outcome)
    code = compile((files(place) / "boot.py").read_text(), "boot.py", "exec")
    with flash.mounted():
        exec(code, {"__name__": "__main__"})
    return flash.was_cut


BEFORE = ["new", "update", "copies", "old layout"]


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("before", BEFORE)
def test_a_cut_at_every_write_of_boot(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, before: str
) -> None:
    board = tmp_path / "board"
    before_update(product, board, before)
    committed(product, board, monkeypatch)
    whole = tmp_path / "whole"
    shutil.copytree(board, whole)
    start(whole)
    new = tree(whole)
    assert new.keys() == {"boot.py", "main.py", "pack.mpy", "firmware.pack"}
    there = {path.name for path in files(whole).iterdir()} - {"lib"}  # which is empty
    assert there == {"boot.py", BUILT, "firmware.pack", "main.py", "pack.mpy"}
    updated = before in ("update", "copies")
    assert ("iot/more.mpy" in modules(whole)) is ("iot/mqtt/client.mpy" not in modules(whole)) is updated

    for write in range(1, 99):
        for again in range(4):
            place = tmp_path / f"cut{write}.{again}"
            shutil.copytree(board, place)
            was_cut = start(place, write, outcome)
            if again:
                start(place, again, outcome)
            start(place)
            assert tree(place) == new, f"after a cut at write {write} and one at {again}"
            assert not (files(place) / "deploy/list").exists()
        if not was_cut:
            assert write > 5
            return
    raise AssertionError("more writes than expected")


@pytest.mark.parametrize("first", [1, 2, 3, 4])
@pytest.mark.parametrize("before", ["update", "old layout"])
def test_a_cut_at_every_write_of_an_update(product: Product, tmp_path: Path, before: str, first: int) -> None:
    """The whole of it, from what the tool writes to what boot.py does; each fourth from `first`."""
    board = tmp_path / "before"
    before_update(product, board, before)
    if before == "old layout":
        (files(board) / "boot.py").write_text("# an older one, which finishes deployments, too\n")
    old = tree(board)
    seen: list[Tree] = []
    for write in range(first, 200, 4):
        place = tmp_path / f"cut{write}"
        shutil.copytree(board, place)
        try:
            with FakeBoard(place, cut_at=write) as fake:
                deploy(fake.port, product.packages)
        except BoardError as error:
            assert error.remedy.startswith("Plug the board in")
        else:
            break
        with FakeBoard(place) as fake, Repl(fake.port):
            pass
        seen.append({path: data for path, data in tree(place).items() if not path.startswith("deploy/")})
    new = tree(place)
    assert new.keys() == {"boot.py", "main.py", "pack.mpy", "firmware.pack"} and len(seen) > 10
    beside = {**old, "boot.py": new["boot.py"]}  # a new boot.py is in its place before the list that it reads
    turns = [state for n, state in enumerate(seen) if n == 0 or state != seen[n - 1]]
    assert turns in ([old, new], [old, beside, new])


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("before", ["another's", "old layout"])
def test_a_new_boot_py_starts_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """The power may be cut just before it has a list to carry out; then there is no pack."""
    monkeypatch.delitem(sys.modules, "pack")
    if before == "old layout":
        put_old(tmp_path)
    (files(tmp_path) / "boot.py").write_text(START.read_text())
    start(tmp_path)
    assert tree(tmp_path).keys() == {"boot.py"} | (OLD.keys() if before == "old layout" else set())


@pytest.mark.usefixtures("chip")
def test_nothing_is_read_in_a_deployment_before_something_is_removed(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut in a rename makes littlefs of MicroPython 1.28 hide a file until then, maybe the list."""
    committed(product, tmp_path, monkeypatch)
    calls: list[tuple[str, str]] = []
    flash = CutFlash(tmp_path)
    code = compile(START.read_text(), "boot.py", "exec")
    with flash.mounted(), monkeypatch.context() as patch:
        for module, name in ((builtins, "open"), (os, "remove"), (os, "rename")):
            patch.setattr(module, name, spy(calls, name, getattr(module, name)))
        exec(code, {"__name__": "__main__"})
    assert [name for name, _ in calls[:3]] == ["remove", "open", "rename"]


def spy(calls: list[tuple[str, str]], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: str, *rest: Any) -> Any:
        calls.append((name, path))
        return function(path, *rest)

    return call


def test_the_next_deployment_finishes_one_that_was_broken_off(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C, as at every start here."""
    monkeypatch.setattr(repl, "_BOOT_S", 0.5)
    board = tmp_path / "board"
    product.change("boot.py", "import time\ntime.sleep(2)\n" + START.read_text())
    committed(product, board, monkeypatch)
    with FakeBoard(board) as fake:
        done = deploy(fake.port, product.packages)
    assert done.written == [] and "iot/system.mpy" in modules(board)


@pytest.mark.usefixtures("chip")
def test_without_a_deployment_boot_writes_nothing(tmp_path: Path) -> None:
    (files(tmp_path) / "boot.py").write_text(START.read_text())
    assert not start(tmp_path, cut_at=1)


@pytest.mark.usefixtures("chip")
def test_a_start_finds_what_a_cut_in_a_move_has_hidden(tmp_path: Path) -> None:
    """Wherever it is: updates and the application move files as well."""
    (files(tmp_path) / "boot.py").write_text(START.read_text())
    for folder, name in (("one", "a"), ("one", "b"), ("two", "c")):
        (files(tmp_path) / folder).mkdir(exist_ok=True)
        (files(tmp_path) / folder / name).touch()
    with CutFlash(tmp_path, cut_at=2).mounted():
        os.rename("/one/a", "/two/a")
    with CutFlash(tmp_path).mounted():
        assert os.listdir("/one") == [], "another littlefs than that of MicroPython 1.28"
        with pytest.raises(OSError, match="2"):
            os.stat("/one/b")
    start(tmp_path)
    with CutFlash(tmp_path).mounted():
        assert os.listdir("/one") == ["b"] and sorted(os.listdir("/two")) == ["a", "c"]


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_empty_deployment_stays(tmp_path: Path, outcome: str) -> None:
    for write in range(1, 10):
        place = tmp_path / str(write)
        (files(place) / "deploy").mkdir()
        (files(place) / "deploy/list").write_text("- /gone.py\n")
        (files(place) / "boot.py").write_text(START.read_text())
        was_cut = start(place, write, outcome)
        start(place)
        assert [path.name for path in files(place).iterdir()] == ["boot.py"]
        if not was_cut:
            return
    raise AssertionError("more writes than expected")


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("obstacle", ["main.py", "pack.mpy", "firmware.pack", "built.txt", "gone/"])
def test_a_step_that_fails_is_told_once_and_does_not_stop_the_starts(
    product: Product,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    obstacle: str,
) -> None:
    """A folder where a file shall be, one that is not empty: whatever the file system says no to."""
    board = tmp_path / "board"
    before_update(product, board, "update")
    committed(product, board, monkeypatch)
    there = files(board)
    steps = (there / "deploy/list").read_text()
    if obstacle == "gone/":
        (there / "gone").mkdir()
        (there / "gone/mine.txt").touch()
        (there / "deploy/list").write_text("/ /gone\n" + steps)
    else:
        (there / "deploy/list").write_text(f"> /{obstacle}\n" + steps)
        if (there / obstacle).exists():
            (there / obstacle).unlink()
        (there / obstacle).mkdir()
        (there / obstacle / "mine.txt").touch()
        (there / "deploy" / obstacle).parent.mkdir(exist_ok=True)
        (there / "deploy" / obstacle).write_bytes(b"new")
    before = tree(board)
    start(board)
    told = capsys.readouterr().out
    assert obstacle.strip("/") in told and not (there / "deploy/list").exists()
    if obstacle == "gone/":
        assert "not removed" in told and not (there / "deploy").exists()
        assert "iot/more.mpy" in modules(board)
    else:
        assert "not moved" in told and "given up, nothing is changed" in told
        kept = {path: data for path, data in before.items() if path != "deploy/list"}
        assert tree(board) == kept
    start(board)
    assert "deployment" not in capsys.readouterr().out
    with FakeBoard(board) as fake, Repl(fake.port) as repl_:
        repl_.exec(ON_BOARD.read_text())
        repl_.exec("finish()\ndiscard('/deploy')")
    assert not (there / "deploy").exists()


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("broken", ["\n", "> ", "?? /x\n", "> /main.py"])
def test_a_list_that_makes_no_sense_does_not_stop_the_starts(tmp_path: Path, broken: str) -> None:
    there = files(tmp_path)
    (there / "deploy").mkdir()
    (there / "deploy/list").write_text(broken)
    (there / "boot.py").write_text(START.read_text())
    (there / "main.py").write_text("old")
    for _ in range(2):
        start(tmp_path)
    assert (there / "main.py").read_text() == "old"


@pytest.mark.parametrize("write", range(1, 12))
def test_what_is_half_discarded_is_discarded_after_a_cut(
    product: Product, tmp_path: Path, write: int
) -> None:
    """Also where the cut was in a move out of it, and boot.py was stopped before it could write."""
    there = files(tmp_path)
    (there / "deploy/lib").mkdir(parents=True)
    for name in ("a.py", "b.py", "lib/c.mpy", "list.new"):
        (there / "deploy" / name).touch()
    with CutFlash(tmp_path, cut_at=2).mounted():
        os.rename("/deploy/a.py", "/a.py")
    script = ON_BOARD.read_text()
    for cut_at in (write, 0):
        with (
            contextlib.suppress(BoardError),
            FakeBoard(tmp_path, cut_at=cut_at) as fake,
            Repl(fake.port) as repl_,
        ):
            repl_.exec(script)
            repl_.exec("discard('/deploy')")
    assert not (there / "deploy").exists()


@pytest.mark.usefixtures("chip")
def test_boot_leaves_no_name_of_its_own(tmp_path: Path) -> None:
    """main.py runs in the same namespace; a function kept there would keep its memory."""
    namespace: dict[str, object] = {}
    with CutFlash(tmp_path).mounted():
        exec(START.read_text(), namespace)
    assert not [name for name, value in namespace.items() if callable(value)]
