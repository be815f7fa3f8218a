"""What an .mpy keeps in memory beside itself: nothing."""

import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.vm.test_vm import VERSIONS, VM
from tools.board import files
from tools.board.mpy import NOBODY, _number, apart, table

# Between pieces of the size of the table that is filled lie large ones. All the smaller holes are filled
# before, so that the table gets one of those pieces' places, with a large one behind it.
SCRIPT = """
import asyncio, gc, sys

async def used():
    for _ in range(5):
        gc.collect()
        await asyncio.sleep_ms(1)  # the VM collects when all tasks wait
    return gc.mem_alloc()

async def main(arguments):
    __import__("warm")
    one, few, many = (None,), 14, 250
    filler, pairs = [None] * 1500, [None] * 400
    for at in range(1500):
        filler[at] = one * (few if at < 1000 else 2)
    for at in range(0, 400, 2):
        pairs[at], pairs[at + 1] = one * few, one * many
    for at in range(0, 400, 2):
        pairs[at] = None
    await used()
    for name in arguments:
        __import__(name)
    filler = pairs = None
    there = [await used()]
    for name in arguments:
        del sys.modules[name]
        there.append(await used())
    print(*[before - after for before, after in zip(there, there[1:])])
    return 0
"""


def numbers(module: bytes) -> tuple[int, int]:
    """Of names and of objects."""
    names, at = _number(module, 4)
    return names, _number(module, at)[0]


def compiled(count: int, more: str = "") -> bytes:
    """A module with so many names of its own."""
    source = "".join(f"name{number} = {number}\n" for number in range(count)) + more
    return files.compile_as_it_is(source.encode(), "crate.py")


@pytest.mark.parametrize("count", range(1, 70))
def test_a_table_without_objects_does_not_fill_its_blocks(count: int) -> None:
    module = compiled(count)
    names, objects = numbers(module)
    more = (1 + names % 2) * (-(-names // 2) * 4 % 16 == 0)
    assert objects == 0 and numbers(apart(module)) == (names + more, 0)
    assert table(apart(module)) == table(module) and apart(apart(module)) == apart(module)
    assert len(apart(module)) == len(module) + more


def test_a_table_with_objects_stays() -> None:
    for count in range(1, 20):
        module = compiled(count, "text = 'a text of more than ten characters'\n")
        assert numbers(module)[1] == 1 and apart(module) == module


def test_no_module_of_a_device_fills_them() -> None:
    _, modules = files.compiled("xtensawin")
    counts = {path: numbers(module) for path, module in modules.items()}
    assert not [path for path, (names, objects) in counts.items() if not objects and -(-names // 2) % 4 == 0]
    assert NOBODY == 8


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("is_apart", [False, True])
def test_what_lies_behind_it_is_not_kept(version: str, is_apart: bool, tmp_path: Path) -> None:
    """As it is without, so that this holds for what is measured."""
    (tmp_path / "lib").mkdir()
    module = compiled(30)
    assert module != apart(module)
    (tmp_path / "lib/warm.mpy").write_bytes(files.compile_as_it_is(b"warm = 1", "warm.py"))
    crates = [f"crate{number}" for number in range(8)]  # not each gets such a place
    for name in crates:
        (tmp_path / f"lib/{name}.mpy").write_bytes(apart(module) if is_apart else module)
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    command = ["node", str(VM / "run.mjs"), str(script), f"--vm={version}", f"{tmp_path / 'lib'}=/lib"]
    command += ["--", *crates]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S).stdout
    went = [int(size) for size in output.split()]
    assert len(went) == len(crates) and (max(went) < 900) == is_apart, output
