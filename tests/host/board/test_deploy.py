"""Deployment to a fake board: what is written, what is left alone, and what a failure leaves behind."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.board.fake_board import BOOT_PY, FakeBoard
from tests.host.board.products import Product
from tools import __main__ as tools
from tools.board import deploy as module
from tools.board.deploy import BUILT, Deployment, deploy
from tools.board.errors import BoardError

ON_BOARD = {
    *("boot.py", "main.py", BUILT, "firmware/__init__.mpy", "firmware/app.mpy"),
    *("lib/iot/__init__.mpy", "lib/iot/system.mpy", "lib/iot/mqtt/__init__.mpy", "lib/iot/mqtt/client.mpy"),
    *("lib/aioble/__init__.mpy", "lib/aioble/core.mpy", "lib/hmac.mpy"),
}
OWN = {"certs/config0": b"secret", "lib/other.py": b"x = 1\n", "notes.txt": b"mine"}


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Product:
    return Product(tmp_path, monkeypatch)


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "board"


def bring_up_to_date(product: Product, board: FakeBoard, **arguments: object) -> Deployment:
    with board:
        return deploy(board.port, product.packages, **arguments)  # type: ignore[arg-type]


def without_time(board: FakeBoard) -> dict[str, bytes]:
    return {path: data for path, data in board.tree().items() if path != BUILT}


def test_the_first_deployment(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    done = bring_up_to_date(product, board)
    assert board.tree().keys() == ON_BOARD == set(done.written)
    assert done.mode == "CONFIG" and done.removed == [] and done.unchanged == 0
    assert done.written_bytes == sum(map(len, board.tree().values()))
    assert board.tree()["lib/iot/system.mpy"][:2] == b"M\x06"
    assert re.fullmatch(rb"20\d\d( \d\d){5}\n", board.tree()[BUILT])
    assert not (board.files / "deploy").exists()


def test_an_unchanged_product_writes_nothing(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    board = FakeBoard(flash)
    before = board.tree()
    done = bring_up_to_date(product, board)
    assert (done.written, done.removed, done.unchanged) == ([], [], len(ON_BOARD) - 1)
    assert done.mode == "CONFIG", "the application was not started again"
    assert board.writes == 0 and board.tree() == before


def test_only_what_changed(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    product.change("firmware/app.py", "def main(thing):\n    return None\n")
    product.change("lib/iot/new/__init__.py", "x = 1\n")
    product.remove("lib/iot/mqtt/client.py")
    product.remove("lib/iot/mqtt/__init__.py")
    (product.packages / "aioble/core.py").unlink()
    board = FakeBoard(flash)
    done = bring_up_to_date(product, board)
    assert done.written == ["firmware/app.mpy", BUILT, "lib/iot/new/__init__.mpy"]
    gone = ["lib/aioble/core.mpy", "lib/iot/mqtt/__init__.mpy", "lib/iot/mqtt/client.mpy", "lib/iot/mqtt/"]
    assert done.removed == gone
    assert board.tree().keys() == ON_BOARD - set(gone) | {"lib/iot/new/__init__.mpy"}
    assert not (board.files / "lib/iot/mqtt").exists()


def test_what_is_not_the_product_s_stays(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    for path, data in OWN.items():
        (board.files / path).parent.mkdir(parents=True, exist_ok=True)
        (board.files / path).write_bytes(data)
    bring_up_to_date(product, board)
    assert board.tree().keys() == ON_BOARD | OWN.keys()
    assert {path: board.tree()[path] for path in OWN} == OWN


def test_sources_of_another_way_of_installing_go(product: Product, flash: Path) -> None:
    """MicroPython takes x.py before x.mpy."""
    board = FakeBoard(flash)
    for path in ("lib/iot/system.py", "lib/hmac.py", "firmware/app.py"):
        (board.files / path).parent.mkdir(parents=True, exist_ok=True)
        (board.files / path).write_text("old = True\n")
    done = bring_up_to_date(product, board)
    assert set(done.removed) == {"lib/iot/system.py", "lib/hmac.py", "firmware/app.py"}
    assert board.tree().keys() == ON_BOARD


def test_another_application_is_replaced(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    (board.files / "main.py").write_text("print('another')\n")
    assert bring_up_to_date(product, board).mode == "CONFIG"
    assert board.tree()["main.py"] == (product.folder / "main.py").read_bytes()


def test_without_packages(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    bring_up_to_date(product, board)
    (board.files / "lib/hmac.mpy").write_bytes(b"mine")
    with board:
        done = deploy(board.port, with_packages=False)
    assert done.written == [] and board.tree()["lib/hmac.mpy"] == b"mine"


def test_a_log_that_tells_no_mode(product: Product, flash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET_S", 0.2)
    assert bring_up_to_date(product, FakeBoard(flash, quiet=True)).mode == "CONFIG"


def test_progress(product: Product, flash: Path) -> None:
    told: list[tuple[str, int, int]] = []
    bring_up_to_date(product, FakeBoard(flash), progress=lambda *state: told.append(state))
    assert [what for n, (what, _, _) in enumerate(told) if what not in {name for name, _, _ in told[:n]}] == [
        *("stopping what runs", "getting packages", "comparing", "writing", "starting")
    ]
    writing = [(done, total) for what, done, total in told if what == "writing"]
    assert writing == sorted(writing) and all(done < total for done, total in writing)


def pull_at_every_hundredth_byte(flash: Path, product: Product, update: bool) -> list[dict[str, bytes]]:
    """What a board's flash holds at the next start, with the cable pulled ever later."""
    seen: list[dict[str, bytes]] = []
    for number in range(1, 1000):
        place = flash / f"{update}{number}"
        if update:
            bring_up_to_date(product, FakeBoard(place))
            product.change("firmware/app.py", "new = True\n")
            product.change("lib/iot/more.py", "more = True\n")
        board = FakeBoard(place, pull_at=number * (200 if update else 1000))
        try:
            bring_up_to_date(product, board)
        except BoardError as error:
            assert "lost" in str(error) or "Ctrl-C" in str(error)
        else:
            return seen
        with FakeBoard(place) as started:
            module.Repl(started.port).__enter__().__exit__(None, None, None)
        seen.append(
            {path: data for path, data in without_time(started).items() if not path.startswith("deploy/")}
        )
        if update:
            product.change("firmware/app.py", "def main(thing):\n    return thing\n")
            product.remove("lib/iot/more.py")
    raise AssertionError("no end")


