"""`make size`: bytes of a slot on flash, heap of what stays in each mode and for a moment, and a start."""

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools import set_size, start_size, vm_heap
from tools.board.errors import BoardError, tell_failure
from tools.board.files import (
    READER,
    SCRIPTS,
    CompileError,
    check_list,
    compile_for_chip,
    device_files,
    located,
    path_in_pack,
)
from tools.board.pack import CONTENTS, files, kept_dictionary, pack, pieces

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/mpy"  # as the root folder of a board has them: a pack and its reader
BUDGET_BYTES = 168 * 1024  # of a slot, whose file has 192 KiB at most: the board's aioble comes to it
EXAMPLES = """examples:
  python3 -m tools size
  python3 -m tools size --modules
  python3 -m tools size --json

exit status: 0, 1 over budget or where something does not compile, 2 for wrong arguments"""


def compiled(source: Path) -> bytes:
    """Compile a device file, nearly as on the chip."""
    return compile_for_chip(located(source).read_bytes(), source.as_posix())


def packed(modules: dict[str, bytes]) -> dict[str, int]:
    """Bytes of a slot's pack: its index, and what is in it, modules by their names."""
    paths = [path for path, _ in files(modules, kept_dictionary())]
    names = ["index", *(path.removesuffix(".mpy").replace("/", ".") for path in paths), CONTENTS]
    return dict(zip(names, map(len, pieces(modules)), strict=True))


def module_name(file: Path) -> str:
    parts = file.parts[1:] if file.parts[0] == "lib" else file.parts
    return ".".join(parts).removesuffix(".py").removesuffix(".__init__")


@dataclass
class Measured:
    """Bytes on flash, by module; heap by sets, empty without the VM; a start on each MicroPython there is.

    sizes: of a slot; launcher: of what is beside the slots, and no update brings.
    """

    sizes: dict[str, int]
    launcher: dict[str, int]
    sets: set_size.Sets
    starts: list[start_size.Start]

    def failures(self) -> list[str]:
        """What is over budget, with the heaviest."""
        found = [f"{start.interpreter}: {start.failure}" for start in self.starts if start.failure]
        total = slot(self.sizes)
        if total > BUDGET_BYTES:
            heaviest = set_size.heaviest(self.sizes)
            found.append(f"a slot: {total} bytes, {BUDGET_BYTES} may; the heaviest: {heaviest}")
        return found + self.sets.over_budget()


def measure() -> Measured:
    """Measure all device files."""
    check_list()
    shutil.rmtree(BUILD, ignore_errors=True)
    # A package needs no __init__.py, and an empty one is not deployed.
    modules = {file: compiled(file) for file in device_files() if located(file).stat().st_size}
    names = [module_name(file) for file in modules]
    BUILD.mkdir(parents=True)
    (BUILD / "pack.mpy").write_bytes(modules[READER])
    launcher = {module_name(file): len(modules.pop(file)) for file in (*SCRIPTS, READER)}
    slot = {path_in_pack(file.as_posix()): module for file, module in modules.items()}
    (BUILD / "firmware.pack").write_bytes(pack(slot))
    sizes = packed(slot)
    sets = set_size.measure(names, BUILD) if vm_heap.has_vm() else set_size.Sets([], [])
    starts = start_size.measure(BUILD)
    if any(start.failure for start in starts):  # by chance, as set_size tells
        starts = start_size.measure(BUILD)
    return Measured(sizes, launcher, sets, starts)


def slot(sizes: dict[str, int]) -> int:
    """Bytes of a slot, which is one file."""
    return sum(sizes.values())


