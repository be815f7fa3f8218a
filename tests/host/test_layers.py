"""The house: device modules import downwards, only what a stock ESP32 has, and do nothing when imported.

`python3 -m tests.host.test_layers` writes the picture of the rooms anew, in docs/house.md.
"""

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tools import application

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 350
PAGE = ROOT / "docs/house.md"

# The rooms of lib/iot, top floor first: a folder is a room, and a module beside it is one of its own. A room
# is entered from above, never from its side nor from below: what two rooms need lies below both. A new room
# needs a floor, the lowest that does.
FLOORS = (
    ("system",),
    ("transitions",),
    ("services",),
    ("aws", "azure", "clearblade", "alibaba", "broker", "ble", "console", "rescue"),
    ("clouds",),
    ("work",),
    ("ota",),
    ("https",),
    ("config", "tls"),
    ("sections",),
    ("clock", "wifi", "identity", "probation", "starving", "deaths", "trust"),
    ("storage", "mqtt", "application", "thing"),
    ("crypto", "events", "log", "backoff", "modes", "heap", "bt_memory", "jsontext", "endings"),
    ("memory",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(reversed(FLOORS)) for room in rooms}
# These make the client; what speaks AWS with it is handed it.
CONNECT = ("iot.aws.claim", "iot.aws.entry", "iot.aws.cloud", "iot.aws.greengrass", "iot.aws.line")
PEERS = ("mqtt", "tls", "wifi", "clock")
# Beside the floors: the application gets iot handed in, and the scripts that the chip starts know the top.
MAY_IMPORT = {
    "boot": ("pack",),
    "pack": (),
    "main": ("iot.heap", "iot.memory", "iot.system", "iot.rescue.life", "firmware"),
    "firmware": ("firmware",),
}
# Bluetooth LE has one module, and one that keeps others from it; aioble is deployed with the product.
ONE_USER = {"aioble": ("iot.ble.service",), "bluetooth": ("iot.ble.service", "iot.bt_memory")}
# Not every chip has Bluetooth (ESP32-S2), a board need not have aioble, nor a pack, nor a product a root for
# its updates: importing it shows that.
MAY_MISS = {"iot.ble.config_mode": "ImportError", "boot": "ImportError", "iot.ota.kept": "ImportError"}
SCRIPTS = ("boot", "main")  # they run when imported: that is what they are for

# What the ESP32_GENERIC image of MicroPython v1.25 has, built in or frozen.
STOCK = frozenset(
    """
    _thread aioespnow array asyncio binascii btree cmath collections cryptolib deflate dht
    ds18x20 errno esp esp32 espnow framebuf gc hashlib heapq io json machine math micropython mip
    neopixel network ntptime onewire os platform random re requests select socket ssl struct sys time
    tls uctypes umqtt vfs webrepl websocket
    """.split()  # noqa: SIM905
)
# Branches that tell a simulation, a test or a host from a chip would hinge on one of these names.
TEST_BRANCH = re.compile(
    r"simulat|emulat|cpython|pytest|unittest|mock|under_test|testing|^platform$|^ImportError$"
)


@cache
def device_files() -> Mapping[str, str]:
    """All device sources by their module's name."""
    files = [
        ROOT / "boot.py",
        ROOT / "main.py",
        *(file for file in application.files(ROOT) if file.suffix == ".py"),
        *(ROOT / "lib").rglob("*.py"),
    ]
    return {module_name(file): file.read_text() for file in files}


def module_name(file: Path) -> str:
    base = ROOT / "lib" if file.is_relative_to(ROOT / "lib") else ROOT
    return ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def top(name: str) -> str:
    return name.partition(".")[0]


def room(name: str) -> str:
    """The room of a module of iot: the first part of its name there; of iot itself none, ""."""
    return name.partition(".")[2].partition(".")[0]


def breaches(name: str, source: str) -> Iterator[str]:
    """Everything in one module that breaks the rules of the house."""
    tree = ast.parse(source)
    package = top(name)
    if package not in MAY_IMPORT and name != "iot" and room(name) not in FLOOR_OF:
        yield f"{name}: has no floor"
        return
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        yield f"{name}: {lines} lines, {MAX_LINES} at most"
    for line, imported in imports(name, tree):
        if reason := import_breach(name, imported):
            yield f"{name}:{line}: {reason}"
    for node in ast.walk(tree):
        for word in names_in(node):
            if TEST_BRANCH.search(word) and MAY_MISS.get(name) != word:
                yield f"{name}:{getattr(node, 'lineno', 0)}: {word}: device code does not ask where it runs"
        if isinstance(node, ast.Global):
            yield f"{name}:{node.lineno}: global: no module-level state"
        if isinstance(node, ast.Raise) and node.cause:
            yield f"{name}:{node.lineno}: raise … from: MicroPython prints a warning instead"
    if name not in SCRIPTS:
        for line, reason in import_effects(tree.body):
            yield f"{name}:{line}: {reason}"


def imports(name: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """All imports of a module, wherever they stand, as absolute names of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = name.split(".")[: -node.level] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield node.lineno, inner if inner in device_files() or node.module is None else module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "load",
            "borrow",
            "need",
        ):  # of iot.memory, of iot.rescue
            constants = [name for name in node.args if isinstance(name, ast.Constant)]
            yield from ((node.lineno, str(name.value)) for name in constants)  # others: what modes.py lists


def import_breach(name: str, imported: str) -> str | None:
    package, target = top(name), top(imported)
    if target in STOCK or name in ONE_USER.get(target, ()):
        return None
    if package in MAY_IMPORT:
        allowed = MAY_IMPORT[package]
        return None if imported in allowed or target in allowed else f"{package} may not import {imported}"
    if target != "iot" or imported not in device_files() or not room(imported):
        return f"{imported} is not on a stock ESP32, nor a module of iot"
    here, there = room(name), room(imported)
    if here == "aws" and name not in CONNECT and there in PEERS:
        return f"{imported}: what speaks AWS is handed its client and knows no peer"
    if here == there or FLOOR_OF[there] < FLOOR_OF[here]:
        return None
    side = "its side" if FLOOR_OF[there] == FLOOR_OF[here] else "below"
    return f"{here} may not enter {there} from {side}, for {imported}"


def importers(files: Mapping[str, str]) -> dict[str, set[str]]:
    """What of iot each module of iot imports."""
    return {
        name: {imported for _, imported in imports(name, ast.parse(source)) if imported != name}
        & device_files().keys()
        for name, source in files.items()
        if top(name) == "iot"
    }


def circle(imported: dict[str, set[str]]) -> str | None:
    """A breach for modules that import each other in a circle, wherever the imports stand; None for none."""
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return "a circle of imports: " + " < ".join(error.args[1])
    return None


def picture() -> str:
    """The rooms on their floors as they stand, each with those that it enters; `memory` every room may."""
    entered: dict[str, set[str]] = {name: set() for name in FLOOR_OF}
    for name, imported in graph().items():
        if room(name):
            entered[room(name)] |= {room(other) for other in imported} - {room(name), "memory"}
    folders = {room(name) for name in device_files() if name.count(".") > 1}
    wall, lines = 100 * "─", []
    for rooms in FLOORS:
        lines.append(wall)
        shown = {name: name + "/" if name in folders else name for name in rooms}
        for name in rooms:
            if below := " ".join(sorted(entered[name], key=lambda other: (-FLOOR_OF[other], other))):
                lines += textwrap.wrap(f"{shown[name]:15} ▸ {below}", len(wall), subsequent_indent=18 * " ")
        lines += textwrap.wrap(" ".join(shown[name] for name in rooms if not entered[name]), len(wall))
    return "\n".join([*lines, wall, ""])


@cache
def graph() -> dict[str, set[str]]:
    """`importers` of the device's code."""
    return importers(device_files())


def with_picture(page: str) -> str:
    """The page, with the picture in the place of its first block."""
    return re.sub(r"(?s)^```\n.*?^```$", lambda _: f"```\n{picture()}```", page, count=1, flags=re.M)


def names_in(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word) | ast.keyword(arg=str(word)):
            return [word]
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=module, names=aliases):
            return [module or "", *(alias.name for alias in aliases)]
    return []


def import_effects(body: list[ast.stmt], *, in_class: bool = False) -> Iterator[tuple[int, str]]:
    """What importing a module would do beyond naming constants, functions and classes."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(value=ast.Constant()):
                continue
            case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args):
                yield from calls(*node.decorator_list, *args.defaults, *filter(None, args.kw_defaults))
            case ast.ClassDef():
                yield from calls(*node.decorator_list, *node.bases)
                yield from import_effects(node.body, in_class=True)
            case ast.Assign(targets=targets, value=value):
                for target in ast.walk(ast.Tuple(targets)):
                    if isinstance(target, ast.Name) and not in_class and target.id != target.id.upper():
                        yield node.lineno, f"{target.id}: module-level names are constants, in capitals"
                yield from calls(value)
            case _:
                yield node.lineno, f"{type(node).__name__} runs at import"


def calls(*expressions: ast.expr) -> Iterator[tuple[int, str]]:
    for node in (node for expression in expressions for node in evaluated(expression)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in ("const", "micropython.const"):
            yield node.lineno, f"{ast.unparse(node.func)}() is called at import"


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, but for what a lambda does when it is called."""
    yield node
    if not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from evaluated(child)


def test_device_code_keeps_the_house_in_order() -> None:
    found = [breach for name, source in device_files().items() for breach in breaches(name, source)]
    assert not found, "\n" + "\n".join(found)
    assert (found_circle := circle(graph())) is None, found_circle
    print("\n" + picture())


def reached(name: str) -> set[str]:
    """All modules of iot that a module comes to, by whatever ways."""
    found: set[str] = set()
    waiting = {name}
    while waiting:
        found |= (module := {waiting.pop()})
        waiting |= set().union(*(graph()[one] for one in module)) - found
    return found


def test_the_rescue_shares_no_network_code_with_the_normal_client() -> None:
    """Nor what judges and keeps for it: what is broken there must not take it down."""
    rescue = {name for name in graph() if room(name) == "rescue"}
    rooms = {room(other) for name in rescue for other in reached(name)}
    assert "rescue" in rooms and "ota" in rooms
    assert not rooms & {"mqtt", "wifi", "aws", "tls", "trust", "clock", "system", "transitions", "events"}
    assert reached("iot.transitions") & rescue and "iot.mqtt.client" in reached("iot.transitions")


def test_every_room_exists_and_has_one_floor() -> None:
    assert sorted(FLOOR_OF) == sorted(name for rooms in FLOORS for name in rooms)
    assert set(FLOOR_OF) == {room(name) for name in graph()} - {""}


def test_the_page_shows_the_house_as_it_is() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_picture(page), "python3 -m tests.host.test_layers writes it anew"


CLEAN = '''
"""Doc."""
import asyncio
from micropython import const
from . import packet
from iot.log import Log

_LIMIT = const(3)
TABLE = {("a", "b"): "c"}

class Client:
    depth = 8

    @property
    def a(self, b=_LIMIT, c=lambda d: int(d)):
        import machine
        return machine.Pin(b)
'''


def test_a_clean_module_has_no_breach() -> None:
    assert list(breaches("iot.mqtt.client", CLEAN)) == []


@pytest.mark.parametrize(
    ("name", "source", "breach"),
    [
        ("iot.new", "", "iot.new: has no floor"),
        ("iot.ble.setup", "import aioble", "aioble is not on a stock ESP32"),
        ("iot.ble.setup", "import bluetooth", "bluetooth is not on a stock ESP32"),
        (
            "iot.storage.user_bytes",
            "import iot.wifi.station",
            "storage may not enter wifi from below, for iot.wifi.station",
        ),
        ("iot.wifi.station", "from iot.clock import keeper", "wifi may not enter clock from its side"),
        (
            "iot.wifi.station",
            'load("iot.clock.keeper")',
            "wifi may not enter clock from its side, for iot.clock.keeper",
        ),
        (
            "iot.wifi.station",
            "from iot.clock.keeper import Clock",
            "wifi may not enter clock from its side, for iot.clock.keeper",
        ),
        (
            "iot.mqtt.packet",
            "from .unclaimed import Unclaimed",
            "iot.mqtt.packet < iot.mqtt.unclaimed",
        ),
        ("iot.mqtt.packet", "def f():\n  borrow('iot.mqtt.client').x()", "a circle of imports: "),
        ("iot.mqtt.packet", "from . import client", "a circle of imports: "),
        ("iot.mqtt.packet", "from ..wifi.station import Wifi", "mqtt may not enter wifi from below"),
        ("iot.thing", "def f():\n  from iot.ble import packets", "iot.thing:2: thing may not enter ble from"),
        ("iot.ble.config_mode", "from iot import console", "ble may not enter console from its side"),
        ("iot.aws.shadow", "import iot.wifi.station", "is handed its client"),
        ("iot.aws.provisioning", "from iot.mqtt.client import Client", "is handed its client"),
        (
            "iot.config",
            "def f():\n  import iot.system",
            "iot.config:2: config may not enter system from below",
        ),
        ("iot.system", "import firmware.app", "firmware.app is not on a stock ESP32"),
        ("iot.system", "from tools import cloud", "tools is not on a stock ESP32"),
        ("iot.config", "from typing import Any", "typing is not on a stock ESP32"),
        ("iot.config", "import ujson", "ujson is not on a stock ESP32"),
        ("firmware.app", "from iot import events", "firmware may not import iot.events"),
        ("firmware.app", "import main", "firmware may not import main"),
        ("main", "import iot.wifi.station", "main may not import iot.wifi.station"),
        ("boot", "import iot.system", "boot may not import iot.system"),
        ("pack", "import iot.log", "pack may not import iot.log"),
        ("iot.wifi.station", "import pack", "pack is not on a stock ESP32"),
        (
            "iot.wifi.station",
            "import network\nWLAN = network.WLAN(0)",
            "iot.wifi.station:2: network.WLAN() is called at import",
        ),
        ("iot.wifi.station", "def f(pin=Pin(2)): pass", "Pin() is called at import"),
        ("iot.wifi.station", "class A:\n  pin = Pin(2)", "iot.wifi.station:2: Pin() is called at import"),
        ("iot.wifi.station", "f()", "Expr runs at import"),
        ("iot.wifi.station", "try:\n  import network\nexcept OSError:\n  pass", "Try runs at import"),
        ("iot.wifi.station", "state = []", "state: module-level names are constants"),
        ("iot.wifi.station", "def f():\n  global A\n  A = 1", "no module-level state"),
        (
            "iot.wifi.station",
            "import sys\ndef f():\n  return sys.platform",
            "iot.wifi.station:3: platform: device code does not ask",
        ),
        ("iot.wifi.station", "def f():\n  raise A from None", "iot.wifi.station:2: raise … from"),
        ("iot.wifi.station", "def f(simulated): pass", "simulated: device code does not ask"),
        (
            "iot.wifi.station",
            "def f():\n  try:\n    import network\n  except ImportError:\n    pass",
            "ImportError",
        ),
        ("firmware.app", "\n" * 351, "351 lines, 350 at most"),
    ],
)
def test_the_check_finds(name: str, source: str, breach: str) -> None:
    found = [*breaches(name, source), circle(graph() | importers({name: source})) or ""]
    assert breach in "\n".join(found)


def test_paths_are_absolute() -> None:
    """A program that changes its directory, or a file system mounted elsewhere, must not lead astray."""
    for module, source in device_files().items():
        tree = ast.parse(source)
        for path in file_paths(tree):
            assert path.startswith("/"), f"{module}: {path!r}"
    system = ast.parse((ROOT / "lib/iot/system.py").read_text())
    folders = [
        ast.literal_eval(node.value)
        for node in ast.walk(system)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "folder"
    ]
    assert folders == ["/certs"]


def file_paths(tree: ast.Module) -> Iterator[str]:
    """What is written down where a file or folder is named, in place or as a constant of the module."""
    constants = {}
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call) and line.value.args:
            constants[ast.unparse(line.targets[0])] = line.value.args[0]
    names = re.compile(r"open|os\.(stat|remove|rename|mkdir|rmdir|listdir|ilistdir)")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and names.fullmatch(ast.unparse(node.func)):
            for argument in node.args[:2] if ast.unparse(node.func) == "os.rename" else node.args[:1]:
                value = constants.get(ast.unparse(argument), argument)
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text("utf-8")), "utf-8")
    print(picture())
