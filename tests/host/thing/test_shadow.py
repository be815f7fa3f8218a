"""`thing NAME shadow get` and `set`, with a device that reports what is desired, or does not."""

from typing import Any

import pytest

from tests.host.thing.conftest import PATIENCE, Thing
from tests.host.thing.device import Device, register
from tests.peers.cloud_thread import CloudThread


def as_desired(delta: dict[str, Any]) -> dict[str, Any]:
    return delta


def update(cloud: CloudThread, name: str, payload: bytes) -> None:
    cloud.call(lambda it: it.shadows.update_thing_shadow(thingName=name, payload=payload))


def test_what_is_set_is_desired(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "sets")
    done = thing(
        "sets", "shadow", "set", "led=true", "color.r=7", 'color.g={"a": []}', 'name="Lücke"', "--json"
    )
    desired = {"led": True, "color": {"r": 7, "g": {"a": []}}, "name": "Lücke"}
    assert (done.status, done.value) == (0, {"shadow": "classic", "version": 1, "desired": desired})
    assert thing("sets", "shadow", "get", "--json").value["desired"] == desired

    done = thing("sets", "shadow", "set", "color.g=null", "led=null")
    assert (done.status, done.out) == (0, "shadow classic, version 2: desired now\n")
    value = thing("sets", "shadow", "get", "--json").value
    assert value["desired"] == {"color": {"r": 7}, "name": "Lücke"} == value["delta"]


def test_side_by_side_and_aligned(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "aligned")
    desired = '"desired": {"led": true, "name": "灯\\u001b"}'
    reported = '"reported": {"led": false, "deep": {"t": 1}}'
    update(cloud, "aligned", f'{{"state": {{{desired}, {reported}}}}}'.encode())
    assert thing("aligned", "shadow", "get").out.splitlines() == [
        "shadow classic, version 1  desired     reported  delta",
        "deep.t                     -           1         -",
        "led                        true        false     true",
        'name                       "灯\\u001b"  -         "灯\\u001b"',  # as wide as ten letters
    ]


def test_it_waits_for_the_report(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "reports", register(cloud, "reports"), reports=as_desired):
        done = thing("reports", "shadow", "set", "led=true", "color.r=7", "--wait", PATIENCE, "--json")
        assert (done.status, done.err) == (0, "")
        assert done.value["reported"] == done.value["desired"] == {"led": True, "color": {"r": 7}}
        assert done.value["delta"] == {}
        named = thing("reports", "shadow", "set", "hz=50", "--name", "config", "--wait", PATIENCE, "--json")
        assert (named.value["shadow"], named.value["reported"]) == ("config", {"hz": 50})
        assert (
            thing("reports", "shadow", "set", "led=null", "--wait", PATIENCE).status == 0
        )  # nobody reports that


def test_a_report_that_does_not_come(cloud: CloudThread, thing: Thing) -> None:
    def another(delta: dict[str, Any]) -> dict[str, Any]:
        return {"led": False, "color": {"r": 7}}

    with Device(cloud, "differs", register(cloud, "differs"), reports=another):
        assert thing("differs", "shadow", "set", "color.r=7", "--wait", PATIENCE).status == 0
        done = thing("differs", "shadow", "set", "led=true", "color.r=7", "hz=50", "--wait", "0.5", "--json")
    assert done.status == 1
    assert "within 0.5 s: led is false; hz is not reported" in done.failure["text"]
    assert "thing differs show" in done.failure["remedy"]


def test_a_shadow_that_is_not_there(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "bare")
    done = thing("bare", "shadow", "get", "--json")
    assert done.status == 1 and "shadow set" in done.failure["remedy"]
    thing("bare", "shadow", "set", "a=1", "--name", "config")
    done = thing("bare", "shadow", "get", "--name", "other", "--json")
    assert done.status == 1 and "no shadow 'other'" in done.failure["text"]
    assert done.failure["remedy"] == "These there are: config."


def test_what_the_cloud_refuses(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "refused")
    done = thing("refused", "shadow", "set", "a.b.c.d.e.f.g=1", "--json")
    assert done.status == 1 and done.failure["text"].startswith(
        "UpdateThingShadow: JSON contains too many levels"
    )
    assert "InvalidRequestException" in done.failure["remedy"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "KEY=JSON"),
        (("led",), "KEY=JSON"),
        (("=1",), "KEY=JSON"),
        (("a..b=1",), "KEY=JSON"),
        (("led=on",), """'led="on"'"""),
        (("t=NaN",), "no JSON"),
        (("t=" + "[" * 100_000,), "no JSON"),
        (("a=1", "a.b=2"), "a.b: given twice"),
        (("a.b=1", "a=2"), "a: given twice"),
        (('a={"c": 1}', "a.b=2"), "a.b: given twice"),
    ],
)
def test_wrong_arguments(thing: Thing, arguments: tuple[str, ...], told: str) -> None:
    done = thing("x", "shadow", "set", *arguments, "--json")
    assert done.status == 2 and told in done.objects[0]["text"]
