"""Modules out of a pack on the simulated chip: as on a chip, on every interpreter."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tools.board.files import compile_as_it_is, compile_for_chip, path_in_pack, path_on_device
from tools.board.pack import pack
from tools.sim import Device, World
from tools.sim.packed import deployed

Run = Callable[[str], Awaitable[list[str]]]
READER = Path(__file__).parents[3] / "lib/pack.py"
SOURCES = {
    "lib/iot/fails.py": "def fail():\n    raise ValueError('pear')\n",
    "lib/iot/mqtt/leaf.py": "VALUE = 'value'\n",
    "firmware/__init__.py": "WHO = 'the package'\n",
    "firmware/app.py": "from iot.mqtt.leaf import VALUE\n\n\ndef fail():\n    raise ValueError(VALUE)\n",
}
MOUNT = "import pack\npack.mount('/firmware.pack')\n"


def put(device: Device, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        file = device.files / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def put_pack(device: Device, modules: dict[str, bytes]) -> None:
    reader = compile_for_chip(READER.read_bytes(), "lib/pack.py")
    put(device, {"pack.mpy": reader, "firmware.pack": pack(modules)})


def compiled(sources: dict[str, str]) -> dict[str, bytes]:
    return {path_in_pack(name): compile_for_chip(text.encode(), name) for name, text in sources.items()}


@pytest.fixture
def packed(device: Device) -> Device:
    put_pack(device, compiled(SOURCES))
    return device


async def test_modules_come_out_of_the_pack(packed: Device, run: Run) -> None:
    program = """
        import pack, sys, os
        pack.mount("/firmware.pack")
        from iot.mqtt import leaf
        import firmware
        from firmware import app
        print(leaf.VALUE, app.VALUE, firmware.WHO, leaf.__file__, sys.path[:4])
        import random, neopixel, json  # what is built in or frozen, or was not imported before
        with open("/pack/iot/mqtt/leaf.mpy", "rb") as file:
            print(file.read()[:1], os.stat("/pack/iot")[0], sorted(os.listdir("/")))
        for name in ("iot.none", "iot.mqtt.none", "none"):
            try:
                __import__(name)
            except ImportError as error:
                print("ImportError")
    """
    assert await run(program) == [
        "value value the package /pack/iot/mqtt/leaf.mpy ['/pack', '', '.frozen', '/lib']",
        "b'M' 16384 ['firmware.pack', 'main.py', 'pack', 'pack.mpy']",
        *["ImportError"] * 3,
    ]
    await packed.power_off()
    (packed.files / "pack.mpy").unlink()
    put(packed, {"lib/pack.py": READER.read_bytes()})  # as a source
    assert (await run(program))[0].startswith("value value")


async def test_a_traceback_names_the_file_as_on_the_chip(packed: Device, run: Run) -> None:
    lines = await run(f"""
        import sys
        {MOUNT.replace(chr(10), "; ")}
        from firmware import app
        try:
            app.fail()
        except ValueError as error:
            sys.print_exception(error)
    """)
    at = lines.index('  File "/pack/firmware/app.mpy", line 5, in fail')
    assert lines[at + 1 :] in (["ValueError: value"], ["    raise ValueError(VALUE)", "ValueError: value"])


async def test_what_was_copied_to_the_board_wins(packed: Device, run: Run) -> None:
    put(packed, {"lib/iot/mqtt/leaf.py": b"VALUE = 'copy'\n"})
    put(packed, {"firmware/app.mpy": compile_for_chip(b"WHO = 'another'\n", "firmware/app.py")})
    lines = await run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.mqtt import leaf
        from iot import fails
        from firmware import app
        print(leaf.VALUE, leaf.__file__, fails.__file__, app.WHO)
    """)
    assert lines == ["copy /pack/iot/mqtt/leaf.py /pack/iot/fails.mpy another"]


async def test_a_package_that_comes_with_the_chip_needs_no_source(tmp_path: Path, world: World) -> None:
    """aioble is got as .mpy files: on CPython the simulator's own stands for it."""
    device = Device(tmp_path / "device", world, aioble="")
    text = f"VALUE = {secrets.token_hex()!r}\n".encode()
    names = "lib/aioble/__init__.py", "lib/aioble/core.py", "lib/iot/strange.py"
    put_pack(device, {path_in_pack(name): compile_as_it_is(text, name) for name in names})
    put(device, {"main.py": f"{MOUNT}import aioble\nprint(aioble.__file__)\nimport iot.strange\n".encode()})
    async with device:
        own = await device.expect("^(.*/aioble/__init__.py)$")
        assert Path(own[1]).is_file() and "tools/sim/shims" in own[1]
        error = await device.expect("^ImportError: (.*)$")
        assert error[1].startswith(f"{path_on_device('lib/iot/strange.py')}: CPython runs the source of")
        assert "compile it here, or run the device by MicroPython" in error[1]


@pytest.mark.parametrize("flash", ["littlefs", "folder"])
async def test_a_device_as_deployed_starts(
    tmp_path: Path, world: World, micropython: str | None, flash: str
) -> None:
    device = Device(tmp_path / "device", world, micropython=micropython, flash=flash)
    device.deploy()
    assert sorted(file.name for file in device.files.iterdir()) == [path[1:] for path in sorted(deployed())]
    async with device:
        await device.expect("system: mode CONFIG")
    device.deploy({"firmware/settings.py": "VERSION = missing\n"})
    async with device:
        await device.expect(r'^  File "/pack/firmware/settings.mpy", line 1')


def test_files_that_would_win_are_no_place_for_a_pack(tmp_path: Path, world: World) -> None:
    device = Device(tmp_path / "device", world)
    device.install()
    with pytest.raises(FileExistsError, match="the firmware is there as files, which would win"):
        device.deploy()


async def test_where_modules_are_files_the_factory_runs(device: Device) -> None:
    """Though the reader of packs is there, too."""
    device.install()
    program = b"import sys\nfrom iot.ota import slots\nprint('pack' in sys.modules, slots.running())\n"
    put(device, {"main.py": program})
    async with device:
        await device.expect("^True 0$")
