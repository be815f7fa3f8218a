"""Configuration and certificates in flash: replaced whole or not at all. The files are real ones."""

import copy
import errno
import json
import os
from pathlib import Path

import pytest
from check import raises
from documents import CLAIM, CLAIM_KEY, OWN, OWN_KEY, ROOT, claim, own
from documents import pem as wrapped
from fakes import FakeNVS
from hypothesis import given, settings
from hypothesis import strategies as st
from iot import config
from iot.crypto import pem
from iot.storage import schema
from iot.storage.record import Record
from iot.storage.store import Credentials, Store

FOLDER = "credentials"
DER = pem.certificate(ROOT)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test that fails leaves there stays out of the repository."""
    monkeypatch.chdir(tmp_path)


def make(nvs=None):
    """A Store in an empty folder, and its NVS."""
    empty()
    nvs = nvs or FakeNVS()
    return Store(Record(nvs, "config", 2000), Credentials(FOLDER)), nvs


def empty():
    try:
        for name in os.listdir(FOLDER):
            os.remove(FOLDER + "/" + name)
        os.rmdir(FOLDER)
    except OSError:
        pass


def test_nothing_is_stored_yet():
    store, _ = make()
    assert store.load() is None
    assert not os.listdir(".").count(FOLDER)


def test_a_configuration_comes_back_without_its_certificates():
    store, _ = make()
    document = config.validate(claim())
    store.save(document)
    assert store.load() == config.plain(document)
    certificates = store.certificates()
    assert certificates == {
        "root_ca": DER,
        "claim_certificate": pem.certificate(CLAIM),
        "claim_key": pem.key(CLAIM_KEY),
    }
    assert store.thing() is None
    empty()


def test_what_one_store_has_read_another_need_not():
    store, nvs = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", OWN, OWN_KEY)
    read, get_blob = [], nvs.get_blob

    def counted(key, buffer):
        read.append(key)
        return get_blob(key, buffer)

    nvs.get_blob = counted
    first = Store(Record(nvs, "config", 2000), Credentials(FOLDER))
    plain = first.load()
    assert first.thing()[0] == "lamp-1" and first.claim_credentials() and len(read) == len(set(read)) > 0
    read.clear()
    other = Store(Record(nvs, "config", 2000), Credentials(FOLDER), first.stored)
    assert other.thing()[0] == "lamp-1" and other.claim_credentials() and not read
    other.save(config.validate(own()))
    assert other.load() == config.plain(config.validate(own())) != plain
    empty()


def test_a_new_configuration_replaces_the_old_one_and_its_files():
    store, _ = make()
    for round_ in range(4):
        document = claim()
        document["wifi"][0]["ssid"] = f"Net {round_}"
        document["aws"]["root_ca"] = ROOT + (CLAIM if round_ % 2 else OWN)
        store.save(config.validate(document))
        assert store.load()["wifi"][0]["ssid"] == f"Net {round_}"
        assert store.certificates()["root_ca"] == DER + pem.certificate(CLAIM if round_ % 2 else OWN)
        assert len(os.listdir(FOLDER)) == 1
    empty()


def test_of_a_configuration_that_cannot_be_stored_nothing_stays():
    for before, on_trial in ((False, False), (True, False), (True, True)):
        store, nvs = make()
        if before:
            store.save(config.validate(claim()))
        kept = dict(nvs.values), os.listdir(FOLDER) if before else []
        document = config.validate(own())
        document["app"] = {"x": "y" * 2000}  # as a firmware that allows more may have it
        raises(ValueError, "config: ", store.save, document, on_trial)
        nvs.set_blob = fails
        document["app"] = {}
        raises(OSError, "ESP_ERR_NVS_NOT_ENOUGH_SPACE", store.save, document, on_trial)
        assert (nvs.values, os.listdir(FOLDER)) == kept
        assert (store.load() is not None) == before
    empty()


def fails(key, value):
    raise OSError(-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")


def test_a_configuration_that_was_begun_is_erased_with_the_rest():
    store, _ = make()
    store.save(config.validate(claim()))
    with open(FOLDER + "/document.new", "w") as file:
        file.write(claim()["aws"]["claim_key"])
    store.erase()
    assert os.listdir(FOLDER) == []
    empty()


def test_who_asks_for_greengrass_says_so_once_stored_and_leaves_tls_the_room_of_rsa():
    store, _ = make()
    for asked, is_light in ((None, True), (False, True), (True, False)):
        document = claim()
        if asked is not None:
            document["aws"]["greengrass"] = asked
        store.save(config.validate(document))
        assert store.load()["aws"].get("greengrass") is (asked or None) and store.stored["light"] is is_light
    Credentials(FOLDER).save("greengrass.cores", {"thing": b"x"})  # of iot.aws.discovery
    store.erase()
    assert os.listdir(FOLDER) == []
    empty()


def test_no_secret_key_is_kept_in_nvs():
    store, nvs = make()
    store.save(config.validate(claim()))
    for value in nvs.values.values():
        assert b"BEGIN" not in value
    empty()


def test_the_thing_s_certificate_belongs_to_its_endpoint():
    store, _ = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", wrapped(size=310), wrapped("PRIVATE KEY", 138))
    name, certificate, key = store.thing()
    assert (name, len(certificate), len(key)) == ("lamp-1", 310, 138)
    other = claim()
    other["wifi"][0]["ssid"] = "Moved"
    store.save(config.validate(other))
    assert store.thing()[0] == "lamp-1"  # another Wi-Fi leaves it
    other["aws"]["endpoint"] = "other.example.com"
    store.save(config.validate(other))
    assert store.thing() is None
    empty()


def test_a_certificate_on_trial_comes_first_and_the_one_before_it_stays():
    for is_kept in (True, False):
        store, _ = make()
        store.save(config.validate(claim()))
        store.save_thing("broker.example.com", "lamp-1", wrapped(size=310), wrapped("PRIVATE KEY", 138))
        assert len(store.thing()[1]) == 310 and not store.on_trial
        der = pem.key(wrapped("PRIVATE KEY", 140))  # a key of the device's own comes as DER
        store.save_thing("broker.example.com", "lamp-1", wrapped(size=320), der, True)
        for _ in range(2):
            assert store.thing() == ("lamp-1", pem.certificate(wrapped(size=320)), der) and store.on_trial
        assert store.thing_credentials()[1:] == store.thing()[1:]
        store.settle(is_kept)
        assert len(store.thing()[1]) == (320 if is_kept else 310) and not store.on_trial
        assert sorted(os.listdir(FOLDER)) == ["config0", "thing"]
    empty()


def test_a_trial_belongs_to_its_endpoint_and_yields_to_a_configured_certificate():
    store, _ = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", wrapped(size=310), wrapped("PRIVATE KEY", 138))
    store.save_thing("other.example.com", "lamp-1", wrapped(size=320), wrapped("PRIVATE KEY", 138), True)
    assert len(store.thing()[1]) == 310 and not store.on_trial
    store.save(config.validate(own()))
    assert store.thing()[0] == "lamp:7" and not store.on_trial
    empty()


def test_a_configuration_on_trial_has_the_one_before_it_beside_it():
    for is_kept in (True, False):
        store, _ = make()
        store.save(config.validate(claim()))
        store.save_thing("broker.example.com", "lamp-1", wrapped(size=310), wrapped("PRIVATE KEY", 138))
        assert not store.settle_configuration(is_kept)
        other = claim()
        other["aws"]["endpoint"] = "other.example.com"
        store.save(config.validate(other), True)
        assert store.load()["aws"]["endpoint"] == "other.example.com" and store.thing() is None
        store.save_thing("other.example.com", "lamp-2", wrapped(size=320), wrapped("PRIVATE KEY", 138))
        assert store.thing()[0] == "lamp-2" and store.on_trial
        assert store.settle_configuration(is_kept) and not store.settle_configuration(is_kept)
        if is_kept:
            store.settle(True)
        assert store.load()["aws"]["endpoint"] == ("other" if is_kept else "broker") + ".example.com"
        assert store.thing()[0] == ("lamp-2" if is_kept else "lamp-1") and not store.on_trial
        assert sorted(os.listdir(FOLDER)) == ["config" + str(int(is_kept)), "thing"]
        assert store.certificates()["claim_key"]
    empty()


def test_what_another_cloud_has_assigned_gives_way_with_its_configuration():
    """The thing of the cloud before is there as long as that may come back."""
    azure = {"id_scope": "0ne1", "root_ca": ROOT, "group_key": "A" * 44}
    for is_kept in (False, True):
        store, _ = make()
        store.save(config.validate(claim()))
        store.save_thing("broker.example.com", "lamp-1", OWN, OWN_KEY)
        before = store.thing()
        assert before[0] == "lamp-1" and store.hub() is None
        store.save(config.validate({"wifi": claim()["wifi"], "azure": azure}), True)
        store.save_assigned("lamp-2", "hub.example.net")
        assert store.thing() == ("lamp-2", None, None) and store.hub() == "hub.example.net"
        assert store.settle_configuration(is_kept)
        store.load()
        if is_kept:
            assert (store.thing()[0], store.hub()) == ("lamp-2", "hub.example.net")
        else:
            assert store.thing() == before and store.hub() is None
        assert sorted(os.listdir(FOLDER)) == ["config" + str(int(is_kept)), "thing"]
        empty()


def test_one_that_a_person_brings_ends_a_trial():
    store, _ = make()
    store.save(config.validate(claim()))
    store.save(config.validate(claim()), True)
    store.save(config.validate(own()))
    assert not store.settle_configuration(False) and store.load()["aws"]["thing_name"] == "lamp:7"
    store.save(config.validate(claim()), True)
    store.save(config.validate(claim()), True)
    assert store.settle_configuration(False) and "thing_name" not in store.load()["aws"]
    store.save(config.validate(claim()), True)
    store.erase()
    assert os.listdir(FOLDER) == []
    empty()


def test_a_damaged_trial_is_as_good_as_none():
    store, _ = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", wrapped(size=310), wrapped("PRIVATE KEY", 138))
    store.save_thing("broker.example.com", "lamp-1", wrapped(size=320), wrapped("PRIVATE KEY", 138), True)
    with open(FOLDER + "/next", "rb+") as file:
        file.seek(60)
        file.write(b"?")
    assert len(store.thing()[1]) == 310 and not store.on_trial
    empty()


def test_a_configured_certificate_is_the_thing_s():
    store, _ = make()
    store.save(config.validate(own()))
    name, certificate, key = store.thing()
    assert (name, certificate, key) == ("lamp:7", pem.certificate(OWN), pem.key(OWN_KEY))
    empty()


def test_erasing_leaves_nothing():
    store, nvs = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", wrapped(), wrapped("PRIVATE KEY"))
    store.erase()
    assert store.load() is None
    assert not nvs.values and not os.listdir(FOLDER)
    store.erase()
    empty()


def test_damaged_files_are_as_good_as_none():
    store, _ = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", wrapped(), wrapped("PRIVATE KEY"))
    for name in ("thing", "config0"):
        path = FOLDER + "/" + name
        with open(path, "rb") as file:
            whole = file.read()
        for damaged in (b"", b"abc", whole[:-1], whole[:50] + b"?" + whole[51:]):
            with open(path, "wb") as file:
                file.write(damaged)
            assert (store.thing() if name == "thing" else store.load()) is None, (name, len(damaged))
    empty()


def test_a_certificate_that_is_none_is_not_stored():
    store, _ = make()
    store.save(config.validate(claim()))
    raises(ValueError, "no certificate, but", store.save_thing, "e", "lamp", "x", wrapped("PRIVATE KEY"))
    raises(ValueError, "no private key, but", store.save_thing, "e", "lamp", CLAIM, CLAIM)
    assert store.thing() is None
    empty()


def test_too_much_for_one_set():
    empty()
    raises(ValueError, "big: ", Credentials(FOLDER).save, "big", {"a": bytes(9000), "b": bytes(9000)})
    assert Credentials(FOLDER).load("big") is None
    empty()


def everything(nvs):
    """All that is stored: NVS and the files."""
    files = {}
    for name in os.listdir(FOLDER):
        with open(FOLDER + "/" + name, "rb") as file:
            files[name] = file.read()
    return dict(nvs.values), files


def stored_by(nvs, value):
    """Another firmware's record takes the place of this one's."""
    Record(nvs, "config", 1 << 16).store(value)


def with_identity():
    store, nvs = make()
    store.save(config.validate(claim()))
    store.save_thing("broker.example.com", "lamp-1", wrapped(size=310), wrapped("PRIVATE KEY", 138))
    return store, nvs


def of_another_firmware(version=7, **members):
    plain = config.plain(config.validate(claim()))
    plain.update(members)
    return json.dumps({"version": version, "set": 0, "config": plain, "more": [1]}).encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
RECORDS = (
    st.binary(min_size=1, max_size=60)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"set": VALUES, "config": VALUES}).map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(("wifi", "aws", "time", "ota", "app")), VALUES).map(
        lambda members: of_another_firmware(**members)
    )
)


@settings(deadline=None)
@given(RECORDS)
def test_loading_changes_nothing_whatever_is_stored(value):
    _, nvs = with_identity()
    stored_by(nvs, value)
    before = everything(nvs)
    store = Store(Record(nvs, "config", 2000), Credentials(FOLDER))
    store.load()
    store.thing() if store.load() else None
    assert everything(nvs) == before
    empty()


def test_loading_changes_nothing_where_a_copy_is_too_large_for_any_firmware_so_far():
    store, nvs = with_identity()
    stored_by(nvs, bytes(20000))
    stored_by(nvs, bytes(20000))
    before = everything(nvs)
    assert store.load() is None and everything(nvs) == before
    empty()


def test_a_firmware_that_was_rolled_back_reads_what_a_newer_one_stored():
    store, nvs = with_identity()
    config_then = store.load()
    for more in ({"later": {"a": 1}}, {"app": {"text": "x" * 3000}}):
        stored_by(nvs, of_another_firmware(**more))
        stored_by(nvs, of_another_firmware(**more))  # also where both copies are a newer one's
        found = store.load()
        assert found == {**config_then, **more}
        assert store.thing()[0] == "lamp-1" and store.claim_credentials()
    empty()


def test_what_firmware_0_1_stored_is_read():
    store, nvs = with_identity()
    plain = store.load()
    stored_by(nvs, json.dumps({"set": 0, "config": plain}).encode())
    assert store.load() == plain and store.thing()[0] == "lamp-1"
    empty()


def paths(value, path=()):
    """Where every member and every element is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def without(document, path):
    result = copy.deepcopy(document)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return result


