"""What was measured on a board, judged against the budgets: as JSON, and as a table."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

KB = 1000  # as the datasheet and the budgets count
UMQTT = "umqtt.simple"
MET, MISSED, NOT_JUDGED, NOT_MEASURED = "met", "missed", "not judged", "not measured"
_STYLES = {MET: "green", MISSED: "bold red", NOT_JUDGED: "yellow", NOT_MEASURED: "dim"}
# A chip reads 4 KiB of its flash in well under this. What takes longer is an emulator, whose imports crawl.
_CHIP_READ_MS = 1.0
_SHOWN_IMPORTS = 5
_SHOWN_HOLDS = 8


@dataclass(frozen=True)
class Budget:
    """A limit for one figure of the report, which `path` leads to."""

    name: str
    path: tuple[str, ...]
    limit: float
    unit: str = ""
    at_least: bool = False
    timing: bool = False

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


CHAINS = ("p256", "rsa")  # what the cloud shows; Amazon's servers show the longer one


def _memory_budgets(chain: str) -> Iterator[Budget]:
    for name, member, limit in (
        ("cold starts that failed", "starts_failed", 0),
        ("reconnects that failed", "reconnects_failed", 0),
        ("claims that failed", "claims_failed", 0),
        ("growth of the heap", "grown", 0),
    ):
        yield Budget(f"{chain}: {name}", (chain, member), limit)
    for name, member, limit in (
        ("heap free after bursts", "heap_free", 28 * KB),
        ("its largest piece", "heap_piece", 8 * KB),
        ("ESP-IDF's lowest ever", "idf_lowest", 10 * KB),
        ("ESP-IDF's largest block", "idf_largest", 14 * KB),
        ("held by an application", "application_bytes", 20 * KB),
    ):
        yield Budget(f"{chain}: {name}", (chain, member), limit, "bytes", at_least=True)


BUDGETS = (
    *(budget for chain in CHAINS for budget in _memory_budgets(chain)),
    Budget("starts into CONFIG that failed", ("config", "failed"), 0),
    Budget(f"reset to first PUBACK, of {UMQTT}'s", ("start", "ratio"), 1.15),
    Budget("loop held by own code", ("held", "own_ms"), 20, "ms", timing=True),
)


@dataclass(frozen=True)
class Verdict:
    """How a budget was judged; `reason` says why it was not."""

    budget: Budget
    value: float | None
    outcome: str
    reason: str = ""


class Report:
    """Figures of one run, by section: `report["memory"]["NORMAL"] = …`; all of it goes into the JSON file.

    The sections that the budgets and the table know:

    board       {"flash_read_ms", "psram", …}
    memory      {mode or "umqtt.simple": {"heap_free", "heap_piece", "idf_largest", "idf_lowest"}}, bytes
    p256, rsa   what _memory_budgets names, of the cloud with that chain; early_heap_free and
                early_heap_piece: the least at any moment, as just after a connection
    config      {"failed": starts}
    start       {"ours": {"puback_ms", …}, "umqtt": {"puback_ms", …}, "ours_s", "umqtt_s", "ratio"}
    imports_ms  {module: its own time}
    held        {"own_ms", "places_ms": {place: ms}, "tls_ms": {place: ms}}
    update      {"idf_lowest"}: of the first start of a new version
    rates       {"QoS 0": {"ours", "umqtt", "ratio"}, "QoS 1": …}, messages a second
    """

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, Any]] = {}
        self._excuses: dict[tuple[str, ...], str] = {}

    def __getitem__(self, section: str) -> dict[str, Any]:
        return self.figures.setdefault(section, {})

    def excuse(self, path: tuple[str, ...], reason: str) -> None:
        """Have the figure at `path` not judged."""
        self._excuses[path] = reason

    def verdicts(self) -> list[Verdict]:
        """Each budget's, in their order."""
        self._compare()
        return [self._judge(budget) for budget in BUDGETS]

    def _judge(self, budget: Budget) -> Verdict:
        value = self._value(budget.path)
        if value is None:
            return Verdict(budget, None, NOT_MEASURED)
        if reason := self._unjudged(budget):
            return Verdict(budget, value, NOT_JUDGED, reason)
        return Verdict(budget, value, MET if budget.holds(value) else MISSED)

    def _unjudged(self, budget: Budget) -> str:
        board = self["board"]
        if board.get("psram"):
            return "the budgets are for an ESP32 without PSRAM"
        read_ms = board.get("flash_read_ms", 0)
        if budget.timing and read_ms > _CHIP_READ_MS:
            return f"no chip's timing: reading 4 KiB of flash takes {read_ms:.1f} ms here"
        return self._excuses.get(budget.path, "")

    def _value(self, path: Sequence[str]) -> Any:
        found: Any = self.figures
        for name in path:
            if name not in found:
                return None
            found = found[name]
        return found

    def _compare(self) -> None:
        """Put in the ratios of what was measured on both sides."""
        start = self["start"]
        if "ours_s" in start and "umqtt_s" in start:
            start["ratio"] = start["ours_s"] / start["umqtt_s"]
        for rate in self["rates"].values():
            if "ours" in rate and "umqtt" in rate:
                rate["ratio"] = rate["ours"] / rate["umqtt"]

    def write(self, path: Path) -> None:
        """Write all figures and verdicts as JSON."""
        verdicts = [
            {"budget": verdict.budget.name, "limit": verdict.budget.limit}
            | {name: value for name, value in asdict(verdict).items() if name != "budget"}
            for verdict in self.verdicts()
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**self.figures, "budgets": verdicts}, indent=2) + "\n")

    def table(self) -> Group:
        """The figures beside those of umqtt.simple, and the verdicts below."""
        verdicts = self.verdicts()
        shown = Table("", box=None, title=self._title(), title_justify="left")
        for name in ("this firmware", UMQTT, "ratio"):
            shown.add_column(name, justify="right")
        for row in self._rows():
            shown.add_row(*row)
        judged = Table("budget", box=None)
        for name in ("limit", "measured", "", ""):
            judged.add_column(name, justify="right" if name else "left")
        for verdict in verdicts:
            judged.add_row(*_verdict_row(verdict))
        return Group(shown, Text(), judged)

    def _title(self) -> str:
        board = self["board"]
        return f"{board.get('machine', 'A board')}, MicroPython {board.get('micropython', '')}".rstrip()

    def _rows(self) -> Iterable[tuple[str, ...]]:
        yield from self._start_rows()
        for name, rate in self["rates"].items():
            yield (
                f"{name} messages a second",
                *(_number(rate.get(side)) for side in ("ours", "umqtt")),
                _number(rate.get("ratio"), 2),
            )
        theirs = self["memory"].get(UMQTT, {})
        for mode, ours in self["memory"].items():
            if mode != UMQTT:
                other = theirs if mode == "NORMAL" else {}
                for name, what in _MEMORY.items():
                    yield f"{what}, {mode}", _kilobytes(ours.get(name)), _kilobytes(other.get(name)), ""
        held = self["held"]
        for kind in ("places_ms", "tls_ms"):
            for place, ms in _largest(held.get(kind, {}), _SHOWN_HOLDS):
                yield f"loop held: {place}", f"{ms:.1f} ms", "", ""
        imports = self["imports_ms"]
        if imports:
            yield f"imports, {len(imports)} modules", f"{sum(imports.values()):.0f} ms", "", ""
        for module, ms in _largest(imports, _SHOWN_IMPORTS):
            yield f"  {module}", f"{ms:.0f} ms", "", ""

    def _start_rows(self) -> Iterable[tuple[str, ...]]:
        start = self["start"]
        ours, theirs = start.get("ours", {}), start.get("umqtt", {})
        for name in dict.fromkeys((*ours, *theirs)):
            if name.endswith("_ms"):
                pair = (_number(side.get(name), unit=" ms") for side in (ours, theirs))
                yield f"start to {_STEPS.get(name, name)}", *pair, ""
        if "ours_s" in start:
            both = (_number(start.get(side), 2, " s") for side in ("ours_s", "umqtt_s"))
            yield "reset to first PUBACK", *both, _number(start.get("ratio"), 2)


