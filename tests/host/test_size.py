"""`make size`: the start is measured as it is, and what does not fit is told."""

import ast
import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import set_size, size, start_size, vm_heap
from tools.board import start
from tools.board.pack import pack
from tools.board.start import modes
from tools.set_size import Moment, Stays
from tools.start_size import HEAP_BYTES, Memory, _failure

ROOT = Path(__file__).resolve().parents[2]
# A start without a certificate, with a configuration of the product's own or with REPORTS takes these, too.
OTHER_STARTS = {
    *("iot.aws.claim", "claim", "iot.config", "iot.aws.reports", "iot.aws.log_lines"),
    *("iot.ota.pending", "iot.ota.trial", "iot.clouds.entry"),
}
# What the parts do that iot.transitions makes: the store borrows what reads it; Bluetooth LE is iot.ble's.
BY_OTHERS = {
    *("iot.storage.schema", "iot.crypto.x509"),
    *("iot.services", "iot.ble.packets", "iot.ble.service"),
}
TIMEOUT_S = 550  # fifty starts of the VM, one after the other
ENTERS = {"NORMAL": "_enter_normal", "CONFIG": "_enter_config", "OTA": "_enter_ota", "IDLE": "_enter_idle"}


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `tools size --json` says, which takes ten seconds: the first worker that comes runs it."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (folder / "size.json").open("a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        if not (told := kept.read()):
            command = [sys.executable, "-m", "tools", "size", "--json"]
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
            assert done.returncode == 0, done.stderr
            kept.write(told := done.stdout)
    found: dict[str, Any] = json.loads(told)
    return found