def slot_table(sizes: dict[str, int], with_modules: bool) -> Table:
    """A slot by its parts, or by module."""
    rows = Table("a slot", box=None, show_footer=True)
    rows.columns[0].footer = f"in all (at most {BUDGET_BYTES})"
    rows.add_column("bytes on flash", f"{slot(sizes)}", justify="right")
    parts = {"library": 0, "application": 0, "index, dictionary, contents": 0}
    for name, size in sizes.items():
        top = name.partition(".")[0]
        parts[{"iot": "library", "firmware": "application"}.get(top, [*parts][-1])] += size
    for name, size in (sizes if with_modules else parts).items():
        rows.add_row(name, f"{size}")
    return rows


def stays_table(sets: set_size.Sets, with_modules: bool) -> Table:
    """What stays, by mode, each with its heaviest modules, or all in the order of loading."""
    rows = Table("what stays in", box=None)
    for title in ("heap bytes", "at most", "of its own", "at most", "names"):
        rows.add_column(title, justify="right")
    for one in sets.all_stays():
        budgets = [f"{budget.get(one.mode, '')}" for budget in (set_size.BUDGETS, set_size.OWN_BUDGETS)]
        rows.add_row(one.mode, f"{one.bytes}", budgets[0], f"{one.own_bytes}", budgets[1], f"{one.names}")
        for name in one.modules if with_modules else set_size.by_weight(one.modules)[: set_size.HEAVIEST]:
            rows.add_row(f"  {name}", f"{one.modules[name]}")
    return rows


def moments_table(sets: set_size.Sets) -> Table:
    """What is there for a moment, the heaviest first."""
    rows = Table("for a moment", box=None)
    rows.columns[0].no_wrap = True
    rows.add_column("heap bytes", justify="right")
    rows.add_column(f"at most {set_size.MOMENT_BUDGET}, on")
    rows.add_column("names", justify="right")
    rows.add_column("with")
    for one in sorted(sets.moments + sets.others_moments, key=lambda one: -one.bytes):
        rows.add_row(one.name, f"{one.bytes}", one.on, f"{one.names}", " ".join(one.modules[:-1]))
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--modules", action="store_true", help="each module, not the heaviest alone")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def main(args: argparse.Namespace) -> int:
    try:
        measured = measure()
    except (CompileError, BoardError) as error:
        tell_failure(str(error), args.json, text=str(error), remedy="Mend it, and run this again.")
        return 1
    failures = measured.failures()
    if args.json:
        print(json.dumps(as_json(measured, failures), indent=2))
    else:
        show(measured, args.modules)
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


def show(measured: Measured, with_modules: bool) -> None:
    """Tables for a person."""
    console = Console(highlight=False)
    console.print(slot_table(measured.sizes, with_modules))
    console.print()
    console.print(
        f"The launcher beside it ({', '.join(measured.launcher)}): {sum(measured.launcher.values())}"
    )
    console.print()
    if measured.sets.stays:
        console.print(stays_table(measured.sets, with_modules))
        console.print()
        console.print(moments_table(measured.sets))
    else:
        console.print("Heap not measured: needs node and the MicroPython VM (make setup)")
    for start in measured.starts:
        console.print()
        console.print(start_size.table(start))


def as_json(measured: Measured, failures: list[str]) -> dict[str, Any]:
    """The same for a program."""
    told = {"text": "; ".join(failures), "remedy": "Make the heaviest modules smaller."} if failures else {}
    return {
        "ok": not failures,
        **told,
        "failures": failures,
        "slot": {"bytes": slot(measured.sizes), "budget": BUDGET_BYTES, "mpy": measured.sizes},
        "launcher": {"bytes": sum(measured.launcher.values()), "mpy": measured.launcher},
        "stays": {
            one.mode: {
                **asdict(one),
                "own_bytes": one.own_bytes,
                "budget": set_size.BUDGETS.get(one.mode),
                "own_budget": set_size.OWN_BUDGETS.get(one.mode),
            }
            for one in measured.sets.all_stays()
        },
        "moments": {
            one.name: {**asdict(one), "budget": set_size.MOMENT_BUDGET}
            for one in measured.sets.moments + measured.sets.others_moments
        },
        "boot": start_size.as_json(measured.starts),
    }
