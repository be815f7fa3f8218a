"""What a start takes of the heap, step by step: in MicroPython itself, with a heap of the chip's size."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

VM = Path(__file__).resolve().parents[1] / "tests/vm"
# Of the chip's heap, with its tables: once lib/iot/heap.py has given it its last size, and before that.
HEAP_BYTES, FIRST_HEAP_BYTES = 92 * 1024, 56 * 1024
TIMEOUT_S = 60
HEAVIEST = 5

# A start into NORMAL, in the order of boot.py, main.py and lib/iot/transitions.py: the step, what it imports,
# and what it then lets go of.
BUFFERS = "BUFFERS"  # stands for those of a connection
GROWS = "NORMAL"  # where the heap gets its last size
STEPS: tuple[tuple[str, str, str], ...] = (
    ("MicroPython", "", ""),
    ("boot.py", "pack", ""),
    ("main.py", "iot.system firmware.settings", ""),
    (
        "INIT",
        "iot.transitions iot.identity iot.storage.record iot.storage.store iot.probation iot.storage.rtc",
        "iot.identity iot.storage.nvs iot.storage.record iot.storage.store iot.probation iot.storage.rtc",
    ),
    (GROWS, "iot.storage.record iot.storage.store iot.heap", "iot.heap"),
    ("Wi-Fi", "iot.backoff iot.clock.keeper iot.wifi.station", ""),
    ("joining", "iot.wifi.join iot.wifi.attempt iot.probation", "iot.probation"),
    (
        "MQTT",
        "iot.tls iot.mqtt.packet iot.mqtt.queues iot.mqtt.connection iot.mqtt.client iot.aws.cloud",
        "",
    ),
    ("buffers", BUFFERS, "iot.transitions iot.modes iot.storage.nvs iot.storage.record iot.storage.store"),
    ("application", "firmware.app", ""),
    ("joined", "iot.wifi.scan", "iot.wifi.join iot.wifi.attempt iot.wifi.scan"),
    ("clock", "iot.clock.adjust iot.clock.sntp", "iot.clock.adjust iot.clock.sntp"),
    (
        "certificate",
        "iot.storage.record iot.storage.store iot.crypto.x509",
        "iot.storage.nvs iot.storage.record iot.storage.store iot.crypto.tlv iot.crypto.x509",
    ),
    ("connection", "iot.mqtt.handshake", "iot.mqtt.handshake"),
    ("status", "iot.console.status", "iot.console.status"),
)

_MEM_INFO = re.compile(
    r"GC: total: (?P<total>\d+), used: (?P<used>\d+), free: (?P<free>\d+).*\n.*max free sz: (?P<piece>\d+)"
)


@dataclass
class Memory:
    """Bytes of the heap behind a step: in all, in use, free, and the largest free piece."""

    step: str
    total: int
    used: int
    free: int
    piece: int


@dataclass
class Start:
    """A start on one interpreter; failure: what it lacked, None where it had enough."""

    interpreter: str
    steps: list[Memory]
    failure: str | None


def plan(order: list[str], needs: dict[str, set[str]]) -> list[list[Any]]:
    """The steps, each with all modules that are not in memory by then, from the ground up.

    Args:
        order: all modules, each behind those it imports at its top.
        needs: what each of them imports at its top.
    """
    there: set[str] = set()
    steps = []
    for name, modules, gone in STEPS:
        wanted = set().union(*(_closure(module, needs) for module in modules.split())) - there
        loads = [module for module in order if module in wanted]
        loads += [BUFFERS] if modules == BUFFERS else []
        there = (there | wanted) - set(gone.split())
        steps.append([name, loads, gone.split()])
    return steps


def measure(
    steps: list[list[Any]], build: Path, heap: dict[str, int], heap_bytes: int = HEAP_BYTES
) -> list[Start]:
    """Go through the steps in every MicroPython there is: the VM from npm, and $MICROPYTHON.

    Args:
        steps: as from `plan`.
        build: where the compiled modules are.
        heap: what each module takes, to name the heaviest.
        heap_bytes: the heap's size on 32 bits; on 64 it is twice that.
    """
    return [
        _start(interpreter, output, factor, steps, heap)
        for interpreter, output, factor in _runs(json.dumps(steps), build, heap_bytes)
    ]


def table(start: Start) -> Table:
    """The steps of a start for a person."""
    rows = Table(f"a start in {start.interpreter}", box=None)
    for title in ("in use", "free", "largest piece"):
        rows.add_column(title, justify="right")
    for step in start.steps:
        rows.add_row(step.step, *(f"{number}" for number in (step.used, step.free, step.piece)))
    return rows


def as_json(starts: list[Start]) -> dict[str, Any]:
    """The same for a program, by interpreter."""
    return {
        start.interpreter: {"steps": [asdict(s) for s in start.steps], "failure": start.failure}
        for start in starts
    }


def _closure(module: str, needs: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    below = {module} & set(needs)
    while below:
        found |= below
        below = set().union(*(needs[name] for name in below)) - found
    return found


def _runs(steps: str, build: Path, heap_bytes: int) -> Iterator[tuple[str, str, int]]:
    """Interpreter, what it printed, and how much larger its words are than the chip's."""
    script = str(VM / "heap.py")
    if shutil.which("node") and (VM / "node_modules/ready").exists():
        command = [
            "node",
            str(VM / "run.mjs"),
            script,
            f"--heap={heap_bytes}",
            f"{build}=/",
            "--",
            "--boot",
            steps,
        ]
        yield f"the VM, {heap_bytes} bytes", _output(command), 1
    if unix := os.environ.get("MICROPYTHON"):
        program = f"import asyncio, heap; asyncio.run(heap.main(['--boot', {steps!r}]))"
        path = ":".join((".frozen", str(build / "lib"), str(build), str(VM)))
        command = [unix, "-X", f"heapsize={2 * heap_bytes}", "-c", program]
        yield f"the unix port, {2 * heap_bytes} bytes", _output(command, MICROPYPATH=path), 2


