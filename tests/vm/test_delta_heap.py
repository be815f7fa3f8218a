"""What undoing a patch takes of the heap in the real MicroPython VM: with its code, and all that it holds."""

import hashlib
import io
from pathlib import Path

import pytest
from patches import CRLE, HEATSHRINK

from tests.vm.test_pack import Flash
from tests.vm.test_vm import ROOT, VERSIONS
from tools.board.files import compile_for_chip

detools = pytest.importorskip(
    "detools", reason="detools is not installed: make setup, where there is a C++ compiler"
)
MOST_BYTES = 12 * 1024  # issue 15's bound
LIBRARY = ROOT / "lib"
LARGEST = {"heatshrink_window_sz2": 11, "heatshrink_lookahead_sz2": 10}
MODULES = ("iot/__init__", "iot/ota/__init__", "iot/ota/unpack", "iot/ota/delta")
CODE = """
with open("/base", "rb") as file:
    base = file.read()
with open("/patch", "rb") as file:
    patch = file.read()
most, count, size = 0, 0, {size}
digest = hashlib.sha256()

def read(offset, view):
    view[:] = base[offset : offset + len(view)]

before = await used()
from iot.ota.delta import Patch
made = Patch(read, digest.update, len(base), size)
view = memoryview(patch)
while view or made.is_busy:
    view = view[made.step(view) :]
    count += 1
    if count % 4 == 1:
        most = max(most, await used() - before)
made.finish()
print(most, count)
print(digest.digest())
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("packing", "kind"), [("crle", CRLE), ("heatshrink", HEATSHRINK)])
def test_it_takes_less_than_it_may(packing: str, kind: int, version: str, tmp_path: Path) -> None:
    base = b"".join(file.read_bytes() for file in sorted(LIBRARY.rglob("*.py")))[: 1 << 16]
    new = base[:1000] + b"a line more" + base[1000:40_000].replace(b"self", b"this") + base[39_000:]
    made = io.BytesIO()
    detools.create_patch(io.BytesIO(base), io.BytesIO(new), made, packing, **LARGEST)
    assert made.getvalue()[0] == kind
    flash = Flash(tmp_path)
    modules = {
        name: compile_for_chip((LIBRARY / f"{name}.py").read_bytes(), f"lib/{name}.py") for name in MODULES
    }
    flash.put({f"lib/{name}.mpy": module for name, module in modules.items()})
    flash.put({"base": base, "patch": made.getvalue()})
    figures, digest = flash.run("import hashlib\n" + CODE.format(size=len(new)), version)
    assert digest == f"{hashlib.sha256(new).digest()!r}"
    most, steps = map(int, figures.split())
    assert steps > 16 and 2048 < most <= MOST_BYTES
    print(packing, version, most)