@pytest.mark.parametrize("update", [False, True], ids=["first", "update"])
def test_a_pulled_cable_leaves_the_old_or_the_new(product: Product, flash: Path, update: bool) -> None:
    before = FakeBoard(flash / "before")
    if update:
        bring_up_to_date(product, before)
    old = without_time(before)
    seen = pull_at_every_hundredth_byte(flash, product, update)
    after = FakeBoard(flash / "after")
    bring_up_to_date(product, after)
    new = without_time(after)
    assert len(seen) > 10
    turn = seen.index(new) if new in seen else len(seen)
    assert seen == [old] * turn + [new] * (len(seen) - turn)


def test_a_half_deployment_is_cleared_and_done_again(product: Product, flash: Path) -> None:
    with pytest.raises(BoardError, match="connection is lost"):
        bring_up_to_date(product, FakeBoard(flash, pull_at=9_000))
    board = FakeBoard(flash)
    assert (
        any(path.startswith("deploy/") for path in board.tree())
        and board.tree()["boot.py"] == BOOT_PY.encode()
    )
    bring_up_to_date(product, board)
    assert board.tree().keys() == ON_BOARD


def test_a_failure_starts_the_old_application_again(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    product.change("firmware/app.py", "def main(thing) return\n")
    board = FakeBoard(flash)
    before = board.tree()
    with board:
        with pytest.raises(
            BoardError, match=r'does not compile:(?s:.*)"firmware/app\.py", line 1(?s:.*)Mend it'
        ):
            deploy(board.port, product.packages)
        with module.Repl(board.port):  # which takes its input from there only after the reset
            assert board.resets == 2
    assert board.tree() == before


def test_a_watchdog_s_reset_in_the_middle(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    product.change("firmware/app.py", "new = True\n")
    board = FakeBoard(flash, reset_at=7)
    before = board.tree()
    with pytest.raises(BoardError, match=r"stopped answering.*TG1WDT_SYS_RESET"):
        bring_up_to_date(product, board)
    assert {path: board.tree()[path] for path in before} == before


def test_a_full_file_system(product: Product, flash: Path) -> None:
    with FakeBoard(flash) as board:
        pass
    (board.files / "music.bin").write_bytes(bytes(200 * 4096))
    before = board.tree()
    with pytest.raises(BoardError) as raised:
        bring_up_to_date(product, FakeBoard(flash, blocks=230))
    assert raised.match(
        r"file system is full: \d+ bytes are needed beside the old files, \d+ are free; Remove files"
    )
    assert board.tree() == before, "something was written"


def test_a_file_system_that_fills_up_all_the_same(
    product: Product, flash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_check_space", lambda *_: None)
    with pytest.raises(BoardError, match="file system is full; Remove files"):
        bring_up_to_date(product, FakeBoard(flash, blocks=20))


def test_worn_flash(product: Product, flash: Path) -> None:
    board = FakeBoard(flash, worn="/deploy/lib/hmac.mpy")
    with pytest.raises(BoardError, match=r"/deploy/lib/hmac\.mpy does not read back.*worn out"):
        bring_up_to_date(product, board)
    assert board.tree()["boot.py"] == BOOT_PY.encode() and "main.py" not in board.tree()


def test_mpy_files_of_another_version(product: Product, flash: Path) -> None:
    with pytest.raises(
        BoardError, match=r"takes \.mpy files of version 7, mpy-cross makes version 6.*tools flash"
    ):
        bring_up_to_date(product, FakeBoard(flash, mpy=10 << 10 | 7))


def test_another_architecture_gets_files_of_its_own(product: Product, flash: Path) -> None:
    product.change(
        "firmware/app.py", "import micropython\n\n\n@micropython.native\ndef main(thing):\n    return thing\n"
    )
    trees = []
    for architecture in (10, 11):  # xtensawin, rv32imc
        board = FakeBoard(flash / str(architecture), mpy=architecture << 10 | 6)
        bring_up_to_date(product, board)
        trees.append(board.tree()["firmware/app.mpy"])
    assert [module[2] >> 2 & 15 for module in trees] == [10, 11]


def test_a_main_py_that_ends(product: Product, flash: Path) -> None:
    product.remove("lib/iot/system.py")  # what the fake's application consists of
    with pytest.raises(
        BoardError, match=r"main\.py has ended; It printed:\n(?s:.*)no module named 'iot\.system'"
    ):
        bring_up_to_date(product, FakeBoard(flash))


def test_a_board_that_resets_again_and_again(product: Product, flash: Path) -> None:
    product.remove("lib/iot/system.py")
    product.change("main.py", "import machine\nmachine.reset()\n")
    with pytest.raises(BoardError, match=r"resets again and again; It printed:\n(?s:.*)SW_CPU_RESET"):
        bring_up_to_date(product, FakeBoard(flash))


def test_a_device_that_says_nothing(product: Product, flash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET_S", 0.2)
    monkeypatch.setattr(module, "_START_S", 1)
    with pytest.raises(BoardError, match="deployed, but the device tells no mode"):
        bring_up_to_date(product, FakeBoard(flash, mute=True))


def test_a_list_that_is_not_up_to_date(product: Product, flash: Path) -> None:
    (product.folder / "lib/iot/forgotten.py").write_text("x = 1\n")
    with pytest.raises(
        BoardError, match=r"package\.json and lib/ differ in lib/iot/forgotten\.py; .*make format"
    ):
        bring_up_to_date(product, FakeBoard(flash))


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["tools", "deploy", *arguments])
        return tools.main()

    return run


def test_the_verb(product: Product, flash: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBoard(flash) as board:
        assert run(board.port, "--packages", str(product.packages)) == 0
        told = capsys.readouterr().out
        assert run(board.port, "--no-packages", "--json") == 0
    assert re.search(r"ESP32_GENERIC: MicroPython 1\.25\.0 for xtensawin, application slots: 1\n", told)
    assert re.search(
        r"12 files written \(\d+ bytes\), 0 removed, 0 unchanged, in [\d.]+ s\nmode CONFIG\n", told
    )
    done = json.loads(capsys.readouterr().out)
    assert done["written"] == [] and done["mode"] == "CONFIG" and done["board"]["vfs_bytes"] == 240 * 4096


def test_the_verb_fails(product: Product, flash: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBoard(flash, version=(1, 22, 2)) as board:
        assert run(board.port, "--packages", str(product.packages)) == 1
    told = capsys.readouterr().err
    assert told == (
        f"deploy: {board.port}: MicroPython 1.22.2 is too old, 1.25 is needed\n"
        "Write a newer image: python -m tools flash PORT IMAGE\n"
    )
