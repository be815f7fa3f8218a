"""How a device comes into its modes: which modules are loaded in which order.

What stays in a mode and which modules a task needs are taken from lib/iot/modes.py. A step is a name and its
actions, each a verb and names:

    import NAME…  as boot.py and main.py do
    stay MODE     what does not stay in it goes; or MODE/CLOUD, a section of the configuration's
    load NAME…    modules, or what stays for a task: they stay
    keep NAME…    modules that are none of the mode's: they stay, too
    borrow NAME…  each for a moment
    hold NAME…    borrowed, and in use until it is dropped
    drop NAME…
    make NAME     what takes memory beside code
"""

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from iot import modes  # noqa: E402

from tools import application  # noqa: E402
from tools.board.parsing import parse  # noqa: E402

Step = tuple[str, ...]
Actions = list[tuple[str, list[str]]]

INIT: tuple[Step, ...] = (
    ("MicroPython",),
    ("boot.py", "import pack"),
    ("main.py", "import iot.system firmware.settings"),
    (
        "INIT",
        "hold iot.transitions",
        "stay INIT",
        "borrow iot.identity",
        "load iot.storage.user_bytes",
        "hold iot.storage.record iot.storage.store",
        "borrow iot.storage.schema iot.crypto.x509",
        "drop iot.storage.record iot.storage.store",
        "borrow iot.storage.rtc iot.probation",
    ),
)
GROWS = "NORMAL"  # the step in which the heap gets its last size
# What the application's first touch of thing.shadow and thing.commands brings.
TOUCHED: Step = (
    "services",
    "borrow iot.services",
    "keep iot.aws.shadow iot.aws.commands",
)
# Into NORMAL as the thing, and on to the first connection with a `status`.
STEPS: tuple[Step, ...] = (
    *INIT,
    (GROWS, "stay NORMAL", "load console", "borrow iot.bt_memory", "make BUFFERS", "borrow iot.heap"),
    ("Wi-Fi", "load wifi clock", "hold iot.probation"),
    (
        "joining",
        "hold iot.wifi.join",
        "borrow iot.storage.rtc",
        "hold iot.clock.adjust",
        "borrow iot.storage.nvs",
        "hold iot.clock.sntp iot.wifi.scan",
    ),
    ("MQTT", "borrow iot.storage.record iot.storage.store", "load cloud"),
    ("thing", "load jobs application", "borrow iot.aws.entry iot.storage.nvs"),
    ("begun", "drop iot.transitions"),
    (
        "certificate",
        "hold iot.storage.record iot.storage.store",
        "borrow iot.crypto.tlv iot.crypto.x509",
        "drop iot.storage.record iot.storage.store",
        "borrow iot.trust",
    ),
    ("jobs", "borrow iot.mqtt.checks"),
    (
        "application",
        "import firmware.app",
        *TOUCHED[1:],
    ),
    ("joined", "drop iot.wifi.scan", "hold iot.wifi.attempt", "drop iot.wifi.attempt iot.wifi.join"),
    ("clock", "drop iot.clock.sntp iot.clock.adjust"),
    ("connection", "borrow iot.mqtt.handshake"),
    ("reached", "drop iot.probation"),
    ("status", "borrow iot.console.status"),
)
CONNECTED = "connection"  # the step that ends a start

# Into the other modes. An update under way leads from INIT into OTA.
WAYS: dict[str, tuple[Step, ...]] = {
    "NORMAL": STEPS[: [step[0] for step in STEPS].index("thing") + 1],
    "CONFIG": (
        *INIT,
        ("CONFIG", "stay CONFIG", "load console", "borrow iot.heap", "load application"),
        (
            "Bluetooth LE",
            "load iot.ble.config_mode",
            "borrow iot.services",
            "load iot.ble.packets iot.ble.service",
        ),
    ),
    "OTA": (*INIT, ("OTA", "stay OTA", "load console", "borrow iot.heap", "load wifi clock update")),
    "IDLE": (*INIT, ("IDLE", "stay IDLE", "load console", "borrow iot.heap", "load rescue")),
}

# Into NORMAL with any other cloud than AWS, and on to what its services keep: what differs is there for a
# moment, by names that are put together.
OTHER_CLOUDS = "azure clearblade alibaba broker"
_OTHERS = {
    "stay NORMAL": "stay NORMAL/azure",
    "load cloud": "load " + " ".join(modes.staying_of("cloud", "azure")),
    "load jobs application": "load " + " ".join(modes.staying_of("jobs", "azure")) + " application",
    TOUCHED[-1]: "keep iot.clouds.shadow iot.clouds.commands",
}
OTHERS_WAY = tuple(tuple(_OTHERS.get(part, part) for part in step) for step in (*WAYS["NORMAL"], TOUCHED))
OTHERS_MOMENTS = (
    *(f"iot.{room}.profile" for room in OTHER_CLOUDS.split()),
    *("iot.azure.claim", "iot.clouds.execution", "iot.clouds.actions"),
)


def source(name: str) -> Path | None:
    """The file of a device's module or package, None where it is none of ours."""
    folder = application.folder(ROOT) if name.startswith("firmware") else ROOT / "lib"
    path = folder / name.replace(".", "/")
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.exists()), None)


@functools.cache
def imports(name: str) -> tuple[str, ...]:
    """The modules of ours that a module imports when it is imported itself, in that order."""
    file = source(name)
    found: list[str] = []
    for node in parse(file.read_bytes()).body if file else ():
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.append(f"{node.module}")
            found.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(module for module in dict.fromkeys(found) if source(module))


def opened(name: str, there: dict[str, None]) -> None:
    """Adds to `there` a module, the packages that it is in, and what it imports, as an import opens them."""
    package = name.rpartition(".")[0]
    if package:
        opened(package, there)
    if name not in there and source(name):
        there[name] = None
        for module in imports(name):
            opened(module, there)


def from_the_ground_up(name: str, there: dict[str, None]) -> None:
    """The same, but in the order in which they are complete: each behind what it imports."""
    package = name.rpartition(".")[0]
    if package:
        from_the_ground_up(package, there)
    if name not in there and source(name):
        for module in imports(name):
            from_the_ground_up(module, there)
        there[name] = None


def actions(step: Step) -> Iterator[tuple[str, list[str]]]:
    """The verbs of a step with the names of what they are about: of modules, where the table has tasks."""
    for action in step[1:]:
        verb, *words = action.split()
        yield verb, [name for word in words for name in modes.STAYING.get(word, (word,))]


@functools.cache
def order() -> tuple[str, ...]:
    """The modules of a start, packages too, in the order in which its imports open them."""
    there: dict[str, None] = {}
    for step in STEPS[: [step[0] for step in STEPS].index(CONNECTED) + 1]:
        for verb, names in actions(step):
            for name in names if verb in ("import", "load", "keep", "borrow", "hold") else ():
                opened(name, there)
    return tuple(there)
