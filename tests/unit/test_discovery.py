"""What Greengrass' discovery says: read in place, bounded, and kept whole or not at all."""

import json

from check import araises, raises
from documents import CLAIM, OWN, ROOT, pem
from iot.aws import discovery

NAME, ENDPOINT = "lamp", "a1-ats.iot.eu-central-1.amazonaws.com"
OWNER = b"lamp a1-ats.iot.eu-central-1.amazonaws.com"


def place(host, port=8883):
    return {"Id": host, "HostAddress": host, "PortNumber": port, "Metadata": ""}


def group(places, cas=(ROOT,), name="core"):
    return {"GGGroupId": name, "Cores": [{"thingArn": name, "Connectivity": places}], "CAs": list(cas)}


def said(*groups):
    return json.dumps({"GGGroups": list(groups)})


class Trust:
    """In the place of iot.trust, which takes all certificates but one."""

    def context(self, root_ca):
        assert root_ca.startswith(b"-----BEGIN CERTIFICATE-----\n"), root_ca
        if root_ca == pem().encode():
            raise ValueError("invalid cert")


class Lent:
    """Within a `with` a module borrows these in the place of its own."""

    def __init__(self, module, others):
        self._module, self._others = module, others
        others["iot.trust"] = Trust()

    def __enter__(self):
        self._before = self._module.borrow
        self._module.borrow = lambda name: self._others.get(name) or self._before(name)

    def __exit__(self, *error):
        self._module.borrow = self._before


def read(text):
    data = text.encode()
    answer = bytearray(6145)
    answer[: len(data)] = data
    with Lent(discovery, {}):
        return discovery.read(answer, len(data))


def test_addresses_come_in_their_order_each_with_its_group_s_cas():
    cores, groups = read(
        said(group([place("192.168.1.2"), place("a.home", 443)], [ROOT, CLAIM]), group([place("b")], [OWN]))
    )
    assert cores == [["192.168.1.2", 8883, 0], ["a.home", 443, 0], ["b", 8883, 1]]
    assert groups == [(ROOT + CLAIM).encode(), OWN.encode()]


def test_slashes_may_come_escaped():
    _, groups = read(said(group([place("a")])).replace("/", "\\/"))
    assert groups == [ROOT.encode()] and b"/" in groups[0]


def test_what_no_chip_can_reach_or_load_is_passed_over():
    places = [
        place("::1"),
        place("fe80::1"),
        place(""),
        place("a b"),
        place(5),
        place("a", "8883"),
        place("a", 0),
    ]
    assert read(said(group(places), group([place("b")], [pem()]), group([place("c")], []))) == ([], [])
    cores, groups = read(said(group([place("b")], [pem(), ROOT])))
    assert cores == [["b", 8883, 0]] and groups == [ROOT.encode()]


def test_there_are_no_more_than_so_many_addresses():
    cores, groups = read(said(*[group([place("a{}".format(i)), place("b")]) for i in range(5)]))
    assert len(cores) == 6 and len(groups) == 3 and cores[5] == ["b", 8883, 2]


def test_what_is_no_answer_is_refused():
    for text, reason in (
        ("", "not JSON"),
        ("{", "ends early"),
        (said(group([place("a")]))[:-20], "ends early"),
        ("[]", "no answer"),
        ('{"GGGroups": 5}', "no answer"),
        ('{"GGGroups": [5]}', "no answer"),
        (said(group([5])), "no answer"),
        (said(group([place("a")], ["nothing"])), "no answer"),
        ('{"GGGroups": "-----BEGIN CERTIFICATE-----', "ends early"),
    ):
        raises(ValueError, reason, read, text)


class FakeSystem:
    """With the thing's certificate, and a folder of sets of which it counts how often one was written."""

    folder = "/certs"
    parts = None
    written = 0

    def store(self):
        return self

    def Credentials(self, folder):
        assert folder == self.folder
        return self

    def load(self, name):
        assert name == "greengrass.cores"
        return self.parts

    def save(self, name, parts):
        self.parts, self.written = parts, self.written + 1

    def thing(self):
        return NAME, b"certificate", b"key"

    def thing_credentials(self):
        return b"roots", b"certificate", b"key"


class Https:
    """In the place of iot.https."""

    def __init__(self, text="", status=200, error=None):
        self.text, self.status, self.error = text, status, error

    async def request(self, buffer, method, url, load, into=None):
        self.asked = method, url, load()
        if self.error:
            raise self.error
        data = self.text.encode()[: len(into)]
        into[: len(data)] = data
        return self.status, {}, memoryview(into)[: len(data)]


def kept(system, name=NAME, endpoint=ENDPOINT):
    with Lent(discovery, {"iot.storage.store": system}):
        return discovery.kept(system, name, endpoint)


async def ask(system, https, endpoint=ENDPOINT):
    with Lent(discovery, {"iot.storage.store": system, "iot.https": https}):
        return await discovery.ask(system, NAME, endpoint)


async def test_what_is_said_is_kept_and_counts_for_this_thing_and_this_endpoint_alone():
    system, https = FakeSystem(), Https(said(group([place("a")])))
    assert kept(system) is None
    assert await ask(system, https) == ([["a", 8883, 0]], True)
    url = "https://greengrass-ats.iot.eu-central-1.amazonaws.com:8443/greengrass/discover/thing/lamp"
    assert https.asked == ("GET", url, (b"roots", b"certificate", b"key"))
    assert system.parts == {"thing": OWNER, "cores": b'[["a", 8883, 0]]', "ca0": ROOT.encode()}
    assert kept(system) == [["a", 8883, 0]]
    assert kept(system, NAME, "other") is None and kept(system, "other") is None
    with Lent(discovery, {"iot.storage.store": system}):
        assert discovery.credentials(system, 0) == (ROOT.encode(), b"certificate", b"key")


async def test_flash_is_written_where_something_is_new_alone():
    system = FakeSystem()
    for text, is_new, count in ((ROOT, True, 1), (ROOT, False, 1), (OWN, True, 2)):
        assert await ask(system, Https(said(group([place("a")], [text])))) == ([["a", 8883, 0]], is_new)
        assert system.written == count


async def test_a_thing_without_a_core_has_none_any_more():
    system = FakeSystem()
    await ask(system, Https(said(group([place("a")]))))
    assert await ask(system, Https("{}", 404)) == ([], True)
    assert kept(system) == []


async def test_where_it_is_not_answered_what_was_kept_stays():
    system = FakeSystem()
    await ask(system, Https(said(group([place("a")]))))
    before = dict(system.parts)
    for https, reason in (
        (Https("{}", 403), "status 403"),
        (Https("busy", 503), "status 503"),
        (Https(said(group([place("a")])) + " " * 6144), "over 6144 bytes"),
        (Https("<html>"), "not JSON"),
        (Https(error=OSError("x:8443: errno 104")), "errno 104"),
        (Https(error=MemoryError()), "no memory"),
    ):
        await araises(discovery.Unanswered, reason, ask(system, https))
        assert system.parts == before and system.written == 1


async def test_a_cloud_that_is_not_amazon_s_is_asked_itself():
    https = Https("{}", 404)
    await ask(FakeSystem(), https, "iot.example.com")
    assert https.asked[1].startswith("https://iot.example.com:8443/")