@pytest.fixture(scope="module")
def measured(numbers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[size.Measured]:
    """The same, with the compiled modules in a folder of its own: tests run side by side."""
    if not vm_heap.has_vm():
        pytest.skip("the MicroPython VM is not installed: make setup, with npm on the PATH")
    build = tmp_path_factory.mktemp("size") / "mpy"
    shutil.copytree(size.BUILD, build)
    stays = [of(Stays, one) for one in numbers["stays"].values()]
    moments = [of(Moment, one) for one in numbers["moments"].values()]
    of_others = [one for one in moments if one.on not in start.WAYS]
    moments = [one for one in moments if one.on in start.WAYS]
    sets = set_size.Sets(stays[:-2], moments, stays[-2], stays[-1], of_others)
    starts = [
        start_size.Start(interpreter, [of(Memory, step) for step in one["steps"]], one["failure"])
        for interpreter, one in numbers["boot"].items()
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(size, "BUILD", build)
        yield size.Measured(numbers["slot"]["mpy"], numbers["launcher"]["mpy"], sets, starts)


def of(kind: Any, told: dict[str, Any]) -> Any:
    """A dataclass out of JSON that has more."""
    return kind(**{field.name: told[field.name] for field in dataclasses.fields(kind)})


def told(mode: str) -> list[str]:
    """What iot.transitions loads, borrows and lets go of on the way from INIT into a mode, in its order."""
    tree = ast.parse((ROOT / "lib/iot/transitions.py").read_text())
    functions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    def calls(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            yield from calls(child)
        if not isinstance(node, ast.Call):
            return
        function = ast.unparse(node.func)
        if function == "load":
            yield from (f"load {ast.unparse(argument).split(chr(39))[1]}" for argument in node.args)
        elif function == "borrow":
            yield f"borrow {ast.literal_eval(node.args[0])}"
        elif function == "_settle":
            yield f"stay {'INIT' if 'INIT' in ast.unparse(node) else mode}"
        elif function == "system.store":
            yield from ("borrow iot.storage.record", "borrow iot.storage.store")
        elif function == "_ENTER[mode]" and ENTERS[mode]:
            yield from calls(functions[ENTERS[mode]])
        elif function in functions and function not in ("_leave", "_restart", "_settle"):
            yield from calls(functions[function])

    found = [call for call in calls(functions["change"]) if call.split()[1] not in OTHER_STARTS]
    if mode == "NORMAL":
        found.remove("borrow iot.aws.entry")  # the first is of a start without a certificate
    return found


def planned(way: tuple[start.Step, ...]) -> list[str]:
    """What the steps of a way have of that, while iot.transitions is there."""
    found = []
    for step in way:
        for action in step[1:] if step[0] not in ("boot.py", "main.py", "joining") else ():
            verb, *names = action.split()
            if verb not in ("drop", "make"):
                found += [f"{'borrow' if verb == 'hold' else verb} {name}" for name in names]
    return [action for action in found if action.split()[1] not in BY_OTHERS]


@pytest.mark.parametrize("mode", ["NORMAL", "CONFIG", "OTA", "IDLE"])
def test_the_steps_are_those_of_the_device(mode: str) -> None:
    assert planned(start.WAYS[mode])[0] == "borrow iot.transitions"
    plan = [action.replace("load iot.ble", "borrow iot.ble") for action in planned(start.WAYS[mode])[1:]]
    assert plan == told(mode)
    assert planned(start.STEPS)[: len(plan)] == planned(start.WAYS["NORMAL"])[: len(plan)] or mode != "NORMAL"


def test_what_is_borrowed_in_the_steps_is_what_the_device_borrows() -> None:
    """And what is held in a start comes to its end."""
    lent = set_size.lent([size.module_name(file) for file in size.device_files()])
    for way in (*start.WAYS.values(), start.STEPS):
        assert named("borrow", way) | named("hold", way) <= set(lent)
        kept = {"iot.aws.shadow", "iot.aws.commands"}  # by iot.services
        assert named("load", way) <= {*modes.ALWAYS, *sum(modes.STAYING.values(), ())}
        assert named("keep", way) <= kept
    assert named("keep", (start.TOUCHED,)) == kept
    held: list[str] = []
    for step in start.STEPS:
        for verb, names in start.actions(step):
            if verb == "hold":
                held += names
            elif verb == "drop":
                held = [name for name in held if name not in names]
    assert not held


def named(verb: str, way: tuple[start.Step, ...]) -> set[str]:
    """What the steps of a way name with a verb."""
    return {name for step in way for does, names in start.actions(step) for name in names if does == verb}


@pytest.mark.parametrize("mode", start.WAYS)
def test_what_stays_imports_nothing_that_goes(mode: str) -> None:
    """And each is behind what it imports: as the table has it, it is loaded piece by piece."""
    stays = modes.staying(mode)
    for at, name in enumerate(stays):
        needed = {module for module in start.imports(name) if not set_size.is_package(module)}
        assert needed <= {*stays[:at], *modes.ALWAYS}, name


def test_a_start_fits_into_the_chip_s_heap(measured: size.Measured) -> None:
    assert measured.starts
    for one in measured.starts:
        assert one.failure is None
        assert [step.step for step in one.steps] == [step[0] for step in start.STEPS]
        assert all(step.total == one.steps[0].total for step in one.steps)
        assert all(0 < step.piece <= step.free for step in one.steps)
        assert one.steps[-1].names > 400


@pytest.mark.parametrize("heap_bytes", [48 * 1024, 24 * 1024])
def test_a_heap_that_is_too_small_is_told(measured: size.Measured, heap_bytes: int) -> None:
    for one in start_size.measure(size.BUILD, heap_bytes):
        assert one.failure
        step, _, why = one.failure.partition(": ")
        assert step in [step[0] for step in start.STEPS]
        assert why.startswith(("the heap had to grow by ", "memory allocation failed"))
        assert "; the heaviest by then: iot." in why


def test_an_application_has_names_of_its_own() -> None:
    """Those that are left of 620: with one more, MicroPython takes 4.5 KB (docs/memory.md)."""
    some, many = (Memory("status", 90_000, 50_000, 40_000, 9_000, names) for names in (580, 581))
    assert _failure([some], "", 1, 57_344) is None
    assert _failure([many], "", 1, 57_344) == "581 names; with an application's own 40 there may be 620"


def test_what_does_not_fit_before_the_heap_has_grown() -> None:
    before = Memory("INIT", 90_000, 58_000, 32_000, 9_000)
    assert _failure([before], "", 1, 57_344) == (
        "INIT: 58000 bytes are in use, the heap has 57344 until NORMAL"
    )
    after = Memory("NORMAL", 90_000, 58_000, 32_000, 9_000)
    assert _failure([after], "", 1, 57_344) is None


def test_the_exit_status(measured: size.Measured, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(size, "measure", lambda: measured)
    arguments = size.argparse.Namespace(json=False, modules=False)
    assert size.main(arguments) == 0
    assert "a start in the VM, 94208 bytes" in capsys.readouterr().out and HEAP_BYTES == 94208
    measured.starts.append(start_size.Start("a chip", [], "INIT: too much"))
    try:
        assert size.main(arguments) == 1
        assert capsys.readouterr().err == "a chip: INIT: too much\n"
    finally:
        measured.starts.pop()


def test_over_budget_a_program_is_told_too(
    measured: size.Measured, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(size, "measure", lambda: measured)
    monkeypatch.setattr(size, "BUDGET_BYTES", size.slot(measured.sizes) - 7)
    assert size.main(size.argparse.Namespace(json=True, modules=False)) == 1
    told = capsys.readouterr()
    numbers = json.loads(told.out)
    assert numbers["ok"] is False and numbers["remedy"]
    assert numbers["text"] == told.err.strip() and numbers["text"].startswith("a slot: ")


def test_as_json(numbers: dict[str, Any]) -> None:
    slot = numbers["slot"]
    assert numbers["ok"] and slot["bytes"] <= slot["budget"] and slot["mpy"]["iot.system"] > 1000
    assert slot["bytes"] == sum(slot["mpy"].values())
    assert {"index", "dictionary", "contents.txt", "firmware.app"} < set(slot["mpy"])
    launcher = numbers["launcher"]
    assert launcher["bytes"] == sum(launcher["mpy"].values())
    assert {*launcher["mpy"]} == {"boot", "main", "pack"} and not {*launcher["mpy"]} & {*slot["mpy"]}
    for one in numbers["boot"].values():
        assert one["failure"] is None and one["steps"][-1]["free"] > 0
    if vm_heap.has_vm():
        assert set(numbers["stays"]) == {*start.WAYS, set_size.IN_USE, set_size.OTHERS}
        assert all(one["bytes"] <= one["budget"] for one in numbers["moments"].values())


def test_a_slot_is_what_an_update_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pack, whole; the launcher is none of it."""
    monkeypatch.setattr(size, "BUILD", tmp_path)
    sources = [file for file in size.device_files() if (ROOT / file).stat().st_size]
    launcher = {"boot.py", "main.py", "lib/pack.py"}
    assert launcher < {file.as_posix() for file in sources}
    modules = {
        size.path_in_pack(file.as_posix()): size.compiled(file)
        for file in sources
        if file.as_posix() not in launcher
    }
    sizes = size.packed(modules)
    assert size.slot(sizes) == len(pack(modules)) <= size.BUDGET_BYTES
    names = {size.module_name(file) for file in sources if file.as_posix() not in launcher}
    assert sizes.keys() == names | {"index", "dictionary", "contents.txt"}


def test_what_stays_in_each_mode(measured: size.Measured) -> None:
    assert [one.mode for one in measured.sets.stays] == list(start.WAYS)
    by_mode = {one.mode: one for one in measured.sets.stays}
    for mode, one in by_mode.items():
        assert set(one.modules) == set(modes.staying(mode))
        assert all(size > 0 for size in one.modules.values())
        assert sum(one.modules.values()) < one.bytes < 1.5 * sum(one.modules.values())
        assert set(one.own) == set(modes.staying(mode)) - set(modes.staying(modes.NORMAL))
    assert max(by_mode["IDLE"].bytes, by_mode["OTA"].bytes) < by_mode["NORMAL"].bytes
    assert by_mode["CONFIG"].own_bytes > 0 == by_mode["NORMAL"].own_bytes


def test_what_stays_with_all_services_in_use(measured: size.Measured) -> None:
    normal, in_use = measured.sets.stays[0], measured.sets.in_use
    assert in_use and in_use.mode == set_size.IN_USE and set_size.BUDGETS[in_use.mode] == 40_960
    services = {"iot.aws.shadow", "iot.aws.commands"}
    assert set(in_use.own) == services and set(in_use.modules) == set(normal.modules) | services
    assert in_use.bytes > normal.bytes + 0.75 * in_use.own_bytes > normal.bytes + 3000
    assert in_use.bytes <= set_size.BUDGETS[in_use.mode]


def test_what_another_cloud_keeps_is_bounded(measured: size.Measured) -> None:
    """All but AWS keep the same; what differs is there for a moment."""
    others = measured.sets.others
    assert others and set_size.OWN_BUDGETS[others.mode] == 6144
    assert set(others.own) == {f"iot.clouds.{name}" for name in ("cloud", "jobs", "shadow", "commands")}
    assert 3000 < others.own_bytes <= 6144 and set(others.modules) - set(others.own) < set(
        modes.staying(modes.NORMAL)
    )
    rooms = {one.name.split(".")[1] for one in measured.sets.others_moments if "profile" in one.name}
    assert rooms == {"azure", "clearblade", "alibaba", "broker"}
    for one in measured.sets.others_moments:
        assert 0 < one.bytes <= set_size.MOMENT_BUDGET and one.left <= set_size.LEFT_BYTES, one


def test_what_is_there_for_a_moment_gives_its_memory_back(measured: size.Measured) -> None:
    names = [one.name for one in measured.sets.moments]
    lent = set_size.lent([*measured.sizes, *measured.launcher])
    assert len(set(names)) == len(names) and set(lent) - set(names) == {"iot.ble.config_mode"}
    # Sessions in CONFIG use it, and in NORMAL whoever checks the signatures of an update.
    assert {one.on for one in measured.sets.moments if one.name == "iot.crypto.p256"} == {modes.NORMAL}
    assert {one.on for one in measured.sets.moments if one.name == "iot.ble.document"} == {modes.CONFIG}
    for one in measured.sets.moments:
        assert one.bytes > 0 and one.left <= set_size.LEFT_BYTES, one
        assert one.modules[-1] == one.name and not set(one.modules) & set(modes.staying(one.on))


def test_signatures_of_updates_are_checked_within_the_budget_of_a_moment(measured: size.Measured) -> None:
    """Who checks them stays while the arithmetic is there, and nothing else of the room does."""
    weights = {one.name: one.bytes for one in measured.sets.moments}
    assert weights["iot.ota.verify"] + weights["iot.crypto.p256"] <= set_size.MOMENT_BUDGET


def test_a_token_is_signed_within_the_budget_of_a_moment(measured: size.Measured) -> None:
    """Who asks for it stays while the arithmetic is there: what the profile has is gone by then."""
    weights = {one.name: one.bytes for one in measured.sets.moments}
    assert weights["iot.clearblade.jwt"] + weights["iot.crypto.p256"] <= set_size.MOMENT_BUDGET


def test_a_request_by_https_is_made_within_the_budget_of_a_moment(measured: size.Measured) -> None:
    """What takes MQTT's place stays while the request is made, and nothing else of the room does."""
    weights = {one.name: one.bytes for one in measured.sets.moments}
    assert weights["iot.work.aside"] + weights["iot.https"] <= set_size.MOMENT_BUDGET


def test_over_budget_the_heaviest_are_named() -> None:
    normal = Stays(modes.NORMAL, 33 * 1024 + 1, {"iot.a": 3, "iot.b": 9000}, {}, 5)
    assert normal.over_budget() == ["NORMAL: 33793 bytes stay, 33792 may; the heaviest: iot.b 9000, iot.a 3"]
    used = Stays(set_size.IN_USE, 40_961, {"iot.a": 3}, {"iot.a": 3}, 5)
    told = ["NORMAL, all in use: 40961 bytes stay, 40960 may; the heaviest: iot.a 3"]
    assert used.over_budget() == set_size.Sets([], [], used).over_budget() == told
    ota = Stays(modes.OTA, 30 * 1024, {}, {}, 5)
    assert ota.over_budget() == []
    config = Stays(modes.CONFIG, 60 * 1024, {"iot.a": 9, "iot.c": 20_481}, {"iot.c": 20_481}, 5)
    assert config.over_budget() == [
        "CONFIG: 20481 bytes of its own stay, 20480 may; the heaviest: iot.c 20481"
    ]
    moment = Moment("iot.m", modes.NORMAL, 8193, 0, 5, ["iot.n", "iot.m"])
    assert moment.over_budget() == [
        "iot.m: 8193 bytes for a moment on top of NORMAL, 8192 may; it consists of iot.n, iot.m"
    ]
    kept = Moment("iot.m", modes.NORMAL, 400, 176, 5, ["iot.m"])
    assert kept.over_budget() == ["iot.m: 176 of 400 bytes do not come back on NORMAL"]
    sizes = {"iot.a": 1, "iot.b": 172_032}
    measured = size.Measured(sizes, {"boot": 9}, set_size.Sets([ota, config], [moment]), [])
    assert measured.failures() == [
        "a slot: 172033 bytes, 172032 may; the heaviest: iot.b 172032, iot.a 1",
        *config.over_budget(),
        *moment.over_budget(),
    ]
    assert size.as_json(measured, measured.failures())["ok"] is False
