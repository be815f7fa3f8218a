"""Gives names that only the library's own modules call each other by, names that MicroPython has in ROM anyway.

Beside tools.board.private, which does that for what is one module's alone. MicroPython keeps every other name
for ever, and takes 4.5 KB for the 621st on a chip: those of an application count, too. The list is kept in
shared_names.txt, so that a name stays what it is from one build to the next, and an update small.

`.venv/bin/python -m tools.board.shared` writes it anew where the library's names have changed.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from .parameters import renamed
from .parsing import parse
from .start import order, source

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("shared_names.txt")
# Names of MicroPython's own that neither the library nor what it works with uses, and that nothing looks for
# in an object of ours: the VM from npm and the images of 1.25 and later have them all (tests/vm/test_shared.py).
IN_ROM = """
AUTO BFINT16 BFINT32 BFINT8 BFUINT16 BFUINT32 BFUINT8 BF_LEN BF_POS BIG_ENDIAN EACCES EADDRINUSE EALREADY
EBADF ECONNABORTED ECONNREFUSED EEXIST EHOSTUNREACH EINPROGRESS EINVAL EIO EISDIR ENOBUFS ENODEV ENOTCONN
EOPNOTSUPP EPERM FLOAT32 FLOAT64 FileIO FrameBuffer FrameBuffer1 GS2_HMSB GS4_HMSB GS8 GZIP IOBase
LITTLE_ENDIAN Loop MONO_HLSB MONO_HMSB MONO_VLSB MVLSB NATIVE OrderedDict POLLERR POLLHUP POLLIN POLLOUT PTR
RGB565 RingIO SingletonGenerator Task TaskQueue TextIOWrapper UINT UINT64 ULONG ULONGLONG USHORT VOID ZLIB
abs_tol acos acosh addressof appendleft asin asinh atan atan2 atanh blit block_size bytearray_at byteorder
bytes_at calcsize call_exception_handler ceil cmath copysign cur_task default_exception_handler dict_view
ellipse erf erfc errorcode execfile expm1 fabs fill fill_rect floor fmod framebuf frexp funcs get_event_loop
get_exception_handler getrandbits heap_lock heap_unlock heapify heappop heappush heapq hline ilistdir
intersection intersection_update ipoll isclose isdisjoint isenabled isfinite isinf islower isnan issubset
issuperset isupper keepends ldexp lgamma libc_ver localtime log10 log2 modf namedtuple opt_level polar poly
qstr_info queue_read radians rel_tol return_exceptions scroll set_exception_handler sizeof sleep_us
splitlines sqrt symmetric_difference ticks_cpu ticks_us time_ns trunc uctypes union unregister vline
wait_for
""".split()  # noqa: SIM905
# What an application has in its hands, each with its methods.
_API = ("thing", "application", "log", "events", "https", "storage/user_bytes", "ble/packets", "work/job", "work/command")


def in_rom(module: bytes) -> bytes:
    """A compiled module of the library's with the names of the list in ROM."""
    return renamed(module, _kept())


def own_names() -> dict[str, str]:
    """What those names of MicroPython's stand for in the library's modules."""
    return {rom.decode(): own.decode() for own, rom in _kept().items()}


@cache
def _kept() -> dict[bytes, bytes]:
    pairs = (line.split() for line in LIST.read_bytes().splitlines()) if LIST.exists() else ()
    return {own: rom for own, rom in pairs}


def candidates() -> set[str]:
    """Names that the library gives, and that nobody else can mean."""
    trees = {file: parse(file.read_bytes()) for file in (ROOT / "lib/iot").rglob("*.py")}
    given = set(chain.from_iterable(map(_given, trees.values())))
    return {
        name
        for name in given - set(chain.from_iterable(map(_texts, trees.values()))) - _others()
        if not name.startswith("_") and len(name) > 1
    }


def _given(tree: ast.Module) -> Iterator[str]:
    """Names of functions, classes, globals, attributes and parameters; of an exception's class, which is told, not."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name
            case ast.ClassDef() if not any(re.search("Error|Exception", ast.unparse(base)) for base in node.bases):
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case ast.arg():
                yield node.arg


def _texts(tree: ast.Module) -> Iterator[str]:
    """All words of texts that may stand for names: of JSON, events, attributes; and of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value, *node.value.split("."))
        elif isinstance(node, ast.alias):
            yield node.asname or ""
        elif isinstance(node, ast.ClassDef) and any(re.search("Error|Exception", ast.unparse(b)) for b in node.bases):
            yield node.name


def _others() -> set[str]:
    """Words of all that works with the library and is not compiled with it, and what it calls itself."""
    files = [
        *(ROOT / name for name in ("boot.py", "main.py", "lib/pack.py")),
        *(ROOT / "firmware").rglob("*.py"),
        *(ROOT / "tests/board").rglob("*.py"),
        *(ROOT / "tests/vm").glob("*.py"),
        *(ROOT / "lib/iot/ble").rglob("*.py"),  # what it calls is aioble's
    ]
    words = set(chain.from_iterable(re.findall(r"\w+", file.read_text("utf-8")) for file in files))
    for file in (ROOT / ".venv/stubs").rglob("*.pyi"):  # MicroPython's
        words.update(_given(parse(file.read_bytes())))
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"):
        for code in re.findall(r"```.*?```|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL):
            words.update(re.findall(r"\w+", code))
    for module in _API:
        words.update(_given(parse((ROOT / f"lib/iot/{module}.py").read_bytes())))
    for file in (ROOT / "lib/iot").rglob("*"):  # modules and packages
        words.add(file.stem)
    return words


def chosen() -> dict[str, str]:
    """Of those as many as MicroPython has names for, what a start loads first; what the list has, keeps its own."""
    names, first = candidates(), _words_of_a_start()
    kept = {own.decode(): rom.decode() for own, rom in _kept().items() if own.decode() in names}
    new = sorted(names - kept.keys(), key=lambda name: (name not in first, name))
    return kept | dict(zip(new, (rom for rom in IN_ROM if rom not in kept.values()), strict=False))


def _words_of_a_start() -> set[str]:
    files = filter(None, map(source, order()))
    return set(chain.from_iterable(re.findall(r"\w+", file.read_text("utf-8")) for file in files))


def main() -> None:
    """Write the list anew."""
    LIST.write_text("".join(f"{own} {rom}\n" for own, rom in sorted(chosen().items())), encoding="utf-8")


if __name__ == "__main__":
    main()