def test_whatever_member_may_be_missing_has_the_validator_s_default_when_it_is_read():
    """The test that a member of the next feature fails which has a default in iot.config alone."""
    seen = []
    for source in (claim(), own()):
        source["time"], source["ota"], source["app"] = {}, {}, {"x": 1}
        whole = config.validate(source)
        for path in paths(config.plain(whole)):
            try:
                expected = config.plain(config.validate(without(whole, path)))
            except config.ConfigError:
                continue  # it may not be missing
            record = json.dumps({"set": 1, "config": without(config.plain(whole), path)}).encode()
            assert schema.read(record) == {"set": 1, "cloud": "aws", "config": expected}, path
            seen.append(path)
    assert {("time",), ("time", "ntp"), ("ota",), ("app",), ("aws", "port")} <= set(seen)


def test_a_factory_reset_that_was_cut_is_finished_also_by_firmware_0_1():
    """Which took an empty record for none, and erased."""
    store, nvs = with_identity()
    Record(nvs, "config", 2000).store(b"")
    assert store.load() is None
    assert not nvs.values and not os.listdir(FOLDER)
    empty()


def test_without_a_configuration_nobody_is_the_thing():
    store, _ = make()
    assert store.thing() is None
    store.save(config.validate(own()))
    assert store.thing_credentials() == (DER, pem.certificate(OWN), pem.key(OWN_KEY))


