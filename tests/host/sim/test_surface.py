"""Nothing exists in simulation that an ESP32 does not have: the shims against the ESP32's stubs."""

import ast
import sys
from pathlib import Path

import pytest

from tools.sim import Device
from tools.sim.cpython import aio

ROOT = Path(__file__).resolve().parents[3]
STUBS = Path(sys.prefix) / "stubs"
# Those whose names begin with _ are the simulator's own, but for these, which stand for built-in modules.
IN_PLACE_OF = {"_gc": "gc", "_micropython": "micropython", "_onewire": "_onewire", "_threads": "_thread"}
OTHERS = {"camera"}  # of images that are not MicroPython's own, and have no stubs
SHIMS = sorted(
    path
    for folder in ("tools/sim/shims", "tools/sim/shims/radio")
    for path in (ROOT / folder).glob("*.py")
    if (not path.name.startswith("_") or path.stem in IN_PLACE_OF) and path.stem not in OTHERS
)
LANGUAGE = [
    ROOT / "tools/sim/cpython" / name
    for name in ("heap.py", "micropython.py", "tls.py", "ticks.py", "uio.py", "usocket.py")
]
STUB_OF = IN_PLACE_OF | {
    "heap": "gc",
    "os": "stdlib/os/__init__",
    "ssl": "stdlib/ssl",
    "ticks": "time",
    "tls": "stdlib/ssl",
    "uio": "stdlib/io",
    "usocket": "socket",
}
OURS = {"pending", "wants_write"}  # of a TLS socket, for our own asyncio
OURS |= {"fileno", "ioctl"}  # of a UART, which is a stream that is written in Python
# What the stubs have only as the documentation of all ports has it, and ports/esp32 of v1.25.0 takes.
ESP32 = {
    *("machine.PWM.__init__: argument duty", "machine.PWM.__init__: 3 positional arguments"),
    *("machine.PWM.init: argument duty", "machine.PWM.init: 2 positional arguments"),
    *("machine.ADC.__init__: argument atten", "machine.I2C.__init__: argument timeout"),
    *("machine.UART.init: argument flow", "machine.UART.__init__: any keyword argument"),
    "machine.Timer.__init__: any keyword argument",
}

# What extmod/asyncio/__init__.py of MicroPython has; its stubs are CPython's and show too much.
ASYNCIO = {
    *("CancelledError", "Event", "Lock", "Loop", "StreamReader", "StreamWriter", "Task", "ThreadSafeFlag"),
    *("TimeoutError", "create_task", "current_task", "gather", "get_event_loop", "new_event_loop"),
    *("open_connection", "run", "sleep", "sleep_ms", "wait_for", "wait_for_ms"),
}

Members = dict[str, list[ast.stmt]]


def members(body: list[ast.stmt]) -> Members:
    """What a module or a class defines, by name; a function's overloads one after another."""
    found: Members = {}
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            for name, nodes in members(node.body).items():
                found.setdefault(name, []).extend(nodes)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        found.setdefault(part.id, []).append(node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, []).append(node)
    if "__new__" in found:
        found.setdefault("__init__", found["__new__"])
    return found


def public(found: Members) -> Members:
    return {
        name: nodes
        for name, nodes in found.items()
        if name not in OURS and (name in ("__init__", "__call__") or not name.startswith("_"))
    }


