"""Device Defender: what a device reports of itself, and what is kept of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.host.cloud import support as raw
from tests.host.cloud.shapes import checked
from tests.host.cloud.support import NOW_S, Bench, Clock, Peer, bench
from tests.host.cloud.test_restart import Process
from tools.cloud import Cloud
from tools.cloud.defender.report import InvalidReport, parse
from tools.cloud.errors import (
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)

TOPIC = "$aws/things/lamp/defender/metrics/json"
METRICS = {
    "listening_tcp_ports": {"ports": [{"interface": "eth0", "port": 24800}, {"port": 22}], "total": 2},
    "listening_udp_ports": {"ports": [{"interface": "eth0", "port": 5353}], "total": 1},
    "network_stats": {"bytes_in": 29358693495, "bytes_out": 26485035, "packets_in": 1, "packets_out": 0},
    "tcp_connections": {
        "established_connections": {
            "connections": [{"local_interface": "eth0", "local_port": 80, "remote_addr": "192.168.0.1:8000"}],
            "total": 1,
        }
    },
}
CUSTOM: dict[str, list[dict[str, Any]]] = {
    "MyMetricOfType_Number": [{"number": 1}],
    "MyMetricOfType_NumberList": [{"number_list": [1, 2.5]}],
    "MyMetricOfType_StringList": [{"string_list": ["value_1"]}],
    "MyMetricOfType_IpList": [{"ip_list": ["172.0.0.0", "2001:db8::/32"]}],
}
SHORT = {
    "hed": {"rid": 1530305228, "v": "1.0"},
    "met": {
        "tp": {"pts": [{"if": "eth0", "pt": 24800}, {"pt": 22}], "t": 2},
        "up": {"pts": [{"if": "eth0", "pt": 5353}], "t": 1},
        "ns": {"bi": 29358693495, "bo": 26485035, "pi": 1, "po": 0},
        "tc": {"ec": {"cs": [{"li": "eth0", "lp": 80, "rad": "192.168.0.1:8000"}], "t": 1}},
    },
    "cmet": CUSTOM,
}

BAD_METRICS: list[Any] = [
    [], {"unknown": 1}, {"network_stats": []}, {"network_stats": {"bytes_in": -1}},
    {"network_stats": {"bytes_in": True}}, {"network_stats": {"bytes_in": "1"}},
    {"listening_tcp_ports": {"ports": {}}}, {"listening_tcp_ports": {"ports": [{"port": 0}]}},
    {"listening_tcp_ports": {"ports": [{}]}}, {"listening_tcp_ports": {"ports": [1]}},
    {"tcp_connections": {"established_connections": {"connections": [{"local_port": 1}]}}},
]  # fmt: skip
BAD_CUSTOM: list[Any] = [
    [], {"a": 1}, {"a": []}, {"a": [1]}, {"a": [{}]}, {"a": [{"number": 1}, {"number": 2}]},
    {"a": [{"number": 1, "ip_list": []}]}, {"a": [{"text": "x"}]}, {"a": [{"number": "1"}]},
    {"a": [{"number": True}]}, {"a": [{"number": 10**400}]}, {"a": [{"number_list": 1}]},
    {"a": [{"string_list": [1]}]}, {"a": [{"ip_list": ["1.2.3"]}]}, {"a": [{"ip_list": [1]}]},
    {"a b": [{"number": 1}]}, {"": [{"number": 1}]},
]  # fmt: skip


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        running.cloud.registry.create_thing(thingName="lamp")
        yield running


def report(identifier: Any = 1, **more: Any) -> dict[str, Any]:
    return {"header": {"report_id": identifier, "version": "1.0"}, "metrics": {}} | more


def declare(cloud: Bench, name: str, kind: str, token: str = "t") -> None:
    made = cloud.cloud.defender.create_custom_metric(
        metricName=name, metricType=kind, clientRequestToken=token
    )
    checked("iot", "CreateCustomMetric", made)


async def device(cloud: Bench) -> Peer:
    peer = await cloud.client("lamp")
    for verdict in ("accepted", "rejected"):
        await peer.subscribe(f"{TOPIC}/{verdict}")
    return peer


async def send(peer: Peer, said: dict[str, Any] | bytes) -> dict[str, Any]:
    await peer.publish(TOPIC, said if isinstance(said, bytes) else json.dumps(said).encode())
    answer = await peer.message()
    payload = json.loads(answer.payload)
    assert answer.topic == f"{TOPIC}/{payload['status'].lower()}"
    return payload


@pytest.mark.parametrize("short", [False, True])
async def test_a_report_is_kept_by_its_long_names(cloud: Bench, short: bool) -> None:
    """AWS's two examples, "Device metrics document specification"."""
    for name, kind in zip(CUSTOM, ("number", "number-list", "string-list", "ip-address-list"), strict=True):
        declare(cloud, name, kind)
    peer = await device(cloud)
    said = SHORT if short else report(1530305228, metrics=METRICS, custom_metrics=CUSTOM)
    assert await send(peer, said) == {
        "thingName": "lamp",
        "reportId": 1530305228,
        "status": "ACCEPTED",
        "timestamp": int(NOW_S * 1000),
    }
    assert cloud.cloud.defender.metrics("lamp") == [
        {
            "received_s": NOW_S,
            "report_id": 1530305228,
            "version": "1.0",
            "metrics": METRICS,
            "custom_metrics": {name: entries[0] for name, entries in CUSTOM.items()},
        }
    ]