def test_what_renewal_remembers_goes_with_the_configuration():
    store, _ = make()
    store.save(config.validate(claim()))
    assert store.renewal() is None
    assert store.renewal(b"state") == b"state" == store.renewal()
    store.save_thing("broker.example.com", "lamp-1", OWN, OWN_KEY)
    assert store.renewal() == b"state"
    store.save(config.validate(claim()))
    assert store.renewal() is None


def test_files_that_cannot_be_read_are_not_taken_for_none(tmp_path: Path):
    store, _ = make()
    store.save(config.validate(claim()))
    credentials = Credentials(FOLDER)
    (tmp_path / FOLDER / "folder").mkdir()
    for call in (credentials.load, credentials.remove):
        try:
            call("folder")
            raise AssertionError("taken for none")
        except OSError as error:
            assert error.errno != errno.ENOENT


def test_a_set_that_ends_anywhere_is_none(tmp_path: Path):
    store, _ = make()
    store.save(config.validate(claim()))
    file = tmp_path / FOLDER / "config0"
    whole = file.read_bytes()
    for end in (*range(12), *range(12, len(whole), 37), len(whole) - 1):
        file.write_bytes(whole[:end])
        assert Credentials(FOLDER).load("config0") is None, end
    file.write_bytes(whole + b"x")
    assert Credentials(FOLDER).load("config0") is None
