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
    took = {kind: one["install_s"] for kind, one in figures["link"].items()}
    assert figures["image_over_app"] == pytest.approx(took["image"] / took["app"])
    assert figures["image_over_delta"] == pytest.approx(took["image"] / took["delta"])
    assert figures["bytes"]["delta"] < figures["bytes"]["app"] / 20


@pytest.mark.skipif(
    not vm_heap.has_vm(), reason="the MicroPython VM is not installed: make setup, with npm on the PATH"
)
def test_beside_tls_each_kind_takes_less_heap_than_it_may() -> None:
    figures = update_heap.measure()
    assert figures
    for used in figures.values():
        assert 4096 < used["there"] < used["installing"] < used["judging"]
        assert used["finishing"] < used["judging"], "the heap has no room for it"
        assert used["installing"] <= update_heap.MOST_BYTES
    assert figures.keys() == {"app", "image", "delta"}


def test_bench_shows_ratios_and_bounds() -> None:
    took = {"install_s": 1.5, "plain_s": 1.25, "ratio": 1.2}
    by_kind = {"app": took, "image": took}
    one = {"bytes": {"app": 4096, "image": 65536, "delta": 512}, "rate": 100_000, "image_over_app": 8.04}
    one["image_over_delta"] = 16.04
    heap = {"app": {"there": 1, "judging": 30 * 1024, "installing": 20 * 1024, "finishing": 10 * 1024}}
    shown = io.StringIO()
    by_kind["delta"] = {"install_s": 0.375}
    figures = {"update": one | {"fast": by_kind, "link": by_kind}, "update_heap": heap}
    Console(file=shown, width=160).print(cli.table_of_installs(figures))
    for text in (
        " 1.20 ",
        "at most 1.1",
        "at least 15",
        " 8.0 ",
        " 16.0 ",
        "0.38 s",
        "20.0 KiB",
        "at most 24 KiB",
        "65,536",
    ):
        assert text in shown.getvalue()
    without = io.StringIO()
    Console(file=without, width=160).print(cli.table_of_installs(figures | {"update_heap": None}))
    assert "the MicroPython VM is missing" in without.getvalue()
