"""A bay whose boards are left in peace before the next test has its own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.station.faked import Bay
from tests.patience import PATIENCE_S


@pytest.fixture
def bay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bay]:
    """Threads of a station outlive its run; they would go on with what the next test has put in place."""
    before = threading.enumerate()
    yield Bay(tmp_path, monkeypatch)
    for thread in set(threading.enumerate()).difference(before):
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"{thread.name} works on"
