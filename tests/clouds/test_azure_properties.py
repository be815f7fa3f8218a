"""Whatever a stranger writes, Azure's stand-in answers with a refusal, and never breaks."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.cloud.support import NOW_S, Clock
from tools.cloud import packet as mqtt
from tools.clouds.azure import ServiceError, bag, sas
from tools.clouds.azure.hub import Hub
from tools.clouds.azure.provisioning import Provisioning
from tools.clouds.azure.twin import Section
from tools.clouds.manners import Asked, HangUp, Identity, Refused

KEY = sas.new_key()
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
FIELDS = st.sampled_from(
    ["sr=a", "sig=", "sig=YQ==", "se=1", "se=9e9", "se=" + "9" * 5000, "skn=x", "=", "x"]
)
PASSWORDS = st.binary(max_size=60) | st.lists(FIELDS, max_size=5).map(
    lambda fields: b"SharedAccessSignature " + "&".join(fields).encode()
)
USERS = NAMES | st.sampled_from(
    ["h/d/?api-version=1", "h/d?api-version=1", "0ne00000001/registrations/d/api-version="]
)
PARTS = [
    *("$iothub", "twin", "GET", "PATCH", "methods", "res", "200", "?$rid=1", "?$rid"),
    *("devices", "d", "messages", "events", "%", "&=&", ""),
]
TOPICS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("/".join)


class Nobody:
    """A client that gets nothing."""

    client_id = "d"
    identity = Identity("d")

    def granted(self, topic: str) -> None:
        return None

    def send(self, topic: str, payload: bytes, qos: int = 1) -> None:
        return None

    def holds(self, message: object) -> bool:
        return False

    def subscribe(self, *filters: tuple[str, int]) -> None:
        pass

    def end(self, reason: str, detail: str) -> None:
        pass


def hub() -> Hub:
    made = Hub(("h",), lambda name: None, lambda pem: None, Clock())
    made.create_device("d", KEY)
    return made


@settings(deadline=None)
@given(USERS, PASSWORDS)
def test_no_connect_breaks_it_or_gets_in(user: str, password: bytes) -> None:
    asked = Asked(mqtt.Connect("d", False, 60, None, user, password), b"", "")
    dps = Provisioning(hub(), lambda pem: None, Clock(), lambda event: None)
    if dps.claims(user):
        with contextlib.suppress(Refused):  # who has the form is judged later
            dps.connect(asked)
    else:
        with pytest.raises(Refused):
            hub().connect(asked)


@settings(deadline=None)
@given(TOPICS, st.binary(max_size=40) | st.just(b"[" * 200_000))
def test_no_publish_breaks_it(topic: str, payload: bytes) -> None:
    with contextlib.suppress(HangUp):
        hub().publish(Nobody(), mqtt.Publish(topic, payload))()


@settings(deadline=None)
@given(NAMES, st.integers(int(NOW_S) + 1, 2**40))
def test_a_token_lets_into_its_resource_and_no_other(resource: str, until_s: int) -> None:
    token = sas.parse(sas.make(resource, KEY, until_s).encode())
    token.judge(resource, [sas.new_key(), KEY], NOW_S)
    for wrong, keys, now_s in (
        (resource + "x", [KEY], NOW_S),
        (resource, [sas.new_key()], NOW_S),
        (resource, [KEY], until_s),
    ):
        with pytest.raises(sas.TokenError):
            token.judge(wrong, keys, now_s)


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)))
def test_a_bag_carries_any_properties(properties: dict[str, str | None]) -> None:
    encoded = bag.encode(properties)
    assert not set(encoded) & set("/+#")
    assert bag.decode(encoded) == properties


@given(
    st.recursive(
        st.none() | st.integers() | NAMES,
        lambda inner: st.dictionaries(NAMES, inner) | st.lists(inner),
        max_leaves=8,
    )
)
def test_a_twin_takes_a_change_whole_or_not_at_all(value: object) -> None:
    section = Section()
    section.patch({"before": {"a": 1}})
    before = json.dumps(section.document())
    try:
        section.patch({"before": value})
    except ServiceError:
        assert json.dumps(section.document()) == before
    else:
        assert section.version == 3
