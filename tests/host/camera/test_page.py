"""The page behind API Gateway: who may come, what it answers, and its settings. See tests/peers, too."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.host.camera.conftest import PICTURE, Site
from tests.host.camera.events import HOST, event
from tools import pages
from tools.examples.camera.local import PageServer
from tools.examples.camera.service import functions, settings, web
from tools.examples.camera.service.access import OnThisComputer
from tools.examples.camera.service.settings import SettingsError
from tools.phone.serve import PAGE as COMMON

JSON = {"content_type": "application/json"}
PREFIX = "/iot/camera"
GIVEN = {"bucket": "pictures", "token": "t" * 43, "url_s": "600"}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(site: Site, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The Lambda's handler, asked by who has the cookie unless told otherwise."""
    monkeypatch.setattr(functions, "_here", lambda: site.service)
    cookie = f"__Host-camera={site.snapshots.settings.token}"

    def asked(
        path: str,
        method: str = "GET",
        query: dict[str, str] | None = None,
        body: bytes = b"",
        **headers: str,
    ) -> dict[str, Any]:
        sent = {"cookie": f"other=1; {cookie}"} | headers
        return functions.page(event(path, method, query, body, sent), None)

    return asked


def body(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])


def test_the_links_token_is_worth_a_cookie_and_nothing_else_is(site: Site, ask: Ask) -> None:
    token = site.snapshots.settings.token
    answer = ask("/", "GET", {"token": token}, cookie="other=1")
    assert answer["statusCode"] == 200 and "url=/" in answer["body"] and token not in answer["body"]
    [cookie] = answer["cookies"]
    for part in ("__Host-camera=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert part in cookie
    came = ask("/", cookie=cookie.partition(";")[0])
    assert came["statusCode"] == 200 and "<h1>" in came["body"] and not came["cookies"]
    for path, query in (
        ("/", {}),
        ("/", {"token": "x"}),
        ("/api/cameras", {"token": token}),
        ("/app.js", {}),
    ):
        answer = ask(path, "GET", query, cookie="__Host-camera=x")
        assert answer["statusCode"] == 401 and not answer["cookies"]
        assert body(answer)["error"] == "This page is for who has its link, token and all."


def test_a_page_of_another_site_changes_and_reads_nothing(ask: Ask) -> None:
    for status, headers in (
        (202, JSON | {"origin": f"https://{HOST}", "sec_fetch_site": "same-origin"}),
        (202, JSON),
        (403, JSON | {"origin": "https://example.com"}),
        (403, JSON | {"origin": "null"}),
        (403, JSON | {"sec_fetch_site": "cross-site"}),
        (415, {"content_type": "text/plain"}),
        (415, {"content_type": "application/x-www-form-urlencoded"}),
    ):
        answer = ask("/api/cameras/guarded/snapshots", "POST", None, b"{}", **headers)
        assert answer["statusCode"] == status, (headers, answer)
    policy = ask("/")["headers"]["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert ask("/api/cameras", sec_fetch_site="cross-site")["statusCode"] == 403


def test_a_picture_is_the_same_bytes_and_one_that_is_large_is_led_to(
    site: Site, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.service.snapshots.ask("shown")
    desired = site.desired("shown")
    site.upload(desired, PICTURE)
    path = f"/pictures/shown/{desired['id']}.jpg"
    answer = ask(path)
    assert answer["isBase64Encoded"] and base64.b64decode(answer["body"]) == PICTURE
    assert answer["headers"]["content-type"] == "image/jpeg"
    again = ask(path, if_none_match=answer["headers"]["etag"])
    assert (again["statusCode"], again["body"]) == (304, "")
    monkeypatch.setattr(site.snapshots.pictures, "_most_bytes", 10)
    led = ask(path)
    origin = site.snapshots.pictures.origin()
    assert led["statusCode"] == 302 and led["headers"]["location"].startswith(f"{origin}/pictures/")
    assert origin in led["headers"]["content-security-policy"]
    wrong = ("x", desired["id"].replace("-", "_"), desired["id"][:-1] + "z", "..%2Fshown")
    for place in (*(f"shown/{one}" for one in wrong), f"other/{desired['id']}"):
        assert ask(f"/pictures/{place}.jpg")["statusCode"] == 404


def test_looking_again_costs_nothing_where_nothing_has_changed(site: Site, ask: Ask) -> None:
    site.snapshots.pictures.note("still")
    assert {"name": "still"}.items() <= next(
        one.items() for one in body(ask("/api/cameras"))["cameras"] if one["name"] == "still"
    )
    first = ask("/api/cameras/still")
    assert body(first) == {"name": "still", "snapshot": {"state": "none"}, "pictures": []}
    assert ask("/api/cameras/still", if_none_match=first["headers"]["etag"])["statusCode"] == 304
    asked = ask("/api/cameras/still/snapshots", "POST", None, b'{"a": "\xc3\xa4"}', **JSON)
    assert asked["statusCode"] == 202 and body(asked)["id"] == site.desired("still")["id"]
    changed = ask("/api/cameras/still", if_none_match=first["headers"]["etag"])
    assert changed["statusCode"] == 200 and body(changed)["snapshot"]["state"] == "waiting"


def test_what_fails_is_told_without_its_secrets(
    site: Site, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(thing: str) -> None:
        raise OSError("the endpoint https://user:password@example.com is away")

    monkeypatch.setattr(site.snapshots, "look", fail)
    answer = ask("/api/cameras/any")
    assert answer["statusCode"] == 502 and "password" not in json.dumps(answer)
    for path in ("/settings.py", "/..%2Fsettings.py", "/api/nothing", "/api/cameras/a b", "/page/index.html"):
        answer = ask(path)
        assert answer["statusCode"] == 404 and body(answer)["error"]
    assert ask("/api/cameras", "DELETE", None, b"", **JSON)["statusCode"] == 405


def test_on_this_computer_it_is_open_to_its_own_names_alone(site: Site) -> None:
    app = web.make_app(
        site.snapshots, OnThisComputer(lambda host: pages.is_known(host, "localhost")), (web.PAGE, COMMON)
    )
    client = app.test_client()
    assert client.get("/common.css", headers={"Host": "localhost:8010"}).status_code == 200
    assert client.get("/", headers={"Host": "127.0.0.1:8010"}).status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    rebound = {"Host": "localhost:8010", "Origin": "http://evil.example"}
    assert client.post("/api/cameras/x/snapshots", json={}, headers=rebound).status_code == 403
    with PageServer(site.service) as server:
        port = int(server.url.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(pages.PageError, match=f"port {port}"), PageServer(site.service, port):
            pass


def test_the_files_of_the_page_are_all_there_and_ask_for_no_others() -> None:
    there = {path.name for path in web.PAGE.iterdir()} | {"common.css"}
    assert set(web._FILES) == there
    text = (web.PAGE / "index.html").read_text()
    assert set(re.findall(r'(?:href|src)="(?!#)([^"]+)"', text)) <= there


class Ssm:
    """What SSM answers."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values, self.asked = values, 0

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        self.asked += 1
        prefix, _, name = Name.rpartition("/")
        assert WithDecryption and prefix == PREFIX
        if name not in self.values:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Name": Name, "Value": self.values[name]}}


@pytest.mark.parametrize(
    ("changes", "named", "secret"),
    [
        ({"bucket": None}, "/iot/camera/bucket", ""),
        ({"bucket": None, "token": None}, "/iot/camera/bucket, /iot/camera/token", ""),
        ({"token": "s3cret"}, "/iot/camera/token", "s3cret"),
        ({"url_s": "9 minutes"}, "/iot/camera/url_s", "9 minutes"),
        ({"url_s": "5"}, "/iot/camera/url_s", ""),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_its_value_is_not_told(
    changes: dict[str, str | None], named: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.PREFIX, PREFIX)
    values = {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as raised:
        settings.load(Ssm(values))
    assert named in str(raised.value) and (not secret or secret not in str(raised.value))


def test_settings_are_typed_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.PREFIX, raising=False)
    ssm = Ssm(GIVEN)
    with pytest.raises(SettingsError, match="SETTINGS"):
        settings.load(ssm)
    monkeypatch.setenv(settings.PREFIX, PREFIX + "/")
    found = settings.load(ssm)
    assert (found.bucket, found.url_s, found.uploads) == ("pictures", 600, "")
    once = ssm.asked
    assert settings.load(ssm) is found and ssm.asked == once
    assert GIVEN["token"] not in repr(found) and replace(found, url_s=60).token == GIVEN["token"]
    monkeypatch.setattr(settings.time, "monotonic", lambda: 1e9)
    assert settings.load(ssm) == found and ssm.asked == 2 * once
