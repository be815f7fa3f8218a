"""What the command `status` takes of the heap in the real MicroPython VM: its code and what it tells."""

import json
from pathlib import Path

import pytest

from tests.vm.test_pack import Flash
from tests.vm.test_vm import ROOT, VERSIONS
from tools.board.files import compile_for_chip

MOST_BYTES = 2560  # docs/memory.md: a command of the console takes less
LIBRARY = ROOT / "lib"
MODULES = ("iot/__init__", "iot/memory", "iot/console/status")
CODE = """
class Any:  # stands for what the command asks: parts of the system, and of the chip
    ssid, networks, state, name = "Home", [{"ssid": "Home"}, {"ssid": "Work"}], "sntp", "lamp"
    mode, device_id, memory, starved = "NORMAL", "lamp", (70000, 20000), 0
    VERSION, certificate_ends, connected = "1.0", "2049-12-31T23:59:59Z", True
    starved_reason = unreached = second = None
    counts, outbox = {"lost": 1}, ()
    HEAP_DATA = TYPE_APP = 0

    def __getattr__(self, name):
        return self

    def ip(self):
        return "192.168.4.20"

    def rssi(self):
        return -55

    def uptime_ms(self):
        return 12345

    def reset_cause(self):
        return 2

    def idf_heap_info(self, kind):
        return [(1000, 900, 800, 700)] * 6

    def find(self, kind):
        return (1, 2)

    def dupterm(self, stream):
        before, self.second = self.second, stream
        return before

    def mem_info(self):
        self.second.write(b", max free sz: ")
        self.second.write(b"256")

system = Any()
for name in ("esp32", "machine", "micropython", "os"):
    sys.modules[name] = system
from iot import memory
memory.stay(["iot.memory"])
most, before = 0, await used()
answer = memory.borrow("iot.console.status").answer(system)
for piece in answer:
    most = max(most, await used() - before)
    print(piece, end="")
del answer, piece
print()
print(most, await used() - before)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_status_takes_less_than_it_may_and_leaves_nothing(version: str, tmp_path: Path) -> None:
    flash = Flash(tmp_path)
    for name in MODULES:
        source = (LIBRARY / f"{name}.py").read_bytes()
        flash.put({f"lib/{name}.mpy": compile_for_chip(source, f"lib/{name}.py")})
    answer, figures = flash.run(CODE, version)
    told = json.loads(answer)
    assert told["thing"] == "lamp" and told["heap_piece"] == 4096 and told["slots"] == 2 and len(told) == 26
    most, left = map(int, figures.split())
    assert 1024 < most <= MOST_BYTES and left < 320, (most, left)
    print(version, most, left)
