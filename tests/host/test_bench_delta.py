"""What a delta saves where one line of an image has changed, as `make bench` measures it."""

import io

import pytest
from rich.console import Console

pytest.importorskip("detools", reason="detools is not installed: make setup, where there is a C++ compiler")

from tools.bench import cli
from tools.bench import delta as bench
from tools.release import delta

LEAST_RATIO = 20  # issue 15's bound


def test_a_delta_of_a_line_is_20_times_smaller_though_all_behind_it_moves() -> None:
    before = bench.image()
    after, _ = bench.changed(before)
    assert len(after) > len(before)
    patch = delta.make(before, after)
    assert delta.applied(before, patch, len(after)) == after
    assert LEAST_RATIO * len(patch) <= len(after)


def test_bench_shows_it() -> None:
    figures = bench.measure()
    assert figures
    shown = io.StringIO()
    Console(file=shown, width=120).print(cli.table_of_updates({"delta": figures}))
    assert f"{figures['whole']:,}" in shown.getvalue() and f" {figures['delta']:,} " in shown.getvalue()
    without = io.StringIO()
    Console(file=without, width=120).print(cli.table_of_updates({"delta": None}))
    assert "detools is missing" in without.getvalue()
