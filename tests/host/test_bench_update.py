"""What an update costs in time and heap, as `make bench` measures it; of time nothing is asked here."""

import io

import pytest
from rich.console import Console

from tools import vm_heap
from tools.bench import cli, update, update_heap

FAST = 20_000_000  # bytes a second


async def test_both_kinds_are_installed_and_read_in_turns() -> None:
    figures = await update.measure(1, FAST, 1)
    assert figures["bytes"]["image"] > update.IMAGE_BYTES > figures["bytes"]["app"]
    for link in ("fast", "link"):
        for kind in update.KINDS:
            took = figures[link][kind]
            assert took["ratio"] == pytest.approx(took["install_s"] / took["plain_s"])
    took = [figures["link"][kind]["install_s"] for kind in update.KINDS]
    assert figures["image_over_app"] == pytest.approx(took[1] / took[0])


@pytest.mark.skipif(
    not vm_heap.has_vm(), reason="the MicroPython VM is not installed: make setup, with npm on the PATH"
)
def test_beside_tls_an_app_takes_less_heap_than_it_may() -> None:
    """An image takes a page and its own code more."""
    figures = update_heap.measure()
    assert figures
    for used in figures.values():
        assert 4096 < used["there"] < used["installing"] < used["judging"]
    assert figures["app"]["installing"] <= update_heap.MOST_BYTES
    assert figures["image"]["installing"] <= update_heap.MOST_BYTES + 8 * 1024


def test_bench_shows_ratios_and_bounds() -> None:
    took = {"install_s": 1.5, "plain_s": 1.25, "ratio": 1.2}
    by_kind = {"app": took, "image": took}
    one = {"bytes": {"app": 4096, "image": 65536}, "rate": 100_000, "image_over_app": 16.04}
    heap = {"app": {"there": 1, "judging": 30 * 1024, "installing": 20 * 1024}}
    shown = io.StringIO()
    figures = {"update": one | {"fast": by_kind, "link": by_kind}, "update_heap": heap}
    Console(file=shown, width=160).print(cli.table_of_installs(figures))
    for text in (" 1.20 ", "at most 1.1", "at least 15", " 16.0 ", "20.0 KiB", "at most 24 KiB", "65,536"):
        assert text in shown.getvalue()
    without = io.StringIO()
    Console(file=without, width=160).print(cli.table_of_installs(figures | {"update_heap": None}))
    assert "the MicroPython VM is missing" in without.getvalue()
