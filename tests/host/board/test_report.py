"""The board's report: its arithmetic, what it judges and what it does not, its JSON and its table."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.board.report import (
    BUDGETS,
    CHAINS,
    KB,
    MET,
    MISSED,
    NOT_JUDGED,
    NOT_MEASURED,
    Report,
    drift,
    least,
    most_free,
)

CHAIN = {
    "starts_failed": 0, "reconnects_failed": 0, "claims_failed": 0, "grown": 0, "application_bytes": 20 * KB,
    "heap_free": 28 * KB, "heap_piece": 8 * KB, "idf_lowest": 10 * KB, "idf_largest": 14 * KB,
}  # fmt: skip
GOOD: dict[str, Any] = {
    "board": {"machine": "ESP32 module", "micropython": "1.25.0", "flash_read_ms": 0.4, "psram": False},
    "memory": {
        "CONFIG": {
            "heap_free": 20 * KB,
            "heap_piece": 9 * KB,
            "idf_largest": 100 * KB,
            "idf_lowest": 15 * KB,
        },
        "NORMAL": {
            "heap_free": 30 * KB,
            "heap_piece": 10 * KB,
            "idf_largest": 19 * KB,
            "idf_lowest": 18 * KB,
        },
        "umqtt.simple": {"heap_free": 45 * KB, "idf_largest": 69 * KB},
    },
    **{chain: CHAIN for chain in CHAINS},
    "config": {"failed": 0},
    "start": {
        "ours": {"wifi_ms": 3000, "puback_ms": 6000},
        "umqtt": {"wifi_ms": 2500, "puback_ms": 5000},
        "ours_s": 2.3,
        "umqtt_s": 2.0,
    },
    "held": {"own_ms": 20, "places_ms": {"Wi-Fi": 20, "clock": 3}, "tls_ms": {"TLS handshake": 700}},
    "rates": {"QoS 0": {"ours": 90.0, "umqtt": 60.0}, "QoS 1": {"ours": 40.0, "umqtt": 10.0}},
    "imports_ms": {"iot.system": 40.5, "iot.log": 8.25},
}
START, HELD = BUDGETS[-2:]


def filled(**sections: dict[str, Any]) -> Report:
    """A report whose figures are all just good enough; `sections` go over them, member by member."""
    report = Report()
    for name, figures in json.loads(json.dumps(GOOD)).items():
        report[name].update(figures)
    for name, figures in sections.items():
        report[name].update(figures)
    return report


def outcomes(report: Report) -> dict[str, str]:
    return {verdict.budget.name: verdict.outcome for verdict in report.verdicts()}


def test_a_limit_is_still_met() -> None:
    assert outcomes(filled()) == dict.fromkeys((budget.name for budget in BUDGETS), MET)


@pytest.mark.parametrize(
    ("name", "section", "figures"),
    [
        *(
            (name, chain, figures)
            for chain in CHAINS
            for name, figures in (
                (f"{chain}: cold starts that failed", {"starts_failed": 1}),
                (f"{chain}: reconnects that failed", {"reconnects_failed": 1}),
                (f"{chain}: claims that failed", {"claims_failed": 1}),
                (f"{chain}: growth of the heap", {"grown": 16}),
                (f"{chain}: heap free after bursts", {"heap_free": 28 * KB - 1}),
                (f"{chain}: its largest piece", {"heap_piece": 8 * KB - 1}),
                (f"{chain}: ESP-IDF's lowest ever", {"idf_lowest": 10 * KB - 1}),
                (f"{chain}: ESP-IDF's largest block", {"idf_largest": 14 * KB - 1}),
                (f"{chain}: held by an application", {"application_bytes": 20 * KB - 1}),
            )
        ),
        ("starts into CONFIG that failed", "config", {"failed": 1}),
        (START.name, "start", {"ours_s": 2.31}),
        (HELD.name, "held", {"own_ms": 20.1}),
    ],
)
def test_what_is_just_over_a_limit_misses_it_alone(name: str, section: str, figures: dict[str, Any]) -> None:
    expected = {other.name: MISSED if other.name == name else MET for other in BUDGETS}
    assert outcomes(filled(**{section: figures})) == expected


def test_ratios_are_ours_by_theirs() -> None:
    report = filled()
    report.verdicts()
    assert report["start"]["ratio"] == 1.15
    assert report["rates"]["QoS 1"]["ratio"] == 4


def test_an_emulators_timings_are_told_and_not_judged() -> None:
    report = filled(board={"flash_read_ms": 12.0}, held={"own_ms": 900})
    verdicts = {verdict.budget: verdict for verdict in report.verdicts()}
    assert {verdict.outcome for verdict in verdicts.values() if verdict.budget is not HELD} == {MET}
    assert verdicts[HELD].outcome == NOT_JUDGED
    assert verdicts[HELD].value == 900
    assert "12.0 ms" in verdicts[HELD].reason


def test_an_emulators_memory_is_judged() -> None:
    verdicts = outcomes(filled(board={"flash_read_ms": 12.0}, rsa={"idf_lowest": 9 * KB}))
    assert verdicts["rsa: ESP-IDF's lowest ever"] == MISSED


def test_a_board_with_psram_is_not_judged() -> None:
    verdicts = filled(board={"psram": True}).verdicts()
    assert {verdict.outcome for verdict in verdicts} == {NOT_JUDGED}
    assert "PSRAM" in verdicts[0].reason


def test_an_excuse_is_for_one_figure() -> None:
    report = filled(start={"ours_s": 60})
    report.excuse(("start", "ratio"), "no NTP here")
    verdicts = {verdict.budget: verdict for verdict in report.verdicts()}
    assert (verdicts[START].outcome, verdicts[START].reason) == (NOT_JUDGED, "no NTP here")
    assert verdicts[HELD].outcome == MET


def test_what_was_not_measured_is_no_success() -> None:
    report = Report()
    assert set(outcomes(report).values()) == {NOT_MEASURED}
    report["start"]["ours_s"] = 1  # and nothing to compare it with
    assert outcomes(report)[START.name] == NOT_MEASURED


def test_json_has_figures_and_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "build/report.json"
    filled(held={"own_ms": 21}).write(path)
    written = json.loads(path.read_text())
    assert written["memory"] == GOOD["memory"]
    assert written["start"]["ratio"] == 1.15
    held = {"budget": HELD.name, "limit": 20, "value": 21, "outcome": MISSED, "reason": ""}
    assert written["budgets"][-1] == held


def table(report: Report) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=110, highlight=False).print(report.table())
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_table_shows_both_sides_and_the_verdicts() -> None:
    lines = table(filled(held={"own_ms": 21}))
    for line in (
        "ESP32 module, MicroPython 1.25.0",
        "start to Wi-Fi 3,000 ms 2,500 ms",
        "start to first PUBACK 6,000 ms 5,000 ms",
        "reset to first PUBACK 2.30 s 2.00 s 1.15",
        "QoS 1 messages a second 40 10 4.00",
        "largest IDF block, CONFIG 100.0 KB",
        "GC heap free, NORMAL 30.0 KB 45.0 KB",
        "its largest piece, CONFIG 9.0 KB",
        "loop held: Wi-Fi 20.0 ms",
        "loop held: TLS handshake 700.0 ms",
        "imports, 2 modules 49 ms",
        "rsa: heap free after bursts at least 28,000 bytes 28,000 bytes met",
        "loop held by own code at most 20.00 ms 21.00 ms missed",
    ):
        assert line in lines, "\n".join(lines)


def test_table_of_a_run_that_measured_nothing() -> None:
    assert sum(line.endswith(NOT_MEASURED) for line in table(Report())) == len(BUDGETS)


def test_drift_compares_peaks() -> None:
    flat = [50, 90, 60, 80, 90, 50, 70, 90, 55]  # falls, and is collected
    assert drift(flat) == 0
    assert drift([value - 10 * number for number, value in enumerate(flat)]) < -50
    assert drift([*flat[:6], 100, 60, 50]) == 10


def test_drift_needs_samples() -> None:
    with pytest.raises(ValueError, match="5 samples are too few"):
        drift([1, 2, 3, 4, 5])


def test_the_most_and_the_least_of_each() -> None:
    samples = [
        {"heap_free": 5, "heap_piece": 2, "idf_largest": 9, "idf_lowest": 3, "mode": "X"},
        {"heap_free": 7, "heap_piece": 1, "idf_largest": 8, "idf_lowest": 2, "mode": "X"},
    ]
    assert most_free(samples) == {"heap_free": 7, "heap_piece": 2, "idf_largest": 9, "idf_lowest": 3}
    assert least(samples) == {"heap_free": 5, "heap_piece": 1, "idf_largest": 8, "idf_lowest": 2}
