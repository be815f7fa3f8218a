"""Programs of the tests' own on a board: loaded into its RAM, started, and left running on its console."""

import ast
import base64
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.board.files import compile_for_chip
from tools.board.repl import Repl
from tools.board.tracebacks import own_names

CHIP = Path(__file__).with_name("chip")
_ANSWER_S = 60
_CHUNK_BYTES = 1500

# .mpy files in a file system in RAM: nothing is written to flash, and the compiler, which takes far more
# memory than its result, stays out of the heap that is looked at.
_RAM = """
import binascii, io, os, sys
class Ram:
    data = bytearray()
    name = ''
    def mount(self, readonly, mkfs):
        pass
    def umount(self):
        pass
    def open(self, path, mode):
        return io.BytesIO(self.data)
    def stat(self, path):
        if path != '/' + self.name:
            raise OSError(2)
        return (0x8000, 0, 0, 0, 0, 0, len(self.data), 0, 0, 0)
    def load(self, name):
        self.name = name + '.mpy'
        os.mount(self, '/ram')
        sys.path.append('/ram')
        try:
            __import__(name)
        finally:
            sys.path.remove('/ram')
            os.umount('/ram')
            self.data = bytearray()
ram = Ram()
"""
# How long the chip takes to read 4 KiB of its flash, and whether it has more memory than an ESP32 has inside.
_PROBE = """
import esp32, json, time
partition = esp32.Partition(esp32.Partition.RUNNING)
block = bytearray(4096)
start_us = time.ticks_us()
for number in range(50):
    partition.readblocks(number, block)
read_ms = time.ticks_diff(time.ticks_us(), start_us) / 50000
regions = esp32.idf_heap_info(esp32.HEAP_DATA)
print(json.dumps({"flash_read_ms": read_ms, "psram": sum([region[0] for region in regions]) > 1000000}))
"""


def compiled(name: str) -> bytes:
    """A module of chip/, for a board."""
    return compile_for_chip((CHIP / f"{name}.py").read_bytes(), f"{name}.py")


def watched() -> dict[str, tuple[tuple[str, str, str], ...]]:
    """What trial.py watches: by module, the class ("" is the module itself), the function, and the place."""
    tables = [
        node for node in ast.parse((CHIP / "trial.py").read_bytes()).body if isinstance(node, ast.Assign)
    ]
    table: dict[str, tuple[tuple[str, str, str], ...]]
    (table,) = (ast.literal_eval(node.value) for node in tables if ast.unparse(node.targets[0]) == "WATCHED")
    return table


def names_there() -> dict[str, dict[str, str]]:
    """By module, what trial.py watches there under another name than its own: own name and that."""
    found = {}
    for module, places in watched().items():
        there = {own: name for name, own in own_names(module.replace(".", "/")).items()}
        meant = {name for place in places for name in place[:2]}
        if given := {name: there[name] for name in meant if name in there}:
            found[module] = given
    return found


class Runner(Repl):
    """A board's raw REPL that can let go of the port while code runs. All of it blocks."""

    def probe(self) -> dict[str, Any]:
        """What decides on how figures are judged: {"flash_read_ms", "psram"}."""
        found: dict[str, Any] = json.loads(self.exec(_PROBE, _ANSWER_S))
        return found

    def prepare(self) -> None:
        """Switch the radio off and set the clock: the same start for whatever is measured."""
        now = datetime.now(UTC)
        clock = (now.year, now.month, now.day, now.weekday(), now.hour, now.minute, now.second, 0)
        self.exec(
            "import machine, network\nnetwork.WLAN(network.STA_IF).active(False)\n"
            f"machine.RTC().datetime({clock})\ndel machine, network",
            _ANSWER_S,
        )

    def load(self, *names: str) -> None:
        """Import modules of chip/, each after those it needs."""
        self.exec(_RAM, _ANSWER_S)
        for name in names:
            code = compiled(name)
            for start in range(0, len(code), _CHUNK_BYTES):
                piece = base64.b64encode(code[start : start + _CHUNK_BYTES]).decode()
                self.exec(f"ram.data.extend(binascii.a2b_base64('{piece}'))", _ANSWER_S)
            self.exec(f"ram.load('{name}')", _ANSWER_S)
        self.exec("del ram, Ram\nimport gc\ngc.collect()", _ANSWER_S)

    def start(self, code: str) -> None:
        """Start `code` once it gets a line: what it printed before the port is open again would be lost."""
        self._transport.deadline = time.monotonic() + _ANSWER_S
        self._transport.exec_raw_no_follow(f"import sys\nsys.stdin.readline()\n{code}")
