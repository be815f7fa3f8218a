"""Heap by sets, in MicroPython's VM: what stays in each mode, and what is there for a moment on top of it.

What stays is in lib/iot/modes.py; whatever else device code borrows is a momentary set: the module with all
that it imports and that does not stay.
"""

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tools import vm_heap
from tools.board import start
from tools.board.errors import BoardError
from tools.board.start import modes

HEAP_BYTES = 256 * 1024
WAY_IN = "iot.transitions"
# What happens to look like a pointer keeps garbage, with all in use in every second run: the lowest of these
# counts, and of more where that is over budget.
RUNS, MOST_RUNS = 3, 16
LEFT_BYTES = 160  # of a momentary set: what asyncio happens to hold is counted, too
HEAVIEST = 5
KB = 1024
# Bytes of heap of what stays: in all, or beside what NORMAL has, too.
IN_USE = "NORMAL, all in use"  # beside jobs the application uses thing.shadow and thing.commands, too
BUDGETS = {"NORMAL": 33 * KB, IN_USE: 40 * KB, "OTA": 30 * KB}
# Any but AWS, with its services in use; its own is what it adds to what any connection keeps.
OTHERS = "NORMAL, another cloud"
OWN_BUDGETS = {"CONFIG": 20 * KB, OTHERS: 6 * KB}
MOMENT_BUDGET = 8 * KB


@dataclass
class Stays:
    """What the library takes of the heap in a mode, with no connection as yet.

    bytes: in all, but for the table of names; with the text of names, also of modules that have gone.
    modules: bytes of each that stays, in the order of loading.
    own: those of them that do not stay in NORMAL.
    names: that are there for ever, as their number.
    """

    mode: str
    bytes: int
    modules: dict[str, int]
    own: dict[str, int]
    names: int

    @property
    def own_bytes(self) -> int:
        return sum(self.own.values())

    def over_budget(self) -> list[str]:
        """What is too much, with the heaviest modules."""
        faults = []
        if self.bytes > BUDGETS.get(self.mode, self.bytes):
            text = f"{self.mode}: {self.bytes} bytes stay, {BUDGETS[self.mode]} may"
            faults.append(f"{text}; the heaviest: {heaviest(self.modules)}")
        if self.own_bytes > OWN_BUDGETS.get(self.mode, self.own_bytes):
            text = f"{self.mode}: {self.own_bytes} bytes of its own stay, {OWN_BUDGETS[self.mode]} may"
            faults.append(f"{text}; the heaviest: {heaviest(self.own)}")
        return faults


@dataclass
class Moment:
    """A momentary set on top of a mode.

    bytes: that it takes while it is there; left: of them those that did not come back.
    names: that it leaves behind for ever, where it was the first to use them, as their number.
    modules: what it consists of.
    """

    name: str
    on: str
    bytes: int
    left: int
    names: int
    modules: list[str]

    def over_budget(self) -> list[str]:
        """What is too much."""
        faults = []
        if self.bytes > MOMENT_BUDGET:
            faults.append(
                f"{self.name}: {self.bytes} bytes for a moment on top of {self.on}, {MOMENT_BUDGET} may; "
                f"it consists of {', '.join(self.modules)}"
            )
        if self.left > LEFT_BYTES:
            faults.append(f"{self.name}: {self.left} of {self.bytes} bytes do not come back on {self.on}")
        return faults


@dataclass
class Sets:
    """All of them; empty where there is no VM.

    in_use: what stays in NORMAL where all services are used; others: the same with another cloud than AWS,
    and others_moments what is there for a moment then.
    """

    stays: list[Stays]
    moments: list[Moment]
    in_use: Stays | None = None
    others: Stays | None = None
    others_moments: list[Moment] = field(default_factory=list)

    def all_stays(self) -> list[Stays]:
        """By mode, and what is in use."""
        return [*self.stays, *filter(None, (self.in_use, self.others))]

    def over_budget(self) -> list[str]:
        """What is too much, each with the heaviest."""
        stays = [fault for one in self.all_stays() for fault in one.over_budget()]
        return stays + [fault for one in self.moments + self.others_moments for fault in one.over_budget()]


def heaviest(modules: dict[str, int]) -> str:
    """The heaviest of these modules, with their bytes."""
    return ", ".join(f"{name} {modules[name]}" for name in by_weight(modules)[:HEAVIEST])


def by_weight(modules: dict[str, int]) -> list[str]:
    """Their names, the heaviest first."""
    return sorted(modules, key=lambda name: -modules[name])


def lent(names: list[str]) -> dict[str, set[str]]:
    """What device code borrows by name, and the modules that do."""
    found: dict[str, set[str]] = {}
    for borrower in names:
        for node in ast.walk(ast.parse(source.read_bytes() if (source := start.source(borrower)) else b"")):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("borrow", "memory.borrow"):
                for name in node.args:
                    if isinstance(name, ast.Constant):
                        found.setdefault(str(name.value), set()).add(borrower)
    return found


def is_package(name: str) -> bool:
    """Whether a module of the device's is a room: in memory while something is imported from it."""
    file = start.source(name)
    return bool(file and file.stem == "__init__")


def moments(lenders: dict[str, set[str]]) -> dict[str, list[str]]:
    """The momentary sets by the mode on top of which they are: NORMAL, or CONFIG where only that borrows it.

    What stays in a mode, and is borrowed on the way into it alone, is none.
    """
    normal, config = set(modes.staying(modes.NORMAL)), set(modes.staying(modes.CONFIG))
    found: dict[str, list[str]] = {modes.NORMAL: [], modes.CONFIG: []}
    for name, borrowers in lenders.items():
        if name not in config or borrowers != {WAY_IN}:
            is_config_s = borrowers <= config - normal - set(lenders)
            found[modes.CONFIG if is_config_s else modes.NORMAL].append(name)
    return found


