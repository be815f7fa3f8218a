"""When the thing's certificate counts as refused for good."""

import sys
import types
from collections.abc import Iterator

import pytest
from fakes import FakeLog, forget
from iot.mqtt.packet import Framer
from iot.mqtt.queues import Inbox, Outbox

from tests.unit.test_renewal import FakeStore


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[object, list[tuple[str, object]], FakeStore]]:
    """A Cloud of the device with 3 refusals, what it has told, and its store."""
    monkeypatch.setitem(sys.modules, "tls", types.ModuleType("tls"))
    forget("iot.aws.cloud", "iot.tls")
    from iot.aws.cloud import Cloud  # noqa: PLC0415

    told: list[tuple[str, object]] = []
    store = FakeStore()
    aws = {"endpoint": "broker.example.com", "port": 8883}
    notify, queues = lambda *event: told.append(event), (Outbox(64, 1, {}), Inbox(Framer(64), {}))
    yield Cloud("lamp", aws, lambda: store, 3, FakeLog(), notify, None, *queues), told, store
    forget("iot.aws.cloud", "iot.tls")


def fail(link: object, reason: str, refused: bool) -> None:
    link.client.refusals += refused  # type: ignore[attr-defined]
    link._on_client("disconnected", reason)  # type: ignore[attr-defined]


def times(told: list[tuple[str, object]]) -> int:
    return [name for name, _ in told].count("certificate_refused")


def test_refusals_count_and_what_the_network_does_in_between_does_not(link: tuple) -> None:
    it, told, _ = link
    for number in range(1, 4):
        fail(it, "EHOSTUNREACH", refused=False)
        assert times(told) == 0
        fail(it, "closed by the broker", refused=True)
        assert times(told) == (number == 3)
    for _ in range(5):
        fail(it, "EHOSTUNREACH", refused=False)
    assert times(told) == 1


def test_it_is_asked_again_after_as_many_refusals_more(link: tuple) -> None:
    it, told, _ = link
    for _ in range(9):
        fail(it, "refused by the broker: not authorized", refused=True)
    assert times(told) == 3


def test_a_connection_settles_what_was_doubted(link: tuple) -> None:
    it, _, store = link
    for _ in range(3):
        fail(it, "closed by the broker", refused=True)
    assert store.state[0]
    it._doubted = True
    writes = store.writes
    for _ in range(2):
        it._on_client("connected", False)
    assert not store.state[0] and store.writes == writes + 1


def test_without_a_claim_nothing_is_replaced(link: tuple) -> None:
    it, told, store = link
    it._refusals = None
    for _ in range(9):
        fail(it, "closed by the broker", refused=True)
    assert times(told) == 0 and store.writes == 0


class TrialStore(FakeStore):
    """Has a certificate on trial."""

    on_trial = True

    def __init__(self) -> None:
        super().__init__()
        self.settled: list[bool] = []

    def thing_credentials(self) -> tuple[bytes, bytes, bytes]:
        return b"", b"no certificate", b""

    def settle(self, is_kept: bool) -> None:
        self.settled.append(is_kept)
        self.on_trial = False


@pytest.fixture
def trial(link: tuple) -> tuple[object, list[tuple[str, object]], TrialStore]:
    """The same, on trial from its first connection on."""
    it, told, _ = link
    store = TrialStore()
    it._store = lambda: store
    it._credentials()
    return it, told, store


def test_a_trial_ends_well_with_the_first_connection(trial: tuple) -> None:
    it, told, store = trial
    for _ in range(2):
        fail(it, "closed by the broker", refused=True)
    for _ in range(6):
        fail(it, "EHOSTUNREACH", refused=False)
    assert not store.settled
    for _ in range(2):
        it._on_client("connected", False)
        fail(it, "closed by the broker", refused=False)
    assert store.settled == [True] and "rotated" not in dict(told)


@pytest.mark.parametrize(("reason", "attempts"), [("closed by the broker", 3), ("EHOSTUNREACH", 21)])
def test_a_trial_ends_after_few_refusals_or_many_attempts(trial: tuple, reason: str, attempts: int) -> None:
    it, told, store = trial
    for number in range(1, attempts + 1):
        assert not store.settled
        fail(it, reason, refused=True)
        assert bool(store.settled) == (number == attempts)
    assert store.settled == [False] and told[-1] == ("rotated", None) and times(told) == 0


def test_what_else_happens_is_no_attempt(trial: tuple) -> None:
    it, _, store = trial
    for _ in range(50):
        it._on_client("starved", "no memory")
        it._on_client("connecting", None)
    assert not store.settled