async def test_values_of_a_metric_by_their_times(cloud: Bench, clock: Clock) -> None:
    declare(cloud, "heap", "number")
    declare(cloud, "names", "string-list")
    peer = await device(cloud)
    for number in (1, 2):
        said = (
            {"heap": [{"number": number}], "names": [{"string_list": ["a"]}]}
            if number == 1
            else {"heap": [{"number": 2}]}
        )
        assert (await send(peer, report(number, custom_metrics=said)))["status"] == "ACCEPTED"
        clock.now_s += 300
    values = partial(cloud.cloud.defender.list_metric_values, thingName="lamp")
    ever: dict[str, Any] = {"startTime": NOW_S, "endTime": NOW_S + 300}
    found = checked("iot", "ListMetricValues", values(metricName="heap", **ever))
    assert found["metricDatumList"] == [
        {"timestamp": NOW_S + 300, "value": {"number": 2}}, {"timestamp": NOW_S, "value": {"number": 1}},
    ]  # fmt: skip
    first: dict[str, Any] = {"startTime": NOW_S, "endTime": NOW_S + 1}
    assert [it["value"] for it in values(metricName="heap", **first)["metricDatumList"]] == [{"number": 1}]
    assert [it["value"] for it in values(metricName="names", **ever)["metricDatumList"]] == [
        {"strings": ["a"]}
    ]
    with pytest.raises(ResourceNotFoundException):
        values(metricName="unknown", **ever)
    with pytest.raises(InvalidRequestException):
        values(metricName="heap", startTime=2, endTime=1)


async def test_one_report_in_five_minutes_with_a_growing_id(cloud: Bench, clock: Clock) -> None:
    peer = await device(cloud)
    assert (await send(peer, report(5)))["status"] == "ACCEPTED"
    clock.now_s += 299.9
    answer = await send(peer, report(6))
    assert (answer["status"], answer["statusDetails"]["ErrorCode"], answer["reportId"]) == (
        "REJECTED",
        "Throttled",
        6,
    )
    assert (await cloud.event("rejected")).reason == "Throttled"
    clock.now_s += 0.1
    for stale in (5, 4):
        answer = await send(peer, report(stale))
        assert answer["statusDetails"]["ErrorCode"] == "InvalidPayload"
        assert "must be more than the last one's, 5" in answer["statusDetails"]["ErrorMessage"]
    assert (await send(peer, report(6)))["status"] == "ACCEPTED"
    assert [kept["report_id"] for kept in cloud.cloud.defender.metrics("lamp")] == [5, 6]


async def test_a_metric_that_nobody_declared_is_left_out(cloud: Bench) -> None:
    declare(cloud, "heap", "number")
    declare(cloud, "names", "string-list")
    peer = await device(cloud)
    said = {"heap": [{"number": 7}], "names": [{"number": 1}], "unknown": [{"number": 1}]}
    assert (await send(peer, report(custom_metrics=said)))["status"] == "ACCEPTED"
    assert cloud.cloud.defender.metrics("lamp")[0]["custom_metrics"] == {"heap": {"number": 7}}
    told = [event.detail for event in cloud.events if event.reason == "metric left out"]
    assert told == [
        f"{TOPIC}: names is declared as string-list, and came as number",
        f"{TOPIC}: unknown is not declared, and came as number",
    ]


async def test_a_thing_that_is_not_registered(cloud: Bench) -> None:
    peer = await cloud.client("x")
    topic = "$aws/things/x/defender/metrics/json"
    await peer.subscribe(f"{topic}/rejected")
    await peer.publish(topic, json.dumps(report()).encode())
    details = json.loads((await peer.message()).payload)["statusDetails"]
    assert details == {"ErrorCode": "ResourceNotFound", "ErrorMessage": "thing x does not exist"}


