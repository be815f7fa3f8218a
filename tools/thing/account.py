"""The cloud that is asked, by boto3 alone: the local one, or an account of AWS."""

import argparse
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError

from tools.board.errors import BoardError
from tools.cloud.endpoint import Endpoint
from tools.waiting import turns

from .failures import NO_CLOUD, explained, is_missing

_LOCAL_POLL_S, _AWS_POLL_S = 0.2, 1.0
_NAMES_SHOWN = 10
_DATA = "iot:Data-ATS"
_REGION = "us-east-1"  # of the local cloud's ARNs
# Nothing of the user's settings for AWS counts where the cloud is the local one.
_NO_SETTINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Account:
    """The clients of one cloud.

    Args:
        where: the cloud, as failures call it.
        session: boto3's.
        poll_s: the time between two looks at what changes.
        options: for each client.
    """

    def __init__(self, where: str, session: boto3.Session, poll_s: float, options: dict[str, Any]) -> None:
        self.where = where
        self._session = session
        self._poll_s = poll_s
        self._options = options
        self._clients: dict[str, Any] = {}

    @classmethod
    def local(cls, state: Path) -> "Account":
        """The cloud of this state directory; BoardError where none was started with it."""
        url = Endpoint.load(state).rest_url
        if not url:
            raise BoardError(f"{state}: no cloud with a control plane was started with it", NO_CLOUD)
        session = boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  nobody checks it
            region_name=_REGION,
            botocore_session=botocore.session.Session(_NO_SETTINGS),
        )
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, proxies={})
        return cls(url, session, _LOCAL_POLL_S, {"endpoint_url": url, "config": config})

    @classmethod
    def aws(cls, profile: str | None, region: str | None) -> "Account":
        """AWS, with the credentials that its CLI would take."""
        session = boto3.Session(profile_name=profile, region_name=region)
        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10)
        return cls(f"AWS {session.region_name or ''}".strip(), session, _AWS_POLL_S, {"config": config})

    @classmethod
    def chosen(cls, args: argparse.Namespace) -> "Account":
        """The one that `add_cloud`'s options name. Raises BoardError."""
        with explained("AWS"):  # where its configuration is read
            return cls.aws(args.profile, args.region) if args.aws else cls.local(args.state)

    @property
    def region(self) -> str:
        """Its name; "" where none is set."""
        return self._session.region_name or ""

    def credentials(self) -> Any:
        """botocore's, as they are now. Raises BoardError where there are none."""
        with explained(self.where):
            found = self._session.get_credentials()
            if found is None:
                raise NoCredentialsError
            return found.get_frozen_credentials()

    @cached_property
    def s3(self) -> Any:
        """Objects; with a bucket's name in the path, as no host of the local cloud is called by it."""
        config = self._options["config"].merge(Config(s3={"addressing_style": "path"}))
        return self._session.client("s3", **{**self._options, "config": config})

    @cached_property
    def iot(self) -> Any:
        """The registry, jobs and commands."""
        return self._session.client("iot", **self._options)

    @cached_property
    def data(self) -> Any:
        """Shadows and connections."""
        return self._data_client("iot-data")

    @cached_property
    def jobs_data(self) -> Any:
        """Starts commands."""
        return self._data_client("iot-jobs-data")

    def _data_client(self, service: str) -> Any:
        host = self.data_host()
        url = f"https://{host}" if host else self.iot.meta.endpoint_url
        return self._session.client(service, **{**self._options, "endpoint_url": url})

    def data_host(self) -> str:
        """The account's own address of data, jobs and commands; "" where the AWS is not Amazon's."""
        if ".amazonaws." not in (urlsplit(self.iot.meta.endpoint_url).hostname or ""):
            return ""
        return str(self.iot.describe_endpoint(endpointType=_DATA)["endpointAddress"])

    def client(self, service: str) -> Any:
        """boto3's of another service, made once."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, **self._options)
        return self._clients[service]

    def thing(self, name: str) -> dict[str, Any]:
        """DescribeThing's answer; BoardError tells which things there are where it is none of them."""
        try:
            found: dict[str, Any] = self.iot.describe_thing(thingName=name)
        except ClientError as error:
            if not is_missing(error):
                raise
            things = self.iot.list_things(maxResults=_NAMES_SHOWN + 1)["things"]
            names = ", ".join(thing["thingName"] for thing in things[:_NAMES_SHOWN])
            more = ", …" if len(things) > _NAMES_SHOWN else ""
            remedy = (
                f"These there are: {names}{more}." if names else "There is none yet: a device makes its own."
            )
            raise BoardError(f"{self.where}: no thing is called {name!r}", remedy) from None
        return found

    def turns(self, wait_s: float | None) -> Iterator[None]:
        """Again and again, with a pause between, until `wait_s` are over; None: for ever."""
        return turns(self._poll_s, wait_s)
