"""`thing`, `thing NAME` and `thing NAME show`: what is known of things."""

import datetime as dt
import re

import pytest

from tests.host.thing.conftest import PATIENCE, Thing
from tests.host.thing.device import Device, register
from tests.patience import block_until
from tests.peers.cloud_thread import CloudThread


@pytest.fixture(scope="module", autouse=True)
def types(cloud: CloudThread) -> None:
    cloud.call(lambda it: it.registry.groups.create_thing_type(thingTypeName="Lamp"))


def test_the_list(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "here", register(cloud, "here", thingTypeName="Lamp")):
        register(cloud, "there")
        rows = {line.split()[0]: line for line in thing().out.splitlines()}
        assert re.fullmatch(r"name +type +connected", rows["name"])
        assert re.match(r"here +Lamp +since \d{4}-\d\d-\d\d", rows["here"])
        assert re.match(r"there +- +no", rows["there"])
        objects = {it["value"]["thingName"]: it["value"] for it in thing("--json").objects}
        assert objects["here"]["thingTypeName"] == "Lamp"
        assert objects["here"]["connection"]["connected"] is True
        assert objects["there"]["connection"] == {"connected": False}
        shorter = thing("--count", "1")
        assert len(shorter.out.splitlines()) == 2 and "1 of more" in shorter.err


def test_all_of_one(cloud: CloudThread, thing: Thing) -> None:
    files = register(cloud, "whole", thingTypeName="Lamp", attributePayload={"attributes": {"place": "hall"}})
    with Device(cloud, "whole", files, reports=lambda delta: delta):
        thing("whole", "shadow", "set", "a=1", "--wait", PATIENCE)
        thing("whole", "shadow", "set", "a=1", "--name", "config")
        for _ in range(7):
            thing("whole", "job", "run", "blink", "--wait", "0.1")
        value = thing("whole", "show", "--json").value
        assert value["thing"]["attributes"] == {"place": "hall"}
        assert value["connection"]["connected"] is True and value["connection"]["keepAliveDuration"] == 60
        assert value["connection"]["connectedSince"].endswith("Z")
        (certificate,) = value["certificates"]
        assert certificate["status"] == "ACTIVE"
        assert dt.datetime.fromisoformat(certificate["ends"]) > dt.datetime.now(dt.UTC)
        assert value["shadows"] == ["classic", "config"]
        assert len(value["jobs"]) == 5 and {it["status"] for it in value["jobs"]} == {"QUEUED"}
        text = thing("whole").out
        assert text == thing("whole", "show").out
        assert re.search(r"^thing +whole, of type Lamp$", text, re.MULTILINE)
        assert re.search(r"^attribute +place=hall$", text, re.MULTILINE)
        assert re.search(
            r"^certificate +[0-9a-f]{12}… ACTIVE, ends \d{4}-.*, in [0-9,]+ days$", text, re.MULTILINE
        )
        assert "shadows      classic, config\n" in text and text.count("QUEUED") == 5


def test_why_it_is_not_connected(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "gone", register(cloud, "gone")):
        pass

    def gone() -> bool:
        return not thing("gone", "--json").value["connection"]["connected"]

    block_until(gone, "the cloud to see it go")
    assert re.search(r"no, since .*: CLIENT_INITIATED_DISCONNECT", thing("gone").out)


def test_an_inactive_certificate_and_none(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "inactive")
    principal = cloud.call(lambda it: it.registry.list_thing_principals(thingName="inactive"))["principals"][
        0
    ]
    identifier = principal.partition("cert/")[2]
    cloud.call(lambda it: it.registry.update_certificate(certificateId=identifier, newStatus="INACTIVE"))
    assert f"{identifier[:12]}… INACTIVE, ends" in thing("inactive").out
    cloud.call(lambda it: it.registry.create_thing(thingName="uncertified"))
    assert re.search(r"^certificate +none is attached$", thing("uncertified").out, re.MULTILINE)


def test_no_such_thing(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "exists")
    for arguments in (("show",), ("shadow", "get"), ("job", "list"), ("command", "run", "x"), ("logs",)):
        done = thing("exits", *arguments, "--json")
        assert done.status == 1 and "no thing is called 'exits'" in done.failure["text"]
        assert done.failure["remedy"].startswith("These there are: ") and "exists" in done.failure["remedy"]
