"""Setting up: commits with every result, scans, and phones that come and go in the middle."""

import asyncio
import json
import sys

import iot
from documents import claim, own
from fakes import FakeLog, Without
from iot import memory
from iot.ble.codes import NAMES
from iot.ble.requests import Requests
from iot.ble.setup import Setup
from phone import COMMIT, CONFIG, GET, SCAN, STATUS, begin, piece

FACTS = {"mode": "CONFIG", "id": "esp32-240ac4000001", "version": "0.1.0"}
NETWORKS = [{"ssid": "Home", "rssi": -50, "security": "wpa2"}]


class FakePhone:
    """A Conversation's place: keeps what is sent; `gone` once the phone went away without a word."""

    def __init__(self):
        self.sent = []
        self.gone = False

    async def send(self, channel, plaintext):
        await asyncio.sleep_ms(0)
        if self.gone:
            raise OSError("it disconnected")
        self.sent.append((channel, json.loads(plaintext)))

    def on(self, channel):
        return [members for number, members in self.sent if number == channel]


class Bench:
    """A Setup at work; what it calls is here. `hold` stops it in the middle of a join or scan.

    there: whether the phone is, as far as the device has noticed.
    """

    def __init__(self):
        self.log = FakeLog()
        self.joins = {}  # result by SSID
        self.tried = []
        self.saved = []
        self.save_error = self.scan_error = None
        self.done = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.setup = Setup(FACTS, self._send, self._scan, self._join, self._save, self._done, self.log)
        self.requests = Requests(self.setup, None)
        self.phone = FakePhone()
        self.there = True

    async def __aenter__(self):
        self._task = asyncio.create_task(self.setup.run())
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass

    def ask(self, channel, request):
        return json.loads(self.requests.answer(channel, request))

    def hand_over(self, text):
        """BEGIN and DATA, from where the device is."""
        at = self.ask(CONFIG, begin(text))["at"]
        while at < len(text):
            at = self.ask(CONFIG, piece(text, at))["at"]

    async def commit(self, text):
        """Hands a text over and has it committed; returns the last answer."""
        self.hand_over(text)
        return await self.outcome()

    async def outcome(self):
        self.phone.sent.clear()
        assert self.ask(CONFIG, COMMIT)["name"] == "IN_PROGRESS"
        assert self.setup.committing
        await self.until(lambda: self.phone.on(CONFIG))
        return self.phone.on(CONFIG)[0]

    async def until(self, condition):
        for _ in range(200_000):
            if condition():
                return
            await asyncio.sleep_ms(1)
        raise AssertionError("did not come")

    async def _send(self, channel, plaintext):
        if self.there:
            await self.phone.send(channel, plaintext)

    async def _scan(self):
        await self.hold.wait()
        if self.scan_error:
            raise self.scan_error
        return NETWORKS

    async def _join(self, network):
        self.tried.append((network["ssid"], network["password"]))
        await self.hold.wait()
        result = self.joins.get(network["ssid"], "SUCCESS")
        return NAMES.index(result), 'network "{}": in words'.format(network["ssid"])

    def _save(self, document):
        if self.save_error:
            raise self.save_error
        self.saved.append(document)

    def _done(self):
        self.done += 1


def text_of(document):
    return json.dumps(document).encode()


def told(name, detail=None):
    members = {"op": 3, "code": NAMES.index(name), "name": name}
    if detail:
        members["detail"] = detail
    return members


def failed(b, answer, name, detail=""):
    """Nothing was stored, the status tells why, and the phone may go on."""
    assert answer["name"] == name and answer["code"] == NAMES.index(name) and answer["op"] == 3, answer
    assert detail in answer.get("detail", ""), answer
    assert b.saved == [] and b.done == 0 and not b.setup.committing
    status = b.ask(STATUS, GET)
    assert status["progress"] == {"step": "idle"}
    assert status["error"] == {
        "code": NAMES.index(name),
        "name": name,
        "detail": answer.get("detail", ""),
    }
    pushed = b.phone.on(STATUS)[-1]
    assert pushed == {"progress": status["progress"], "error": status["error"]}