def _output(command: list[str], **environment: str) -> str:
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **environment},
    )
    return result.stdout + ("" if result.returncode == 0 else f"\nFAILED exit status {result.returncode}")


def _start(interpreter: str, output: str, factor: int, steps: list[list[Any]], heap: dict[str, int]) -> Start:
    _, *parts = output.split("STEP ")
    memory = []
    for part in parts:
        if found := _MEM_INFO.search(part):
            numbers = {name: int(number) for name, number in found.groupdict().items()}
            numbers["piece"] *= 16 * factor
            memory.append(Memory(part.splitlines()[0], **numbers))
    failure = _failure(memory, output, len(steps), FIRST_HEAP_BYTES * factor)
    if failure:
        names = {name for _, loads, _ in steps[: len(memory) + 1] for name in loads}
        heaviest = sorted(names & set(heap), key=lambda name: -heap[name])[:HEAVIEST]
        failure += "; the heaviest by then: " + ", ".join(f"{name} {heap[name]}" for name in heaviest)
    return Start(interpreter, memory, failure)


def _failure(memory: list[Memory], output: str, steps: int, first_bytes: int) -> str | None:
    """What was too much; first_bytes: of the heap until it gets its last size."""
    has_grown = False
    for step in memory:
        has_grown = has_grown or step.step == GROWS
        if not has_grown and step.used > first_bytes:
            return f"{step.step}: {step.used} bytes are in use, the heap has {first_bytes} until {GROWS}"
        if step.total > memory[0].total:
            return f"{step.step}: the heap had to grow by {step.total - memory[0].total} bytes"
    if len(memory) < steps:
        name = output.rpartition("STEP ")[2].partition("\n")[0]
        why = output.rpartition("FAILED ")[2] if "FAILED " in output else output
        return f"{name}: {' '.join(why.split())}"
    return None