def functions(nodes: list[ast.stmt]) -> list[ast.arguments]:
    return [node.args for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def loaded_later(path: Path, ours: Members) -> Members:
    """What a module's `__getattr__` gets out of other files, by its table _LATER."""
    table = next((node.value for node in ours.get("_LATER", []) if isinstance(node, ast.Assign)), None)
    found: Members = {}
    for name, file in ast.literal_eval(table).items() if table else ():
        found[name] = members(ast.parse(path.with_stem(file).read_text()).body)[name]
    return found


def names(arguments: ast.arguments) -> set[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {argument.arg for argument in every}


def differences(where: str, ours: list[ast.arguments], stub: list[ast.arguments]) -> list[str]:
    """Arguments that ours takes and no overload of the stub does."""
    if any(overload.vararg and overload.kwarg for overload in stub):
        return []  # the stub does not know them
    known = {"cls"}.union(*(names(overload) for overload in stub))
    nameless = max(len(overload.posonlyargs) for overload in stub)  # MicroPython has no syntax for that
    found = []
    for mine in ours:
        named = {argument.arg for argument in [*mine.args[nameless:], *mine.kwonlyargs]}
        found += [f"{where}: argument {name}" for name in sorted(named - known)]
    most = max(len(overload.posonlyargs) + len(overload.args) for overload in stub)
    for mine in ours:
        if mine.kwarg and not any(overload.kwarg for overload in stub):
            found.append(f"{where}: any keyword argument")
        if len(mine.args) > most and not any(overload.vararg for overload in stub):
            found.append(f"{where}: {len(mine.args)} positional arguments")
    return found


def compare(where: str, ours: Members, stub: Members) -> list[str]:
    found = []
    for name, nodes in public(ours).items():
        place = f"{where}.{name}"
        if name not in stub:
            found.append(place)
        elif isinstance(nodes[0], ast.ClassDef):
            theirs = [node for node in stub[name] if isinstance(node, ast.ClassDef)]
            found += compare(place, members(nodes[0].body), members(theirs[0].body))
        elif functions(nodes) and functions(stub[name]):
            found += differences(place, functions(nodes), functions(stub[name]))
        elif isinstance(nodes[0], ast.Assign):
            found += constants(place, nodes[0], stub[name][0])
    return found


def constants(place: str, ours: ast.Assign, stub: ast.stmt) -> list[str]:
    values = [node.value for node in (ours, stub) if isinstance(node, ast.Assign | ast.AnnAssign)]
    known = [value.value for value in values if isinstance(value, ast.Constant)]
    return [f"{place}: {known[0]!r}, not {known[1]!r}"] if len(known) == 2 and known[0] != known[1] else []


@pytest.mark.parametrize("path", [*SHIMS, *LANGUAGE], ids=lambda path: path.stem)
def test_a_module_has_nothing_that_the_stubs_do_not_have(path: Path) -> None:
    stub = (STUBS / STUB_OF.get(path.stem, path.stem)).with_suffix(".pyi")
    ours, theirs = (members(ast.parse(file.read_text()).body) for file in (path, stub))
    if path.name in ("heap.py", "tls.py", "uio.py", "usocket.py"):  # they also use CPython's
        shown = next(node.value for node in ours["__all__"] if isinstance(node, ast.Assign))
        ours = {name: ours[name] for name in ast.literal_eval(shown)}
    found = compare(path.stem, ours | loaded_later(path, ours), theirs)
    assert set(found) == {line for line in ESP32 if line.startswith(path.stem + ".")}


def test_what_is_loaded_later_is_compared_too() -> None:
    path = ROOT / "tools/sim/shims/machine.py"
    later = loaded_later(path, members(ast.parse(path.read_text()).body))
    assert {"ADC", "PWM", "I2C", "SoftI2C", "SPI", "UART", "Timer", "TouchPad"} <= later.keys()
    assert all(isinstance(nodes[0], ast.ClassDef) for nodes in later.values())


def test_the_comparison_finds_what_is_too_much() -> None:
    ours = ast.parse("LIMIT = 3\ndef f(a, b, c): pass\ndef g(): pass\nclass C:\n    def h(self): pass")
    stub = ast.parse("LIMIT: int = 4\ndef f(a, b): ...\nclass C: ...")
    assert compare("m", members(ours.body), members(stub.body)) == [
        "m.LIMIT: 3, not 4",
        "m.f: argument c",
        "m.f: 3 positional arguments",
        "m.g",
        "m.C.h",
    ]


def test_asyncio_has_nothing_that_micropython_does_not_have() -> None:
    assert set(aio.__all__) == ASYNCIO
    assert {name for name in vars(aio) if not name.startswith("_")} <= ASYNCIO | {"Stream"}


async def test_a_device_sees_no_more_of_asyncio_gc_threads_and_os(device: Device, run) -> None:
    """On MicroPython this is the real surface, on CPython ours: what is asked for here is the same."""
    lines = await run(
        f"""
        import _thread, asyncio, gc, io, micropython, os, ssl, time
        for module, names in (
            (_thread, ("allocate_lock", "get_ident", "stack_size", "start_new_thread")),
            (gc, ("collect", "mem_alloc", "mem_free", "threshold")),
            (io, ("BytesIO", "IOBase", "StringIO")),
            (micropython, ("const", "mem_info", "opt_level")),
            (os, ("dupterm", "ilistdir", "rename", "urandom")),
        ):
            for name in names:
                getattr(module, name)
        for name in {sorted(ASYNCIO)}:
            getattr(asyncio, name)
        for name in ("Queue", "Semaphore", "Condition", "TaskGroup", "timeout", "to_thread", "shield"):
            assert not hasattr(asyncio, name), name
        for module, names in (
            (os, ("path", "environ", "walk", "makedirs", "fsync")),
            (gc, ("get_objects", "freeze")),
            (_thread, ("RLock", "start_new", "interrupt_main")),
            (io, ("TextIOBase", "SEEK_SET", "RawIOBase")),
            (ssl, ("create_default_context", "SSLError")),
            (time, ("monotonic", "perf_counter", "strftime")),
        ):
            for name in names:
                assert not hasattr(module, name), name
        print("seen")
        """
    )
    assert lines == ["seen"]