async def test_a_commit_from_beginning_to_end():
    async with Bench() as b:
        assert await b.commit(text_of(claim())) == told("CONFIG_DONE")
        assert [push["progress"] for push in b.phone.on(STATUS)] == [
            {"step": "checking"},
            {"step": "joining", "ssid": "Home"},
            {"step": "storing"},
            {"step": "restarting"},
        ]
        assert b.phone.on(STATUS)[-1]["error"] is None
        assert len(b.saved) == 1 and b.saved[0]["wifi"][0]["ssid"] == "Home"
        assert b.saved[0]["aws"]["port"] == 8883  # validated, with defaults
        assert b.tried == [("Home", "correct horse")] and b.done == 1
        assert b.setup.document.size == 0


async def test_the_status_has_all_members():
    async with Bench() as b:
        expected = {"scanning": False, "networks": [], "progress": {"step": "idle"}, "error": None}
        expected.update(FACTS)
        expected.update({"op": 1, "code": 0, "name": "SUCCESS"})
        assert b.ask(STATUS, GET) == expected
        b.ask(CONFIG, begin(b"12345"))
        b.ask(CONFIG, piece(b"12345", 0, 3))
        assert b.ask(STATUS, GET)["progress"] == {"step": "receiving", "at": 3, "size": 5}


async def test_wifi_that_does_not_let_the_device_in():
    for result in ("WRONG_PASSWORD", "WRONG_SSID", "NO_ADDRESS", "UNKNOWN_FAILURE"):
        async with Bench() as b:
            b.joins = {"Home": result, "Café": result}
            answer = await b.commit(text_of(claim()))
            failed(b, answer, result, 'network "Home": in words')
            assert [ssid for ssid, _ in b.tried] == ["Home", "Café"]
            # The document is still there: with the access point in reach a commit is enough.
            b.joins = {}
            assert await b.outcome() == told("CONFIG_DONE") and b.done == 1


async def test_the_first_network_of_all_that_fail_is_told():
    async with Bench() as b:
        b.joins = {"Home": "WRONG_PASSWORD", "Café": "WRONG_SSID"}
        failed(b, await b.commit(text_of(claim())), "WRONG_PASSWORD", 'network "Home": in words')


async def test_the_second_of_several_networks_works():
    async with Bench() as b:
        b.joins = {"Home": "WRONG_SSID"}
        assert await b.commit(text_of(claim())) == told("CONFIG_DONE")
        assert b.tried == [("Home", "correct horse"), ("Café", "")]
        assert b.saved[0]["wifi"][0]["ssid"] == "Home"  # all of them are stored, in their order


async def test_documents_that_are_none():
    no_wifi, wrong_port = claim(), own()
    del no_wifi["wifi"]
    wrong_port["aws"]["port"] = 0
    no_claim = claim()
    del no_claim["aws"]["claim_key"]
    for text, name, detail in (
        (b"{", "INVALID_JSON", "document: ends early"),
        (text_of(claim())[:-1], "INVALID_JSON", "document: ends early"),
        (b"[]", "INVALID_JSON", "document: not a JSON object"),
        (b"\xff\0", "INVALID_JSON", "document: not JSON"),
        (text_of(no_wifi), "MISSING_ELEMENTS", "wifi: missing"),
        (text_of(no_claim), "MISSING_ELEMENTS", "aws.claim_key: missing (goes with template)"),
        (text_of(wrong_port), "INVALID_VALUE", "aws.port: an integer from 1 to 65535"),
        (b"{}", "MISSING_ELEMENTS", "wifi: missing"),
    ):
        async with Bench() as b:
            failed(b, await b.commit(text), name, detail)
            assert b.tried == []
            assert b.setup.document.size == 0  # the next one is another
            assert await b.commit(text_of(claim())) == told("CONFIG_DONE")


async def test_what_is_wrong_is_told_in_a_mode_that_keeps_no_code_of_it():
    wrong_port = own()
    wrong_port["aws"]["port"] = 0
    passing = ("iot.config", "iot.sections.")
    memory.stay([name for name in sys.modules if name.startswith("iot.") and not name.startswith(passing)])
    try:
        async with Bench() as b:
            detail = "aws.port: an integer from 1 to 65535"
            failed(b, await b.commit(text_of(wrong_port)), "INVALID_VALUE", detail)
    finally:
        memory._STAYING[:] = []