_MEMORY = {
    "heap_free": "GC heap free",
    "heap_piece": "its largest piece",
    "idf_largest": "largest IDF block",
    "idf_lowest": "IDF heap's lowest",
}
_STEPS = {
    "imported_ms": "running",
    "wifi_ms": "Wi-Fi",
    "clock_ms": "clock",
    "connected_ms": "connected",
    "puback_ms": "first PUBACK",
}


def drift(samples: Sequence[float], part: float = 1 / 3) -> float:
    """How much higher the last part of `samples` reaches than the first: negative where it falls.

    The maxima are compared: free memory falls until garbage is collected, and its peaks are what there is.

    Args:
        samples: at least six.
        part: how much of them is the first part, and the last; up to 1/2.
    """
    count = int(len(samples) * part)
    if count < 2:
        raise ValueError(f"{len(samples)} samples are too few")
    return max(samples[-count:]) - max(samples[:count])


def most_free(samples: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The memory of a mode by several answers of `status`: the most that was seen free, garbage apart."""
    return {name: max(sample[name] for sample in samples) for name in _MEMORY}


def least(samples: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The memory by several answers of `status`: the least that was seen of each figure."""
    return {name: min(sample[name] for sample in samples) for name in _MEMORY}


def _largest(figures: dict[str, float], count: int) -> list[tuple[str, float]]:
    return sorted(figures.items(), key=lambda item: -item[1])[:count]


def _number(value: float | None, digits: int = 0, unit: str = "") -> str:
    return "" if value is None else f"{value:,.{digits}f}{unit}"


def _kilobytes(value: float | None) -> str:
    return "" if value is None else f"{value / KB:.1f} KB"


def _verdict_row(verdict: Verdict) -> tuple[str | Text, ...]:
    budget = verdict.budget
    digits = 0 if budget.unit == "bytes" else 2
    unit = f" {budget.unit}" if budget.unit else ""
    limit = f"{'at least' if budget.at_least else 'at most'} {_number(budget.limit, digits, unit)}"
    outcome = Text(verdict.outcome, style=_STYLES[verdict.outcome])
    return budget.name, limit, _number(verdict.value, digits, unit), outcome, verdict.reason
