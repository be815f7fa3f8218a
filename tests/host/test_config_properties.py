"""Properties of the configuration's validator: ConfigError alone, with a place, and never with a secret."""

import copy
import ipaddress
import json
from typing import Any

import pytest
from documents import claim, own
from hypothesis import given, settings
from hypothesis import strategies as st
from iot import config
from iot.aws.provisioning import register_topic
from iot.config import ConfigError
from iot.mqtt import packet

SECRET = "s3cr3t-s3cr3t"
KNOWN = ["wifi", "aws", "time", "ota", "app", "ssid", "password", "endpoint", "port", "ntp", "public_keys"]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["", "x" * 5000])
)
values = st.recursive(
    leaves,
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*path, key))
    return found


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.copy(document)
    document[path[0]] = replaced(document[path[0]], path[1:], value)
    return document


def as_text(path: tuple[Any, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def result(document: Any) -> Any:
    """The validated document, or None where it is refused, in the one way it may be."""
    try:
        return config.validate(document)
    except ConfigError as error:
        place, _, reason = str(error).partition(": ")
        assert place and reason
        return None


@settings(max_examples=300, deadline=None)
@given(values)
def test_anything_is_refused_with_its_place(document: Any) -> None:
    assert result(document) is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200) | values.map(json.dumps))
def test_any_text_is_refused_with_its_place(text: str | bytes) -> None:
    try:
        config.parse(text)
        raise AssertionError("accepted")
    except ConfigError as error:
        assert ": " in str(error)


@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from([claim, own]))
def test_a_member_replaced_by_anything(data: st.DataObject, make: Any) -> None:
    document = make()
    path = data.draw(st.sampled_from(paths(document)))
    changed = replaced(document, path, data.draw(values))
    before = copy.deepcopy(changed)
    accepted = result(changed)
    assert changed == before or changed != changed, "the validator changed what it was given"  # noqa: PLR0124
    if accepted is not None:
        assert config.validate(accepted) == accepted
        assert set(accepted) == {"wifi", "aws", "time", "ota", "app"}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_secret_in_the_wrong_place_is_never_quoted(data: st.DataObject) -> None:
    document = claim()
    path = data.draw(st.sampled_from([path for path in paths(document) if path]))
    wrong = data.draw(st.sampled_from([SECRET + "\n", [SECRET], {"x": SECRET}, SECRET * 1000]))
    try:
        config.validate(replaced(document, path, wrong))
    except ConfigError as error:
        assert SECRET not in str(error)
        assert str(error).startswith((as_text(path), "document", as_text(path[:1])))


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
networks = st.fixed_dictionaries(
    {"ssid": names}, optional={"password": st.text("abc 123!", min_size=8, max_size=63)}
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(networks, min_size=1, max_size=8),
    st.integers(1, 65535),
    st.dictionaries(names, st.text("abc", max_size=20), max_size=3),
    st.sampled_from([claim, own]),
)
def test_what_the_schema_allows_survives_json(wifi: Any, port: int, parameters: Any, make: Any) -> None:
    document = make()
    document["wifi"] = wifi
    document["aws"].update(port=port, parameters=parameters)
    parsed = config.parse(json.dumps(document))
    assert config.parse(json.dumps(document, ensure_ascii=False)) == parsed
    assert config.validate(parsed) == parsed
    assert json.loads(json.dumps(config.plain(parsed))) == config.plain(parsed)
    assert parsed["aws"]["port"] == port and parsed["aws"]["parameters"] == parameters
    assert [network["ssid"] for network in parsed["wifi"]] == [network["ssid"] for network in wifi]
    assert "BEGIN" not in json.dumps(config.plain(parsed))


TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=99) | st.text(
    '{id}\\"é', max_size=256
)


@given(st.dictionaries(TEXT, TEXT, max_size=30))
@settings(max_examples=60, deadline=None)
def test_parameters_that_are_accepted_fit_into_the_message_that_carries_them(parameters: dict) -> None:
    """RegisterThing with the longest token, template and device id, as MicroPython writes JSON."""
    document = claim()
    document["aws"]["parameters"] = parameters
    if result(document) is None:
        return
    device_id = "x" * 16 + "-240ac4000001"
    body = {
        "certificateOwnershipToken": "t" * 1024,
        "parameters": {name: value.replace("{id}", device_id) for name, value in parameters.items()},
    }
    payload = json.dumps(body, ensure_ascii=False).encode()
    topic = register_topic("t" * 36).encode()
    assert len(packet.publish(topic, len(payload), 1, False)) + len(payload) <= 2048


def test_parameters_that_do_not_fit_are_refused_by_name() -> None:
    for parameters in (
        {f"P{n}": "x" * 256 for n in range(4)},
        {"P": "{id}" * 30},
        {"é" * 60: "é" * 120, "f": "é" * 120, "g": "é" * 100},
        {"P": '"' * 256, "Q": "\\" * 200},
    ):
        document = claim()
        document["aws"]["parameters"] = parameters
        with pytest.raises(ConfigError, match=r"aws\.parameters: at most 800 bytes of JSON"):
            config.validate(document)


@given(
    st.integers(0x01000000, 0xDFFFFFFF),
    st.integers(8, 30),
    st.data(),
)
def test_a_static_address_is_taken_where_the_library_finds_it_in_its_network(
    number: int, prefix: int, data: st.DataObject
) -> None:
    """Against Python's ipaddress, which knows nothing of us."""
    ip = ipaddress.ip_address(number)
    network = ipaddress.ip_network((number, prefix), strict=False)
    inside = st.integers(int(network.network_address), int(network.broadcast_address))
    gateway = ipaddress.ip_address(data.draw(inside | st.integers(0, 0xFFFFFFFF)))
    static = {"ip": str(ip), "netmask": str(network.netmask), "gateway": str(gateway)}
    document = claim()
    document["wifi"][0]["static"] = static
    ends = (network.network_address, network.broadcast_address)
    good = gateway in network and ip != gateway and not {ip, gateway} & set(ends) and not ip.is_loopback
    if good:
        assert result(document)["wifi"][0]["static"] == {**static, "dns": str(gateway)}
    else:
        assert result(document) is None
