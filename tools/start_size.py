"""What a start takes of the heap, step by step: in MicroPython itself, with a heap of the chip's size."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tools import vm_heap
from tools.board import start

# Of the chip's heap, with its tables: once lib/iot/heap.py has given it its last size, and before that.
HEAP_BYTES, FIRST_HEAP_BYTES = 92 * 1024, 56 * 1024
HEAVIEST = 5
# Names that MicroPython keeps before there is a table of 4.5 KB more; and an application's own.
NAMES, OWN_NAMES = 620, 40

_NAMES = re.compile(r"n_qstr=(\d+)")
_MEM_INFO = re.compile(
    r"GC: total: (?P<total>\d+), used: (?P<used>\d+), free: (?P<free>\d+).*\n.*max free sz: (?P<piece>\d+)"
)


@dataclass
class Memory:
    """Bytes of the heap behind a step: in all, in use, free, the largest free piece; and how many names."""

    step: str
    total: int
    used: int
    free: int
    piece: int
    names: int = 0


@dataclass
class Start:
    """A start on one interpreter; failure: what it lacked, None where it had enough."""

    interpreter: str
    steps: list[Memory]
    failure: str | None


def measure(build: Path, heap_bytes: int = HEAP_BYTES) -> list[Start]:
    """Go through the steps in every MicroPython there is.

    Args:
        build: where the compiled modules are.
        heap_bytes: the heap's size on 32 bits; on 64 it is twice that.
    """
    steps = [(step[0], list(start.actions(step))) for step in start.STEPS]
    return [_start(run, len(steps)) for run in vm_heap.everywhere(steps, build, heap_bytes)]


def table(measured: Start) -> Table:
    """The steps of a start for a person."""
    rows = Table(f"a start in {measured.interpreter}", box=None)
    for title in ("in use", "free", "largest piece", "names"):
        rows.add_column(title, justify="right")
    for step in measured.steps:
        rows.add_row(step.step, *(f"{number}" for number in (step.used, step.free, step.piece, step.names)))
    return rows


def as_json(starts: list[Start]) -> dict[str, Any]:
    """The same for a program, by interpreter."""
    return {
        one.interpreter: {"steps": [asdict(step) for step in one.steps], "failure": one.failure}
        for one in starts
    }


def _start(run: vm_heap.Run, steps: int) -> Start:
    before, *parts = run.output.split("STEP ")
    memory: list[Memory] = []
    names = others = max(map(int, _NAMES.findall(before)), default=0)  # what the steps are gone through with
    for part in parts:
        names = max(map(int, _NAMES.findall(part)), default=names)
        if found := _MEM_INFO.search(part):
            numbers = {name: int(number) for name, number in found.groupdict().items()}
            numbers["piece"] *= 16 * run.factor
            memory.append(Memory(part.splitlines()[0], **numbers, names=names - others))
    failure = _failure(memory, run.output, steps, FIRST_HEAP_BYTES * run.factor)
    if failure:
        loads = [(action.bytes, action.name) for action in run.actions()]
        heaviest = ", ".join(f"{name} {taken}" for taken, name in sorted(loads)[: -HEAVIEST - 1 : -1])
        failure += f"; the heaviest by then: {heaviest}"
    return Start(run.interpreter, memory, failure)


def _failure(memory: list[Memory], output: str, steps: int, first_bytes: int) -> str | None:
    """What was too much; first_bytes: of the heap until it gets its last size."""
    has_grown = False
    for step in memory:
        has_grown = has_grown or step.step == start.GROWS
        if not has_grown and step.used > first_bytes:
            return (
                f"{step.step}: {step.used} bytes are in use, the heap has {first_bytes} until {start.GROWS}"
            )
        if step.total > memory[0].total:
            return f"{step.step}: the heap had to grow by {step.total - memory[0].total} bytes"
    if len(memory) < steps:
        name = output.rpartition("STEP ")[2].partition("\n")[0]
        why = output.rpartition("FAILED ")[2] if "FAILED " in output else output
        return f"{name}: {' '.join(why.split())}"
    if memory[-1].names > NAMES - OWN_NAMES:
        return f"{memory[-1].names} names; with an application's own {OWN_NAMES} there may be {NAMES}"
    return None
