"""A world and a device, on every interpreter there is."""

import os
import subprocess
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.patience import PATIENCE_S
from tests.vm.test_vm import VERSIONS, VM, vm_command
from tools.sim import Device, World

Says = Callable[[ModuleType, list[str]], list[str]]
MICROPYTHON = pytest.param("micropython", marks=pytest.mark.micropython)


@pytest.fixture(params=["cpython", MICROPYTHON])
def micropython(request: pytest.FixtureRequest) -> str | None:
    """Path of the MicroPython binary that runs the devices, None for CPython."""
    return os.environ["MICROPYTHON"] if request.param == "micropython" else None


@pytest.fixture
def aioble() -> str:
    """Folder of a real aioble for the devices, "" for the simulator's own."""
    return ""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World({"Home": "correct horse", "Open": ""}) as world:
        yield world


@pytest.fixture
async def device(tmp_path: Path, world: World, micropython: str | None, aioble: str) -> AsyncIterator[Device]:
    """A device without a program and without power."""
    device = Device(tmp_path / "device", world, micropython=micropython, aioble=aioble)
    yield device
    await device.power_off()


@pytest.fixture
def load(device: Device) -> Callable[[str], None]:
    """Put a text on the device as main.py."""
    return lambda source: _load(device, source)


@pytest.fixture
def run(device: Device) -> Callable[[str], Awaitable[list[str]]]:
    """Run a text as main.py from power-on to its end; gives what it printed. An error fails the test."""

    async def run(source: str) -> list[str]:
        await device.power_off()
        _load(device, source)
        start = len(device.lines)
        await device.power_on()
        await device.expect("^end of main.py$|^program failed$")
        await device.ended()
        lines = device.lines[start:]
        if "end of main.py" not in lines:
            pytest.fail("\n".join(lines))
        return lines[: lines.index("end of main.py")]

    return run


@pytest.fixture(params=["webassembly", pytest.param("unix", marks=pytest.mark.micropython)])
def micropython_says(request: pytest.FixtureRequest, tmp_path: Path) -> Says:
    """Have the real one say what it makes of texts: the module's `main(files)` prints that."""

    def say(cases: ModuleType, texts: list[str]) -> list[str]:
        (tmp_path / "texts").write_text("\n".join(texts))
        assert cases.__file__
        if request.param == "unix":
            name = Path(cases.__file__).stem
            program = f"import asyncio, {name}; asyncio.run({name}.main([{str(tmp_path / 'texts')!r}]))"
            command: tuple[str, ...] = (os.environ["MICROPYTHON"], "-X", "heapsize=4m", "-c", program)
        else:
            node, run, *_ = vm_command("", {}, VERSIONS[0])
            folders = f"--vm={VERSIONS[0]}", f"{tmp_path}=/texts"
            command = (node, run, cases.__file__, *folders, "--", "/texts/texts")
        path = {"MICROPYPATH": f".frozen:{Path(__file__).parent}"}
        done = subprocess.run(
            command,
            env={**os.environ, **path},
            cwd=VM,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return done.stdout.splitlines()

    return say


def _load(device: Device, source: str) -> None:
    program = textwrap.indent(textwrap.dedent(source), "    ")
    end = "    print('end of main.py')\nexcept Exception:\n    print('program failed')\n    raise\n"
    (device.files / "main.py").write_text(f"try:\n{program}\n{end}")
