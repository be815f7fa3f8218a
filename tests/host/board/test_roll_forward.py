"""boot.py carries a deployment out, whenever the power fails; so does a whole deployment."""

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.host.board.fake_board import FakeBoard
from tests.host.board.products import Product
from tools.board import repl
from tools.board.deploy import BUILT, deploy
from tools.board.errors import BoardError
from tools.board.repl import Repl
from tools.sim.chip import OUTCOMES
from tools.sim.flash import CutFlash

START = Path(__file__).parents[3] / "boot.py"
Tree = dict[str, bytes]


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    return Product(tmp_path, monkeypatch)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chip's modules that boot.py needs besides its files."""
    for name in ("esp", "machine"):
        module = ModuleType(name)
        vars(module).update(osdebug=lambda *_: None, freq=lambda hz: None)
        monkeypatch.setitem(sys.modules, name, module)


def change(product: Product) -> None:
    """Something of everything: changed, new, new folders, gone, gone with its folder, another boot.py."""
    product.change("firmware/app.py", "new = True\n")
    product.change("lib/iot/more.py", "more = True\n")
    product.change("lib/iot/aws/jobs/__init__.py", "jobs = True\n")
    product.remove("lib/iot/__init__.py")
    product.remove("lib/iot/mqtt/client.py")
    product.remove("lib/iot/mqtt/__init__.py")
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
    assert (place / "files/deploy/list").exists()


def tree(place: Path) -> Tree:
    found = FakeBoard(place).tree()
    found.pop(BUILT)
    return found


def start(place: Path, cut_at: int = 0, outcome: str = "torn") -> bool:
    """Run boot.py; return whether the power was cut meanwhile."""
    flash = CutFlash(place, cut_at, outcome)
    code = compile((place / "files/boot.py").read_text(), "boot.py", "exec")
    with flash.mounted():
        exec(code, {"__name__": "__main__"})
    return flash.was_cut


@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("update", [False, True], ids=["first", "update"])
def test_a_cut_at_every_write_of_boot(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, update: bool
) -> None:
    board = tmp_path / "board"
    if update:
        with FakeBoard(board) as fake:
            deploy(fake.port, product.packages)
        change(product)
    committed(product, board, monkeypatch)
    whole = tmp_path / "whole"
    shutil.copytree(board, whole)
    start(whole)
    new = tree(whole)
    assert (
        not (whole / "files/deploy").exists()
        and {"main.py", "lib/iot/system.mpy", "lib/hmac.mpy"} <= new.keys()
    )
    assert ("lib/iot/more.mpy" in new) is ("lib/iot/mqtt/client.mpy" not in new) is update
    assert not update or not (whole / "files/lib/iot/mqtt").exists()

    for write in range(1, 60):
        for again in range(4):
            place = tmp_path / f"cut{write}.{again}"
            shutil.copytree(board, place)
            was_cut = start(place, write, outcome)
            if again:
                start(place, again, outcome)
            start(place)
            assert tree(place) == new, f"after a cut at write {write} and one at {again}"
            assert not (place / "files/deploy/list").exists()
        if not was_cut:
            assert write > 5
            return
    raise AssertionError("more writes than expected")


def test_a_cut_at_every_write_of_an_update(product: Product, tmp_path: Path) -> None:
    """The whole of it, from what the tool writes to what boot.py does."""
    before = tmp_path / "before"
    with FakeBoard(before) as board:
        deploy(board.port, product.packages)
    old = tree(before)
    change(product)
    seen: list[Tree] = []
    for write in range(1, 200):
        place = tmp_path / f"cut{write}"
        shutil.copytree(before, place)
        try:
            with FakeBoard(place, cut_at=write) as board:
                deploy(board.port, product.packages)
        except BoardError as error:
            assert error.remedy.startswith("Plug the board in")
        else:
            break
        with FakeBoard(place) as board, Repl(board.port):
            pass
        seen.append({path: data for path, data in tree(place).items() if not path.startswith("deploy/")})
    new = tree(place)
    assert {"lib/iot/more.mpy", "lib/iot/aws/jobs/__init__.mpy"} <= new.keys() and len(seen) > 30
    beside = {**old, "boot.py": new["boot.py"]}  # a new boot.py is in its place before the list that it reads
    turns = [state for n, state in enumerate(seen) if n == 0 or state != seen[n - 1]]
    assert turns in ([old, new], [old, beside, new])


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
    assert done.written == [] and "lib/iot/system.mpy" in tree(board)


@pytest.mark.usefixtures("chip")
def test_without_a_deployment_boot_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    shutil.copy(START, tmp_path / "files")
    assert not start(tmp_path, cut_at=1)


@pytest.mark.usefixtures("chip")
def test_boot_leaves_no_name_of_its_own(tmp_path: Path) -> None:
    """main.py runs in the same namespace; a function kept there would keep its memory."""
    namespace: dict[str, object] = {}
    with CutFlash(tmp_path).mounted():
        exec(START.read_text(), namespace)
    assert not [name for name, value in namespace.items() if callable(value)]
