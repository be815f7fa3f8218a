"""Every device file compiles for the chip."""

from pathlib import Path

import pytest

from tools.board import files

FILES = files.device_files()


def test_the_device_has_files() -> None:
    assert {"main.py", "boot.py", "lib/pack.py", "firmware/app.py", "lib/iot/system.py"} <= {
        file.as_posix() for file in FILES
    }


@pytest.mark.parametrize("file", FILES, ids=str)
def test_compiles_for_the_chip(file: Path) -> None:
    module = files.compile_for_chip((files.ROOT / file).read_bytes(), file.as_posix())
    assert module[:2] == bytes((ord("M"), files.mpy_version()))
    assert files.name_on_device(file.as_posix()).encode() in module, "its tracebacks would not name it"


@pytest.mark.parametrize(
    ("file", "path", "name"),
    [
        ("lib/iot/mqtt/client.py", "/pack/iot/mqtt/client.mpy", "iot.mqtt.client"),
        ("firmware/app.py", "/pack/firmware/app.mpy", ""),
        ("aioble/core.py", "/pack/aioble/core.mpy", ""),
        ("lib/pack.py", "/pack.mpy", ""),
    ],
)
def test_tracebacks_call_a_module_what_it_or_its_file_is_called(file: str, path: str, name: str) -> None:
    assert files.path_on_device(file) == path
    assert files.name_on_device(file) == (name or path)


def test_tells_where_a_file_does_not_compile() -> None:
    with pytest.raises(files.CompileError, match=r'"lib/bad\.py", line 2'):
        files.compile_for_chip(b"def f():\n    return 1 +\n", "lib/bad.py")
