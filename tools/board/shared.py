"""Gives what only the library's modules call each other by, names that MicroPython has in ROM anyway.

Beside tools.board.private, which does that for what is one module's alone. MicroPython keeps every other name
for ever, and takes 4.5 KB for the 621st on a chip: those of an application count, too. The list is kept in
shared_names.txt, so that a name stays what it is from one build to the next, and an update small.

`.venv/bin/python -m tools.board.shared` writes it anew where the library's names have changed.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from tools import application

from .mpy import renamed
from .parsing import parse
from .private import given
from .start import order, source

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("shared_names.txt")
# Names of MicroPython's own that neither the library nor what it works with uses, and that nothing looks for
# in an object of ours. The VM from npm and the images of 1.25 and later have them (tests/vm/test_shared.py).
IN_ROM = """
AUTO BFINT16 BFINT32 BFINT8 BFUINT16 BFUINT32 BFUINT8 BF_LEN BF_POS BIG_ENDIAN EACCES EADDRINUSE EALREADY
EBADF ECONNABORTED ECONNREFUSED EEXIST EHOSTUNREACH EINPROGRESS EINVAL EIO EISDIR ENOBUFS ENODEV ENOTCONN
EOPNOTSUPP EPERM FLOAT32 FLOAT64 FileIO FrameBuffer FrameBuffer1 GS2_HMSB GS4_HMSB GS8 GZIP IOBase
LITTLE_ENDIAN Loop MONO_HLSB MONO_HMSB MONO_VLSB MVLSB NATIVE OrderedDict POLLERR POLLHUP POLLIN POLLOUT PTR
RGB565 RingIO SingletonGenerator Task TaskQueue TextIOWrapper UINT UINT64 ULONG ULONGLONG USHORT VOID ZLIB
abs_tol acos acosh addressof appendleft asin asinh atan atan2 atanh blit block_size byteorder
bytes_at calcsize call_exception_handler ceil cmath copysign cur_task default_exception_handler dict_view
ellipse erf erfc errorcode execfile expm1 fabs fill fill_rect floor fmod framebuf frexp funcs get_event_loop
get_exception_handler getrandbits heap_lock heap_unlock heapify heappop heappush heapq hline ilistdir
intersection intersection_update ipoll isclose isdisjoint isenabled isfinite isinf islower isnan issubset
issuperset isupper keepends ldexp lgamma libc_ver localtime log10 log2 modf namedtuple opt_level polar poly
qstr_info queue_read radians rel_tol return_exceptions scroll set_exception_handler sizeof sleep_us
splitlines sqrt symmetric_difference ticks_cpu ticks_us time_ns trunc union unregister vline
wait_for
""".split()  # noqa: SIM905
# What an application has in its hands, each with its methods.
_API = (
    "thing", "application", "log", "events", "https", "storage/user_bytes", "ble/packets", "work/job",
    "work/command",
)  # fmt: skip


def in_rom(module: bytes) -> bytes:
    """A compiled module of the library's with the names of the list in ROM."""
    return renamed(module, in_use())


def own_names() -> dict[str, str]:
    """What those names of MicroPython's stand for in the library's modules."""
    return {rom.decode(): own.decode() for own, rom in in_use().items()}


@cache
def in_use() -> dict[bytes, bytes]:
    """The list, without the words of the application: whatever it takes up, it finds."""
    folder = application.folder(ROOT)
    words = _words(file for file in application.files(folder) if file.suffix == ".py")
    return {own.encode(): rom.encode() for own, rom in listed().items() if own not in words}


def listed() -> dict[str, str]:
    """What the list has: names of the library's, and MicroPython's in their place."""
    return dict(line.split() for line in LIST.read_text("utf-8").splitlines())


def chosen() -> dict[str, str]:
    """What the list has to have: what it has, stays, and then what a start loads comes first."""
    names, first = candidates(), _words(filter(None, map(source, order())))
    kept = {own: rom for own, rom in listed().items() if own in names}
    new = sorted(names - kept.keys(), key=lambda name: (name not in first, name))
    return kept | dict(zip(new, (rom for rom in IN_ROM if rom not in kept.values()), strict=False))


def candidates() -> set[str]:
    """Names that the library gives, and that nobody else can mean."""
    trees = [parse(file.read_bytes()) for file in (ROOT / "lib/iot").rglob("*.py")]
    names = set(chain.from_iterable(map(_given, trees)))
    names -= set(chain.from_iterable(map(_told, trees))) | set(_gathered(trees)) | _others()
    return {name for name in names if len(name) > 1 and not name.startswith("_")}


def _given(tree: ast.Module) -> Iterator[str]:
    """Names of functions, classes, globals, attributes and parameters."""
    yield from given(tree)
    yield from (node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))


def _told(tree: ast.Module) -> Iterator[str]:
    """Words of texts, which may stand for names: of attributes, of members of JSON; names of exceptions."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield from (text, *text.split("."))
            case ast.ClassDef() if re.search("Error|Exception", " ".join(map(ast.unparse, node.bases))):
                yield node.name


def _gathered(trees: list[ast.Module]) -> Iterator[str]:
    """What is passed by name to functions that take any names, of which they make texts."""
    nodes = list(chain.from_iterable(map(ast.walk, trees)))
    functions = [
        node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.kwarg
    ]
    gather = {function.name for function in functions} | {"dict"}
    gather |= {node.name for node in nodes if isinstance(node, ast.ClassDef) and {*node.body} & {*functions}}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in gather:
                yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def _others() -> set[str]:
    """Words of all that works with the library and is not compiled with it, and of what it is known by."""
    words = _words(
        [
            *(ROOT / name for name in ("boot.py", "main.py", "lib/pack.py")),
            *(ROOT / "firmware").rglob("*.py"),
            *(ROOT / "lib/iot/ble").rglob("*.py"),  # what it calls is aioble's
            *(ROOT / "tests/board").rglob("*.py"),
            *(ROOT / "tests/vm").glob("*.py"),
            ROOT / "tools/bench/update_heap.py",
        ]
    )
    for file in (ROOT / ".venv/stubs").rglob("*.pyi"):  # MicroPython's
        words.update(_given(parse(file.read_bytes())))
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"):
        for code in re.findall(r"```.*?```|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL):
            words.update(re.findall(r"\w+", code))
    for module in _API:
        words.update(_given(parse((ROOT / f"lib/iot/{module}.py").read_bytes())))
    return words | {file.stem for file in (ROOT / "lib/iot").rglob("*")}  # modules and packages


def _words(files: Iterable[Path]) -> set[str]:
    return set(chain.from_iterable(re.findall(r"\w+", file.read_text("utf-8")) for file in files))


def main() -> None:
    """Write the list anew."""
    LIST.write_text("".join(f"{own} {rom}\n" for own, rom in sorted(chosen().items())), encoding="utf-8")


if __name__ == "__main__":
    main()