async def test_a_document_made_to_break_the_device():
    deep = claim()
    deep["app"] = "@"
    deep = text_of(deep).replace(b'"@"', b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")
    for text, names in (
        (b'{"' + b"x" * 9000 + b'":1}', ("INVALID_VALUE",)),
        (b'{"aws":' * 2000, ("INVALID_JSON",)),
        (b"[" * 16384, ("INVALID_JSON", "TOO_LARGE")),
        (deep, ("INVALID_VALUE", "INVALID_JSON")),
    ):
        async with Bench() as b:
            answer = await b.commit(text)
            assert answer["name"] in names, answer
            failed(b, answer, answer["name"])
            assert len(json.dumps(answer)) < 1000 and len(json.dumps(b.ask(STATUS, GET))) < 2000


async def test_a_name_that_is_too_long_is_told_in_part():
    async with Bench() as b:
        answer = await b.commit(b'{"' + b"x" * 9000 + b'":1}')
        assert answer["detail"] == "x" * 256


async def test_no_memory_to_read_it():
    class FullHeap:
        """Stands in for iot.config."""

        @staticmethod
        def parse(text):
            raise MemoryError

    iot.config = sys.modules["iot.config"] = FullHeap  # forgotten again once it was used
    async with Bench() as b:
        failed(b, await b.commit(b"{}"), "TOO_LARGE", "no memory to read it")
        assert b.setup.document.size == 0
    assert "iot.config" not in sys.modules


async def test_another_document_than_the_one_announced():
    text = text_of(claim())
    async with Bench() as b:
        b.ask(CONFIG, begin(text))
        for at in range(0, len(text), 1024):
            b.ask(CONFIG, piece(text[:-1] + b"]", at))
        failed(b, await b.outcome(), "CHECKSUM_FAILED")
        assert b.tried == [] and b.ask(CONFIG, begin(text))["at"] == 0


async def test_a_commit_before_all_is_there():
    text = text_of(claim())
    async with Bench() as b:
        for at in (0, 1024):
            if at:
                b.ask(CONFIG, begin(text))
                b.ask(CONFIG, piece(text, 0))
            answer = await b.outcome()
            failed(b, answer, "MISSING_PACKETS")
            assert answer["at"] == at
        assert await b.commit(text) == told("CONFIG_DONE")  # it goes on where it stopped


async def test_flash_that_fails():
    for error in (OSError(28, "ENOSPC"), ValueError("x" * 5000), MemoryError()):
        async with Bench() as b:
            b.save_error = error
            answer = await b.commit(text_of(claim()))
            failed(b, answer, "STORAGE_FAILED")
            assert len(answer.get("detail", "")) <= 256
            b.save_error = None
            assert await b.outcome() == told("CONFIG_DONE")


async def test_busy_while_a_commit_is_under_way():
    text = text_of(claim())
    async with Bench() as b:
        b.hand_over(text)
        b.hold.clear()
        b.ask(CONFIG, COMMIT)
        for _ in range(2):  # at once, and once it works at it
            for request in (COMMIT, begin(text), begin(text + b" "), piece(text, 0)):
                assert b.ask(CONFIG, request) == {"op": request[0], "code": 11, "name": "BUSY"}
            await b.until(lambda: b.tried)
        assert b.ask(STATUS, GET)["progress"] == {"step": "joining", "ssid": "Home"}
        b.hold.set()
        await b.until(lambda: b.done)
        assert b.phone.on(CONFIG) == [told("CONFIG_DONE")] and len(b.saved) == 1


async def test_the_phone_may_go_on_as_soon_as_it_has_the_answer():
    """On some link an answer is there before the call that sent it returns."""
    async with Bench() as b:
        seen = []

        class Quick(FakePhone):
            async def send(self, channel, plaintext):
                if channel == CONFIG:
                    seen.append(b.ask(CONFIG, begin(b"12345"))["name"])
                await super().send(channel, plaintext)

        b.phone = Quick()
        await b.commit(b"{")
        assert seen == ["SUCCESS"]


async def test_a_phone_that_goes_away_in_the_middle():
    """What it asked for is done all the same, whether the connection's end was noticed or not."""
    for noticed in (False, True):
        async with Bench() as b:
            b.hand_over(text_of(claim()))
            b.hold.clear()
            b.ask(CONFIG, COMMIT)
            await b.until(lambda: b.tried)
            b.phone.gone = True
            if noticed:
                b.there = False
            b.hold.set()
            await b.until(lambda: b.done)
            assert len(b.saved) == 1 and b.phone.on(CONFIG) == []


async def test_a_phone_that_comes_back_is_told_how_it_ended():
    text = text_of(claim())
    async with Bench() as b:
        b.joins = {"Home": "WRONG_PASSWORD", "Café": "WRONG_SSID"}
        b.hand_over(text)
        b.hold.clear()
        b.ask(CONFIG, COMMIT)
        await b.until(lambda: b.tried)
        b.there = False
        b.hold.set()
        await b.until(lambda: not b.setup.committing)
        b.phone, b.there = FakePhone(), True
        assert b.ask(STATUS, GET)["error"]["name"] == "WRONG_PASSWORD"
        b.joins = {}
        assert b.ask(CONFIG, begin(text))["at"] == len(text)
        assert await b.outcome() == told("CONFIG_DONE")
        assert b.phone.on(STATUS)[-1] == {"progress": {"step": "restarting"}, "error": None}


async def test_a_document_over_two_connections():
    text = text_of(claim())
    async with Bench() as b:
        b.ask(CONFIG, begin(text))
        b.ask(CONFIG, piece(text, 0, 700))
        b.there = False
        await asyncio.sleep_ms(1)
        b.phone, b.there = FakePhone(), True
        assert b.ask(CONFIG, begin(text)) == {"op": 1, "code": 0, "name": "SUCCESS", "at": 700}
        assert await b.commit(text) == told("CONFIG_DONE")


async def test_networks_are_looked_for_and_pushed():
    async with Bench() as b:
        b.hold.clear()
        b.ask(STATUS, SCAN)
        await b.until(lambda: b.phone.sent)
        assert b.phone.on(STATUS) == [{"scanning": True}] and b.ask(STATUS, GET)["scanning"] is True
        b.hold.set()
        await b.until(lambda: len(b.phone.sent) == 2)
        assert b.phone.on(STATUS)[1] == {"scanning": False, "networks": NETWORKS}
        status = b.ask(STATUS, GET)
        assert status["networks"] == NETWORKS and status["scanning"] is False


async def test_a_scan_that_fails_leaves_the_networks_known_before():
    async with Bench() as b:
        b.ask(STATUS, SCAN)
        await b.until(lambda: len(b.phone.sent) == 2)
        b.scan_error = OSError("the radio does not answer")
        b.ask(STATUS, SCAN)
        await b.until(lambda: len(b.phone.sent) == 4)
        assert b.phone.on(STATUS)[3] == {"scanning": False, "networks": NETWORKS}
        assert "the radio does not answer" in b.log.lines[-1]


async def test_a_scan_and_a_commit_wait_for_each_other():
    async with Bench() as b:
        b.hand_over(text_of(claim()))
        b.hold.clear()
        b.ask(STATUS, SCAN)
        await b.until(lambda: b.phone.sent)
        b.ask(CONFIG, COMMIT)
        await asyncio.sleep_ms(2)
        assert b.tried == []
        b.hold.set()
        await b.until(lambda: b.done)
        assert ["progress" in push for push in b.phone.on(STATUS)] == [False, False, True, True, True, True]


async def test_a_commit_for_which_there_is_no_memory_leaves_the_next_one_possible():
    async with Bench() as b:
        with Without(b.setup, "_join"):
            failed(b, await b.commit(text_of(claim())), "UNKNOWN_FAILURE", "no memory")
        assert (await b.commit(text_of(claim())))["name"] == "CONFIG_DONE" and len(b.saved) == 1