async def test_the_reports_of_a_day_are_kept(cloud: Bench, clock: Clock) -> None:
    defender = cloud.cloud.defender
    for number in range(290):
        defender._take("lamp", parse(json.dumps(report(number)).encode()))
        clock.now_s += 300
    assert [kept["report_id"] for kept in defender.metrics("lamp")] == list(range(2, 290))


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\xff", b"[]", b"{}", b"[" * 500, b'{"a":' * 500 + b"1" + b"}" * 500, b"\0" * 131_072,
        b'{"header":{"report_id":1,"version":"1.0"},"metrics":{},"metrics":{}}',
        b'{"header":{"report_id":1,"version":"1.0"},"metrics":{"network_stats":{"bytes_in":NaN}}}',
        b'{"header":{"report_id":1,"version":"1.0"},"metrics":{"network_stats":{"bytes_in":1e999}}}',
    ],
)  # fmt: skip
async def test_hostile_reports(cloud: Bench, payload: bytes) -> None:
    peer = await device(cloud)
    assert (await send(peer, payload))["statusDetails"]["ErrorCode"] == "InvalidPayload"
    assert (await send(peer, report()))["status"] == "ACCEPTED"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        *(({"header": bad}, "header") for bad in (None, 1, {}, {"version": "1.0"})),
        *((report(bad), "report_id") for bad in ("1", True, 1.5, -1, 1 << 63, None)),
        *(
            ({"header": {"report_id": 1, "version": bad}, "metrics": {}}, "version")
            for bad in (1.0, "1", "1.", "a.b", None, "1.0.0")
        ),
        ({"header": {"report_id": 1, "version": "1.0"}}, "metrics or custom_metrics"),
        *((report(metrics=bad), "metrics") for bad in BAD_METRICS),
        *((report(custom_metrics=bad), "custom_metrics") for bad in BAD_CUSTOM),
    ],
)
def test_reports_that_are_none(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidReport, match=reason):
        parse(json.dumps(wrong).encode())


async def test_custom_metrics(cloud: Bench, clock: Clock) -> None:
    defender = cloud.cloud.defender
    for name in ("b", "a"):
        declare(cloud, name, "number")
    declare(cloud, "a", "number")
    for kind, token in (("number", "other"), ("string-list", "t")):
        with pytest.raises(ResourceAlreadyExistsException):
            declare(cloud, "a", kind, token)
    clock.now_s += 1
    defender.update_custom_metric(metricName="a", displayName="A")
    assert checked("iot", "DescribeCustomMetric", defender.describe_custom_metric(metricName="a")) == {
        "metricName": "a",
        "metricArn": cloud.cloud.registry.arn("custommetric/a"),
        "metricType": "number",
        "displayName": "A",
        "creationDate": NOW_S,
        "lastModifiedDate": NOW_S + 1,
    }
    listed = checked("iot", "ListCustomMetrics", defender.list_custom_metrics(maxResults=1))
    assert listed["metricNames"] == ["a"]
    assert defender.list_custom_metrics(nextToken=listed["nextToken"]) == {"metricNames": ["b"]}
    defender.delete_custom_metric(metricName="a")
    defender.delete_custom_metric(metricName="a")
    for call in (
        defender.describe_custom_metric,
        lambda **k: defender.update_custom_metric(displayName="", **k),
    ):
        with pytest.raises(ResourceNotFoundException):
            call(metricName="a")
    for name, kind in (("", "number"), ("aws:x", "number"), ("a b", "number"), ("c", "text")):
        with pytest.raises(InvalidRequestException):
            declare(cloud, name, kind)
    with pytest.raises(InvalidRequestException):
        defender.update_custom_metric(metricName="b", displayName="\ud800")


async def test_an_accepted_report_outlives_a_kill(tmp_path: Path) -> None:
    process = Process(tmp_path)
    cloud = Cloud(tmp_path / "state")
    cloud.registry.create_thing(thingName="lamp")
    cloud._database.close()
    async with process.running(), asyncio.timeout(raw.DEADLINE_S):
        peer, _ = await process.client("lamp", process.identities[0])
        await peer.subscribe(f"{TOPIC}/accepted")
        assert (await send(peer, report(9)))["status"] == "ACCEPTED"
    cloud = Cloud(tmp_path / "state")
    kept = cloud.defender.metrics("lamp")
    cloud._database.close()
    assert [one["report_id"] for one in kept] == [9]