def measure(modules: list[str], build: Path) -> Sets:
    """Measure all sets in the VM, each in the order of a boot.

    Args:
        modules: names of the device's.
        build: where they are as .mpy.
    """
    borrowed = moments(lent(modules))
    sets = Sets([], [])
    for mode in start.WAYS:
        names = sorted(borrowed.get(mode, []))
        once = partial(_measure, mode, start.WAYS[mode], names, build, modes.staying(mode))
        stays, there = _least_kept(once)
        sets.stays.append(stays)
        sets.moments.extend(there)
    in_use = (*start.WAYS[modes.NORMAL], start.TOUCHED)
    sets.in_use, _ = _least_kept(partial(_measure, IN_USE, in_use, [], build, touched=_kept(start.TOUCHED)))
    stay = [*modes.staying(modes.NORMAL, "azure"), *_kept(start.OTHERS_WAY[-1])]
    others = partial(_measure, OTHERS, start.OTHERS_WAY, list(start.OTHERS_MOMENTS), build, stay, stay)
    sets.others, sets.others_moments = _least_kept(others)
    return sets


def _least_kept(once: Callable[[], tuple[Stays, list[Moment]]]) -> tuple[Stays, list[Moment]]:
    """Of what a measurement tells, each from the run that kept least by chance."""
    runs = [once() for _ in range(RUNS)]
    while True:
        stays = min((stays for stays, _ in runs), key=lambda one: one.bytes)
        by_name = zip(*(there for _, there in runs), strict=True)
        there = [min(same, key=lambda one: abs(one.left)) for same in by_name]
        if len(runs) == MOST_RUNS or not any(one.over_budget() for one in (stays, *there)):
            return stays, there
        runs.append(once())


def _measure(
    mode: str,
    way: tuple[start.Step, ...],
    names: list[str],
    build: Path,
    stay: Collection[str] = (),
    touched: Sequence[str] = (),
) -> tuple[Stays, list[Moment]]:
    """What a way into `mode` leaves, and the momentary sets of `names` on top of that.

    stay: what these need not bring. touched: as _stays has it.
    """
    actions = _actions(mode, way, names, build)
    on_the_way = len(actions) - 4 * len(names)
    there = [_moment(name, mode, actions[on_the_way + 4 * at :][:4], stay) for at, name in enumerate(names)]
    return _stays(mode, actions[:on_the_way], touched), there


def _kept(step: start.Step) -> list[str]:
    """What a step leaves beside the mode's own."""
    return [name for verb, names in start.actions(step) if verb == "keep" for name in names]


def _actions(mode: str, way: tuple[start.Step, ...], names: list[str], build: Path) -> list[vm_heap.Action]:
    """What a way took, and then the momentary sets of these names."""
    run = vm_heap.in_vm([*_way(way), _twice(names)], build, HEAP_BYTES)
    actions = run.actions()
    if "FAILED" in run.output or not actions:
        raise BoardError(f"{mode} is not measured: {run.output}", "Mend it, and run this again.")
    return actions


def _way(way: tuple[start.Step, ...]) -> vm_heap.Steps:
    """The steps of a way, module by module; at its end nothing is held."""
    steps: vm_heap.Steps = []
    held: dict[str, None] = {}
    there: dict[str, None] = {}
    for step in way:
        actions = []
        for verb, names in start.actions(step):
            before = len(there)
            if verb in ("import", "load"):
                for name in names:
                    start.from_the_ground_up(name, there)
                actions.append((verb, list(there)[before:]))
                continue
            if verb == "hold":
                held.update(dict.fromkeys(names))
            elif verb == "drop":
                held = {name: None for name in held if name not in names}
            actions.append((verb, names))
        steps.append((step[0], actions))
    return [*steps, ("there", [("drop", list(held))])]


def _twice(names: list[str]) -> tuple[str, list[tuple[str, list[str]]]]:
    """First it leaves its names behind, then it shows what else it takes."""
    return "moments", [(verb, [name]) for name in names for verb in ("hold", "drop") * 2]


def _stays(mode: str, actions: list[vm_heap.Action], touched: Sequence[str] = ()) -> Stays:
    """The library's part of a way: what is borrowed on it has gone, but for its names.

    touched: what stays beside the mode's own, which is NORMAL's then.
    """
    stay = [*modes.staying(modes.NORMAL if touched else mode), *touched]
    library = [action for action in actions if action.verb == "stay" or action.name.startswith("iot")]
    loaded = [action for action in library if action.verb in ("import", "load", "keep")]
    modules = {action.name: action.bytes for action in loaded if action.name in stay}
    total = sum(action.bytes for action in library)
    shared = modes.staying(modes.NORMAL)
    own = {name: size for name, size in modules.items() if name not in shared}
    return Stays(mode, total, modules, own, sum(action.names for action in library))


def _moment(name: str, mode: str, actions: list[vm_heap.Action], stay: Collection[str]) -> Moment:
    first, _, again, gone = actions
    there: dict[str, None] = {}
    start.from_the_ground_up(name, there)
    modules = [module for module in there if module not in stay and not is_package(module)]
    return Moment(name, mode, again.bytes, again.bytes + gone.bytes, first.names, modules)
