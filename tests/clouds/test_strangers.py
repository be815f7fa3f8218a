"""Whatever a stranger writes, ClearBlade's and Alibaba's stand-ins refuse it or hang up, and never break."""

import contextlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clouds.test_azure_properties import Nobody
from tests.host.cloud.support import NOW_S
from tools.cloud import packet as mqtt
from tools.clouds.alibaba import Alibaba, Device
from tools.clouds.alibaba.sign import SignError, SignIn
from tools.clouds.clearblade.token import TokenError, judge
from tools.clouds.manners import HangUp, Identity

KEY = ec.generate_private_key(ec.SECP256R1())
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
REQUESTS = st.fixed_dictionaries(
    {}, optional={"id": st.just("1") | JSON, "params": JSON, "sys": JSON, "code": JSON}
).map(lambda document: json.dumps(document).encode())
NAMES = [
    *("sys", "pk", "lamp", "thing", "event", "property", "post", "alarm", "service", "desired", "get"),
    *("delete", "set_reply", "user", "up", "+", "#", ""),
]
HANDLED = (
    *("event/property/post", "event/alarm/post", "service/property/set_reply", "deviceinfo/update"),
    *("property/desired/get", "property/desired/delete"),
)
TOPICS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=7).map("/".join) | st.sampled_from(
    [f"/sys/pk/lamp/thing/{name}" for name in HANDLED]
)


class Lamp(Nobody):
    """A device of Alibaba's that gets nothing."""

    client_id = "lamp|securemode=2,signmethod=hmacsha256|"
    identity = Identity("lamp&pk")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Alibaba:
    made = Alibaba(tmp_path_factory.mktemp("alibaba") / "state")
    made.set_desired(made.create_device("pk", "lamp"), {"led": True})
    return made


@settings(deadline=None)
@given(TEXTS | st.dictionaries(st.sampled_from(["iat", "exp", "aud", "nbf"]), JSON).map(
    lambda claims: jwt.encode({"iat": NOW_S, "exp": NOW_S + 60, "aud": "other"} | claims, KEY, "ES256")
))  # fmt: skip
def test_no_token_breaks_it_or_gets_in(token: str) -> None:
    with pytest.raises(TokenError):
        judge(token, [KEY.public_key()], "project", NOW_S)


@settings(deadline=None)
@given(TEXTS.map(lambda text: f"id|{text}|") | TEXTS, TEXTS | st.just("lamp&pk"), st.binary(max_size=40))
def test_no_sign_in_breaks_it_or_gets_in(client_id: str, user: str, password: bytes) -> None:
    with pytest.raises(SignError):
        SignIn.parse(client_id, user).check(password, "secret")


@settings(deadline=None)
@given(topic=TOPICS, payload=REQUESTS | st.binary(max_size=40))
def test_no_publish_breaks_it(cloud: Alibaba, topic: str, payload: bytes) -> None:
    with contextlib.suppress(HangUp):
        cloud.publish(Lamp(), mqtt.Publish(topic, payload, 1, packet_id=1))()


@settings(deadline=None)
@given(topic_filter=TOPICS)
def test_a_device_never_listens_to_another(topic_filter: str) -> None:
    device = Device("other", "lamp", "secret")
    if device.may_subscribe(topic_filter):
        assert topic_filter.startswith(("/sys/other/lamp/", "/other/lamp/user/", "/broadcast/other/"))
