"""Goes through the steps of tools/board/start.py in MicroPython itself, by tests/vm/heap.py."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VM = Path(__file__).resolve().parents[1] / "tests/vm"
TIMEOUT_S = 60

_USED = re.compile(
    r"^USED (.*?)(\d+)\nqstr pool: .*n_qstr=(\d+), n_str_data_bytes=(\d+), n_total_bytes=(\d+)", re.MULTILINE
)

Steps = list[tuple[str, list[tuple[str, list[str]]]]]


@dataclass
class Action:
    """What an action was about, and what it took of the heap; below 0 for what it gave back.

    bytes: all but the table of names, which grows in steps: what it takes depends on how many there are.
    names: that were new, their text being in `bytes`.
    """

    verb: str
    name: str
    bytes: int
    names: int


@dataclass
class Run:
    """What was printed on an interpreter; factor: how much larger its words are than the chip's."""

    interpreter: str
    output: str
    factor: int

    def actions(self) -> list[Action]:
        """All that were carried out, in their order."""
        found: list[Action] = []
        bytes_before = names_before = 0
        for what, *numbers in _USED.findall(self.output):
            used, names, text, total = map(int, numbers)
            used -= total - text
            if what:
                verb, name = what.split()
                found.append(Action(verb, name, used - bytes_before, names - names_before))
            bytes_before, names_before = used, names
        return found


def has_vm() -> bool:
    """Whether the VM from npm is there."""
    return bool(shutil.which("node")) and (VM / "node_modules/ready").exists()


def in_vm(steps: Steps, build: Path, heap_bytes: int) -> Run:
    """Go through the steps in the VM from npm: 32 bits, as the chip.

    Args:
        steps: names, each with actions.
        build: where the compiled modules are.
        heap_bytes: the heap's size.
    """
    file = _written(steps, build)
    options = [str(VM / "heap.py"), f"--heap={heap_bytes}", f"{build}=/", "--", f"/{file.name}"]
    return Run(f"the VM, {heap_bytes} bytes", _output(["node", str(VM / "run.mjs"), *options]), 1)


def everywhere(steps: Steps, build: Path, heap_bytes: int) -> Iterator[Run]:
    """The same in every MicroPython there is: the VM, and $MICROPYTHON, with twice the heap on 64 bits."""
    if has_vm():
        yield in_vm(steps, build, heap_bytes)
    if unix := os.environ.get("MICROPYTHON"):
        program = f"import asyncio, heap; asyncio.run(heap.main([{str(_written(steps, build))!r}]))"
        path = ":".join((".frozen", str(build), str(VM)))
        command = [unix, "-X", f"heapsize={2 * heap_bytes}", "-c", program]
        yield Run(f"the unix port, {2 * heap_bytes} bytes", _output(command, MICROPYPATH=path), 2)


def _written(steps: Steps, build: Path) -> Path:
    """The file with the actions, each for one name."""
    lines = []
    for step, actions in steps:
        lines.append(f"step {step}")
        lines += [f"{verb} {name}" for verb, names in actions for name in names]
        lines.append("show")
    file = build / "steps.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


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
