"""Deployment to a fake board: what is written, what is left alone, and what a failure leaves behind."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.board.fake_board import BOOT_PY, FakeBoard
from tests.host.board.packs import old_form, unpack
from tests.host.board.products import OLD, OLD_FOLDERS, Product, put_old
from tools import __main__ as tools
from tools.board import deploy as module
from tools.board import pack, staging
from tools.board.deploy import BUILT, Deployment, deploy
from tools.board.errors import BoardError
from tools.board.pack import files, kept_dictionary

FILES = {"boot.py", "main.py", "pack.mpy", "firmware.pack", BUILT}
MODULES = {
    *("firmware/app.mpy", "iot/system.mpy", "iot/mqtt/client.mpy"),
    *("aioble/__init__.mpy", "aioble/core.mpy"),
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


def modules(board: FakeBoard) -> dict[str, bytes]:
    """What the board's pack holds."""
    return unpack(board.tree()["firmware.pack"])


def put(board: FakeBoard, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (board.files / path).parent.mkdir(parents=True, exist_ok=True)
        (board.files / path).write_bytes(data)


def test_the_first_deployment(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    done = bring_up_to_date(product, board)
    assert board.tree().keys() == FILES and modules(board).keys() == MODULES
    assert set(done.written) == FILES - {"firmware.pack"} | MODULES
    assert done.mode == "CONFIG" and done.removed == [] and done.unchanged == 0
    steps = "> /pack.mpy\n> /main.py\n> /firmware.pack\n> /built.txt\n"
    assert done.sent_bytes == sum(map(len, board.tree().values())) + len(steps)
    assert all(data[:2] == b"M\x06" for data in [*modules(board).values(), board.tree()["pack.mpy"]])
    assert sum(not path.startswith("aioble/") for path in modules(board)) == 3
    assert re.fullmatch(rb"20\d\d( \d\d){5}\n", board.tree()[BUILT])
    assert not (board.files / "deploy").exists()


def test_modules_call_themselves_by_what_the_heap_has_anyway(product: Product, flash: Path) -> None:
    """The library's by their names, others by their place in the pack, as in __file__."""
    board = FakeBoard(flash)
    bring_up_to_date(product, board)
    for path, data in modules(board).items():
        name = path.removesuffix(".mpy").replace("/", ".") if path.startswith("iot/") else f"/pack/{path}"
        assert name.encode() in data and (name[0] == "/" or b"/pack/" not in data), path
    assert b"/pack.mpy" in board.tree()["pack.mpy"]


def test_an_unchanged_product_writes_nothing(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    board = FakeBoard(flash)
    before = board.tree()
    done = bring_up_to_date(product, board)
    assert (done.written, done.removed, done.sent_bytes) == ([], [], 0)
    assert done.unchanged == len(FILES - {"firmware.pack", BUILT} | MODULES)
    assert done.mode == "CONFIG", "the application was not started again"
    assert board.writes == 0 and board.tree() == before


def test_only_what_changed(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    product.change("firmware/app.py", "def main(thing):\n    return None\n")
    product.change("lib/iot/new/__init__.py", "x = 1\n")
    product.remove("lib/iot/system.py")
    (product.packages / "aioble/core.py").unlink()
    product.change("lib/iot/mqtt/system.py", "class System:\n    pass\n")
    board = FakeBoard(flash)
    client = modules(board)["iot/mqtt/client.mpy"]
    with pytest.raises(BoardError, match="has ended"):  # it lacks what the fake's application consists of
        bring_up_to_date(product, board)
    product.change("lib/iot/system.py", "class System:\n    pass\n")
    done = bring_up_to_date(product, FakeBoard(flash))
    assert done.written == [BUILT, "iot/system.mpy"] and done.removed == []
    assert done.unchanged == 8 and done.sent_bytes < 1000 < len(client)
    product.remove("lib/iot/mqtt/system.py")
    done = bring_up_to_date(product, FakeBoard(flash))
    assert done.written == [BUILT] and done.removed == ["iot/mqtt/system.mpy"]
    assert modules(board).keys() == MODULES - {"aioble/core.mpy"} | {"iot/new/__init__.mpy"}
    assert modules(board)["iot/mqtt/client.mpy"] == client


def test_what_the_old_pack_has_is_not_sent(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    product.change("firmware/app.py", "def main(thing):\n    return None\n")
    board = FakeBoard(flash)
    before = modules(board)
    done = bring_up_to_date(product, board)
    assert done.written == [BUILT, "firmware/app.mpy"] and done.removed == []
    stored = dict(files(modules(board), kept_dictionary()))
    head = len(board.tree()["firmware.pack"]) - sum(map(len, stored.values()))
    rest = len("2026 01 02 03 04 05\n" + "> /firmware.pack\n> /built.txt\n")
    assert done.sent_bytes < len(stored["firmware/app.mpy"]) + head + rest
    assert {**before, "firmware/app.mpy": b""} == {**modules(board), "firmware/app.mpy": b""}


@pytest.mark.parametrize("damage", ["magic", "size", "record", "contents", "cut", "empty"])
def test_a_damaged_pack_counts_as_none(product: Product, flash: Path, damage: str) -> None:
    board = FakeBoard(flash)
    bring_up_to_date(product, board)
    pack = board.tree()["firmware.pack"]
    size = 8 + int.from_bytes(pack[6:8], "big")  # of the head
    damaged = {
        "magic": b"KCAP" + pack[4:],
        "size": pack[:4] + b"\x40" + pack[5:],
        "record": pack[: size - 7] + b"\0\0" + pack[size - 5 :],
        "contents": pack[:-9] + bytes(9),
        "cut": pack[:50],
        "empty": b"",
    }[damage]
    (board.files / "firmware.pack").write_bytes(damaged)
    done = bring_up_to_date(product, FakeBoard(flash))
    assert set(done.written) >= MODULES
    assert board.tree()["firmware.pack"] == pack


def test_a_damaged_module_is_sent_anew(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    bring_up_to_date(product, board)
    pack = board.tree()["firmware.pack"]
    at = pack.index(dict(files(modules(board), kept_dictionary()))["iot/mqtt/client.mpy"])
    (board.files / "firmware.pack").write_bytes(pack[: at + 9] + bytes(10) + pack[at + 19 :])
    done = bring_up_to_date(product, FakeBoard(flash))
    assert done.written == [BUILT, "iot/mqtt/client.mpy"]
    assert board.tree()["firmware.pack"] == pack


def test_what_is_not_the_product_s_stays(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    put(board, OWN)
    bring_up_to_date(product, board)
    assert board.tree().keys() == FILES | OWN.keys()
    assert {path: board.tree()[path] for path in OWN} == OWN


def test_updates_go_and_the_factory_s_version_starts(product: Product, flash: Path) -> None:
    bring_up_to_date(product, FakeBoard(flash))
    board = FakeBoard(flash)
    before = without_time(board)
    put(board, {"a/firmware.pack": b"PACK", "a/manifest": b"iot-update 1\n", "b/manifest.new": b""})
    board.nvs.values.update({"boot0": 0x401, "boot1": 0x846, "other": 7})
    done = bring_up_to_date(product, board)
    assert done.removed == ["a/firmware.pack", "a/manifest", "b/manifest.new", "b/", "a/"]
    assert without_time(board) == before and not (board.files / "a").exists()
    assert board.nvs.values == {"other": 7}


def test_copies_of_a_developer_go(product: Product, flash: Path) -> None:
    """They would win over the pack."""
    bring_up_to_date(product, FakeBoard(flash))
    board = FakeBoard(flash)
    copies = ("firmware/app.py", "lib/aioble/core.py", "lib/iot/mqtt/client.py", "lib/pack.py")
    put(board, dict.fromkeys(copies, b"old = True\n"))
    done = bring_up_to_date(product, board)
    assert done.written == [BUILT]
    assert done.removed == [*copies, "lib/iot/mqtt/", "lib/iot/", "lib/aioble/", "firmware/"]
    assert board.tree().keys() == FILES and not (board.files / "firmware").exists()


def test_files_of_an_older_deployment_go(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    put_old(flash)
    put(board, OWN)
    done = bring_up_to_date(product, board)
    assert board.tree().keys() == FILES | OWN.keys() and modules(board).keys() == MODULES
    assert set(done.removed) == OLD.keys() - {"main.py"} | OLD_FOLDERS
    assert {path.name for path in (board.files / "lib").iterdir()} == {"other.py"}
    assert set(done.written) == FILES - {"firmware.pack", "boot.py", "main.py"} | MODULES


@pytest.mark.parametrize("deflates", [False, True], ids=["plain", "deflated"])
def test_packages_of_a_pack_of_the_form_before(product: Product, flash: Path, deflates: bool) -> None:
    board = FakeBoard(flash)
    bring_up_to_date(product, board)
    before = modules(board)
    old = old_form(before, deflates)
    put(board, {"firmware.pack": old})
    board = FakeBoard(flash)
    with board:
        done = deploy(board.port, with_packages=False)
    same = {path for path, data in files(before, kept_dictionary()) if data in old}
    assert len(same) == (1 if deflates else 0), "what no other window and no dictionary makes smaller"
    assert set(done.written) == MODULES - same | {BUILT} and done.removed == []
    assert modules(board) == before


def test_packages_of_a_pack_with_another_dictionary(
    product: Product, flash: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = tmp_path / "dictionary.bin"
    another.write_bytes(b"aioble" * 8)
    kept_dictionary.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(pack, "DICTIONARY_FILE", another)
        board = FakeBoard(flash)
        bring_up_to_date(product, board)
    kept_dictionary.cache_clear()
    before, old_pack = modules(board), board.tree()["firmware.pack"]
    with FakeBoard(flash) as fake:
        done = deploy(fake.port, with_packages=False)
    assert modules(board) == before and done.removed == []
    assert another.read_bytes() in old_pack and kept_dictionary() in board.tree()["firmware.pack"]


def test_somebody_else_s_hmac_stays(product: Product, flash: Path) -> None:
    """Older deployments brought one, of the same name."""
    board = FakeBoard(flash)
    put(board, {"lib/hmac.mpy": b"mine"})
    bring_up_to_date(product, board)
    assert board.tree()["lib/hmac.mpy"] == b"mine"


def test_another_application_is_replaced(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    (board.files / "main.py").write_text("print('another')\n")
    assert bring_up_to_date(product, board).mode == "CONFIG"
    assert board.tree()["main.py"] == (product.folder / "main.py").read_bytes()


def test_without_packages(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    bring_up_to_date(product, board)
    before = modules(board)
    put(board, {"lib/aioble/core.py": b"mine"})
    with board:
        assert deploy(board.port, with_packages=False).written == []
    product.change("firmware/app.py", "new = True\n")
    board = FakeBoard(flash)
    with board:
        done = deploy(board.port, with_packages=False)
    assert done.written == [BUILT, "firmware/app.mpy"] and done.removed == []
    assert modules(board).keys() == MODULES
    assert modules(board) == {**before, "firmware/app.mpy": modules(board)["firmware/app.mpy"]}
    assert board.tree()["lib/aioble/core.py"] == b"mine"


def test_without_packages_those_of_an_older_deployment_move_into_the_pack(
    product: Product, flash: Path
) -> None:
    put_old(flash)
    board = FakeBoard(flash)
    put(board, {"lib/aioble/mine.py": b"mine = 1\n"})
    with board:
        done = deploy(board.port, with_packages=False)
    assert modules(board)["aioble/core.mpy"] == OLD["lib/aioble/core.mpy"]
    assert modules(board).keys() == MODULES
    assert board.tree().keys() == FILES | {"lib/aioble/mine.py"}
    assert set(done.removed) == OLD.keys() - {"main.py"} | OLD_FOLDERS - {"lib/aioble/"}


def test_without_packages_a_new_board_has_none(product: Product, flash: Path) -> None:
    board = FakeBoard(flash)
    with board:
        deploy(board.port, with_packages=False)
    assert modules(board).keys() == {path for path in MODULES if not path.startswith("aioble")}


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


def pull_at_ever_later_bytes(before: Path, product: Product, step: int) -> list[dict[str, bytes]]:
    """What a board's flash holds at the next start, with the cable pulled `step` bytes later each time."""
    seen: list[dict[str, bytes]] = []
    for number in range(1, 1000):
        place = before.with_name(f"{number}")
        shutil.copytree(before, place)
        try:
            bring_up_to_date(product, FakeBoard(place, pull_at=number * step))
        except BoardError as error:
            assert "lost" in str(error) or "Ctrl-C" in str(error)
        else:
            return seen
        with FakeBoard(place) as started:
            module.Repl(started.port).__enter__().__exit__(None, None, None)
        seen.append(
            {path: data for path, data in without_time(started).items() if not path.startswith("deploy/")}
        )
    raise AssertionError("no end")


@pytest.mark.parametrize("update", [False, True], ids=["first", "update"])
def test_a_pulled_cable_leaves_the_old_or_the_new(product: Product, flash: Path, update: bool) -> None:
    before = FakeBoard(flash / "before")
    if update:
        bring_up_to_date(product, before)
        product.change("firmware/app.py", "new = True\n")
        product.change("lib/iot/more.py", "more = True\n")
    old = without_time(before)
    seen = pull_at_ever_later_bytes(flash / "before", product, 200 if update else 800)
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
    assert board.tree().keys() == FILES


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
    (board.files / "music.bin").write_bytes(bytes(234 * 4096))
    before = board.tree()
    with pytest.raises(BoardError) as raised:
        bring_up_to_date(product, FakeBoard(flash))
    assert raised.match(
        r"file system is full: \d+ bytes are needed beside the old files, \d+ are free; Remove files"
    )
    assert board.tree() == before, "something was written"


def test_a_file_system_that_fills_up_all_the_same(
    product: Product, flash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_check_space", lambda *_: None)
    board = FakeBoard(flash)
    (board.files / "music.bin").write_bytes(bytes(234 * 4096))
    with pytest.raises(BoardError, match="file system is full; Remove files"):
        bring_up_to_date(product, board)


def test_worn_flash(product: Product, flash: Path) -> None:
    board = FakeBoard(flash, worn="/deploy/firmware.pack")
    with pytest.raises(BoardError, match=r"/deploy/firmware\.pack does not read back.*worn out"):
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
        trees.append(modules(board)["firmware/app.mpy"])
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
        BoardError, match=r"package\.json and lib/iot/ differ in lib/iot/forgotten\.py; .*tools\.board\.files"
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
        r"9 files and modules written \(\d+ bytes sent\), 0 removed, 0 unchanged, in [\d.]+ s\nmode CONFIG\n",
        told,
    )
    done = json.loads(capsys.readouterr().out)
    assert done["written"] == [] and done["mode"] == "CONFIG" and done["board"]["vfs_bytes"] == 240 * 4096


def test_the_verb_fails(product: Product, flash: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBoard(flash, version=(1, 22, 2)) as board:
        assert run(board.port, "--packages", str(product.packages)) == 1
    told = capsys.readouterr().err
    assert told == (
        f"deploy: {board.port}: MicroPython 1.22.2 is too old, 1.25 is needed\n"
        "Write a newer image: python3 -m tools flash PORT IMAGE\n"
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('NAME_PREFIX = ""', "1 to 109 characters"),
        ("NAME_PREFIX = None", "1 to 109 characters"),
        (f"NAME_PREFIX = {'p' * 110!r}", "1 to 109 characters"),
        ('NAME_PREFIX = "my lamp"', "letters, digits, - and _ alone"),
        ('NAME_PREFIX = "fine"\nNAME_PREFIX = "not fine"', "letters, digits, - and _ alone"),
    ],
)
def test_a_name_that_no_device_can_have_is_refused_before_the_board_is_touched(
    product: Product, line: str, text: str
) -> None:
    product.change("firmware/settings.py", f"import sys\n{line}\n")
    with pytest.raises(BoardError, match=f"firmware/settings.py: NAME_PREFIX: {text}"):
        deploy("/dev/no-such-port", product.packages)


def test_a_name_that_is_long_or_computed_goes_to_the_board(product: Product, flash: Path) -> None:
    for number, value in enumerate(("'a-product-of-16-'", "'p' * 3", "sys.platform")):
        product.change("firmware/settings.py", f"import sys\nNAME_PREFIX = {value}\n")
        assert bring_up_to_date(product, FakeBoard(flash / str(number))).mode == "CONFIG"
