"""What the service makes of AWS's own addresses, which no other cloud here has."""

from typing import Any
from unittest import mock

import boto3
import botocore.session

from tools.examples.camera.service.functions import Service
from tools.examples.camera.service.settings import Settings
from tools.thing.account import Account

HOST = "a1b2c3-ats.iot.eu-central-1.amazonaws.com"
TOKEN = "t" * 43


def service(endpoint: str) -> Service:
    session = botocore.session.Session()
    session.set_credentials("a", "b", "c")

    def client(name: str, **options: Any) -> Any:
        return session.create_client(name, "eu-central-1", **options)

    return Service(Settings("of-cameras", TOKEN, 900, "", endpoint), client)


def test_uploads_go_to_the_regions_own_address_which_redirects_nobody() -> None:
    url = service(HOST).snapshots.pictures.upload_url("lamp", "id", 900)
    assert url.startswith("https://of-cameras.s3.eu-central-1.amazonaws.com/pictures/lamp/id.jpg?")
    assert "X-Amz-SignedHeaders=content-type%3Bhost&" in url and "X-Amz-Expires=900" in url
    assert service(HOST).snapshots.pictures.origin() == "https://of-cameras.s3.eu-central-1.amazonaws.com"


def test_shadows_are_at_the_accounts_own_endpoint_which_up_asks_for() -> None:
    assert service(HOST).snapshots._shadows._data.meta.endpoint_url == f"https://{HOST}"
    session = boto3.Session("a", "b", region_name="eu-central-1")
    with mock.patch.object(Account, "iot", boto3.client("iot", "eu-central-1")) as iot:
        iot.describe_endpoint = mock.Mock(return_value={"endpointAddress": HOST})
        assert Account("AWS", session, 1, {}).own_host("iot:Data-ATS") == HOST
    with mock.patch.object(
        Account, "iot", boto3.client("iot", "eu-central-1", endpoint_url="http://127.0.0.1")
    ):
        assert Account("other", session, 1, {}).own_host("iot:Data-ATS") == ""
