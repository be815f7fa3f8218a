"""The thing's way to the cloud: what it needs for a connection, and what is told of it."""

import asyncio

from documents import OWN, OWN_KEY, ROOT
from fakes import FakeLog, Without
from iot.aws.cloud import Cloud
from iot.crypto.pem import certificate, key
from iot.mqtt.packet import Framer
from iot.mqtt.queues import Inbox, Outbox
from stream import none_lost


class FakeStore:
    """A Store with a thing's certificate. state: what iot.aws.renewal remembers."""

    on_trial = False

    def __init__(self, own=None, state=None):
        self.own = certificate(ROOT), own or certificate(OWN), key(OWN_KEY)
        self.state = state

    def thing_credentials(self):
        return self.own

    def renewal(self, state=None):
        self.state = state or self.state
        return self.state


def made(store):
    """A Cloud, and what it tells."""
    told, counts = [], none_lost()
    aws = {"endpoint": "broker.example.com", "port": 8883}
    notify, queues = lambda *event: told.append(event), (Outbox(64, 1, counts), Inbox(Framer(64), counts))
    return Cloud("lamp", aws, lambda: store, 3, FakeLog(), notify, None, *queues), told


def test_the_end_of_the_certificate_is_known_once_it_is_read():
    cloud, _ = made(FakeStore())
    assert cloud.certificate_ends is None
    assert cloud._credentials() == FakeStore().own
    assert len(cloud.certificate_ends) == 20 and cloud.certificate_ends[10] == "T"


def test_a_certificate_that_is_none_is_for_tls_to_refuse():
    cloud, _ = made(FakeStore(b"nonsense"))
    assert cloud._credentials()[1] == b"nonsense" and cloud.certificate_ends == "no X.509 certificate"


def test_a_certificate_in_doubt_is_none_once_it_has_connected():
    store = FakeStore(state=b"\x01\x02" + b"\x11" * 12)
    cloud, told = made(store)
    cloud._credentials()
    cloud._on_client("connected", True)
    assert told == [("connecting", False), ("cloud_up", True)] and store.state[0] == 0
    store.state = None
    cloud._on_client("connected", True)
    assert store.state is None, "flash is left alone after that"


def test_each_event_of_the_client_is_told_in_the_terms_of_the_system():
    cloud, told = made(FakeStore())
    for event, detail, expected in (
        ("connecting", None, [("connecting", True)]),
        ("connected", False, [("connecting", False), ("cloud_up", False)]),
        ("published", 7, [("published", 7)]),
        ("disconnected", "x", [("connecting", False), ("cloud_down", "x")]),
        ("starved", "x", [("connecting", False), ("starved", "x")]),
    ):
        told.clear()
        cloud._on_client(event, detail)
        assert told == expected


async def test_what_fails_before_the_first_connection_is_for_that_to_tell():
    for error in (OSError("flash"), ValueError("invalid cert"), MemoryError()):
        cloud, _ = made(FakeStore())
        ran = asyncio.Event()

        async def run(ran=ran):
            ran.set()

        cloud.client.run = run
        with Without(cloud.opener, "prepare", error):
            await cloud.run()
        assert ran.is_set()
