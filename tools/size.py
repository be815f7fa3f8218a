"""`make size`: bytes of each device module as .mpy, the heap that its import takes, and what a start does."""

import argparse
import ast
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools import start_size
from tools.board.errors import BoardError, tell_failure
from tools.board.files import CompileError, check_list, compile_for_chip, device_files

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/mpy"
VM = ROOT / "tests/vm"
BUDGET_BYTES = 96 * 1024  # of a slot, as docs and DESIGN have it
EXAMPLES = """examples:
  python3 -m tools size
  python3 -m tools size --json

exit status: 0, 1 over budget or where something does not compile, 2 for wrong arguments"""
SCRIPTS = ("boot", "main")  # they run when imported, so their heap is not measured


def compiled(source: Path) -> int:
    """Compile a device file into BUILD; return the bytes of the result."""
    module = compile_for_chip((ROOT / source).read_bytes(), source.as_posix())
    target = BUILD / source.with_suffix(".mpy")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(module)
    return len(module)


def module_name(file: Path) -> str:
    parts = file.parts[1:] if file.parts[0] == "lib" else file.parts
    return ".".join(parts).removesuffix(".py").removesuffix(".__init__")


def needs(files: list[Path]) -> dict[str, set[str]]:
    """What each module imports of these files when it is imported."""
    names = {module_name(file) for file in files}
    return {module_name(file): (imports(file) & names) - {module_name(file)} for file in files}


def from_the_ground_up(files: list[Path]) -> list[Path]:
    """Order files so that each comes after all that it imports."""
    by_name = {module_name(file): file for file in files}
    return [by_name[name] for name in TopologicalSorter(needs(files)).static_order()]


def imports(file: Path) -> set[str]:
    """Names of all modules that a file may import when it is imported, and of the packages they are in."""
    found = {module_name(file)}
    for node in ast.parse((ROOT / file).read_bytes()).body:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
            found.add(f"{node.module}")
    packages = {name.rpartition(".")[0] for name in found}
    return found | packages | {name.rpartition(".")[0] for name in packages}


def heap_of_imports(names: list[str]) -> dict[str, int]:
    """Bytes of heap that each import takes in the MicroPython VM, in this order, loaded from BUILD."""
    command = ["node", str(VM / "run.mjs"), str(VM / "heap.py"), f"{BUILD}=/", "--", *names]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return {name: int(taken) for name, taken in (line.split() for line in result.stdout.splitlines())}


def forgotten() -> set[str]:
    """Names of the modules that device code imports for a moment and then forgets."""
    found: set[str] = set()
    for file in device_files():
        for node in ast.walk(ast.parse((ROOT / file).read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("borrow",):
                found.update(str(name.value) for name in node.args if isinstance(name, ast.Constant))
    return found


@dataclass
class Measured:
    """Bytes as .mpy by module; heap by module, empty without the VM; a start on each MicroPython there is."""

    sizes: dict[str, int]
    heap: dict[str, int]
    starts: list[start_size.Start]


def measure() -> Measured:
    """Measure all device files."""
    check_list()
    shutil.rmtree(BUILD, ignore_errors=True)
    files = from_the_ground_up(device_files())
    sizes = {module_name(file): compiled(file) for file in files}
    has_vm = shutil.which("node") and (VM / "node_modules/ready").exists()
    heap = heap_of_imports([name for name in sizes if name not in SCRIPTS]) if has_vm else {}
    steps = start_size.plan(list(sizes), needs(files))
    return Measured(sizes, heap, start_size.measure(steps, BUILD, heap))


def library(sizes: dict[str, int]) -> int:
    """Bytes of the library alone: the application is the user's."""
    return sum(size for name, size in sizes.items() if name.partition(".")[0] == "iot")


def table(sizes: dict[str, int], heap: dict[str, int]) -> Table:
    rows = Table("module", box=None, show_footer=True)
    rows.columns[0].footer = f"the library, iot (at most {BUDGET_BYTES})"
    rows.add_column(".mpy bytes", f"{library(sizes)}", justify="right")
    for_a_moment = forgotten()
    stays = sum(bytes_ for name, bytes_ in heap.items() if name not in for_a_moment)
    rows.add_column("heap bytes", f"{stays}" if heap else "", justify="right")
    rows.add_column("", "that stay" if heap else "")
    for name, size in sizes.items():
        rows.add_row(name, str(size), str(heap.get(name, "")), "forgotten" if name in for_a_moment else "")
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def main(args: argparse.Namespace) -> int:
    try:
        measured = measure()
    except (CompileError, BoardError) as error:
        tell_failure(str(error), args.json, text=str(error), remedy="Mend it, and run this again.")
        return 1
    total = library(measured.sizes)
    failures = [f"{start.interpreter}: {start.failure}" for start in measured.starts if start.failure]
    if total > BUDGET_BYTES:
        failures.append(f"Over budget by {total - BUDGET_BYTES} bytes")
    show_json(measured, failures) if args.json else show(measured)
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


def show(measured: Measured) -> None:
    """Tables for a person."""
    console = Console(highlight=False)
    console.print(table(measured.sizes, measured.heap))
    if not measured.heap:
        console.print("Heap not measured: needs node and the MicroPython VM (make setup)")
    for start in measured.starts:
        console.print()
        console.print(start_size.table(start))


def show_json(measured: Measured, failures: list[str]) -> None:
    """The same for a program."""
    numbers = {
        "ok": not failures,
        "library": library(measured.sizes),
        "budget": BUDGET_BYTES,
        "mpy": measured.sizes,
        "heap": measured.heap,
        "forgotten": sorted(forgotten()),
        "failures": failures,
        "boot": start_size.as_json(measured.starts),
    }
    if failures:
        numbers |= {"text": "; ".join(failures), "remedy": "Make the heaviest modules smaller."}
    print(json.dumps(numbers, indent=2))
