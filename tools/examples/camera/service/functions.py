"""The Lambda functions: what the rules call, and what API Gateway does.

    presence  {"thing", "principal", "client"}     a thing is online
    outcome   {"thing", "snapshot"}                a thing reports a snapshot
    page      API Gateway's payload 2.0            the page

Who has sent a message the rules' SQL takes from the topic and the connection, nothing of it from the payload.
"""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from . import ids
from .pictures import THROUGH_LAMBDA_BYTES, Pictures
from .settings import Settings, load
from .shadows import Shadows
from .snapshots import Snapshots

_log = logging.getLogger(__name__)


class Service:
    """The functions, with the clients that they use.

    Args:
        settings: read already.
        client: makes botocore's client of a service, by its name and with more options.
        most_bytes: of a picture that goes through this service.
    """

    def __init__(
        self, settings: Settings, client: Callable[..., Any], most_bytes: int = THROUGH_LAMBDA_BYTES
    ) -> None:
        place = {"endpoint_url": settings.uploads} if settings.uploads else {}
        signs = client("s3", config=s3_config("path" if place else "virtual"), **place)
        s3 = client("s3", config=s3_config("auto"))
        pictures = Pictures(s3, signs, settings.bucket, most_bytes)
        data = {"endpoint_url": f"https://{settings.endpoint}"} if settings.endpoint else {}
        self.snapshots = Snapshots(settings, Shadows(client("iot-data", **data)), pictures)
        self._iot = client("iot")

    def presence(self, event: Mapping[str, Any]) -> dict[str, str]:
        """Ask a camera that is online for a snapshot, where its sender is the thing that it speaks for."""
        thing, principal, client = (event.get(one, "") for one in ("thing", "principal", "client"))
        if not ids.THING.fullmatch(thing) or client != thing or not self._is_of(thing, principal):
            _log.warning("presence of %r by another: client %r", thing, client)
            return {"ignored": "the sender is not this thing"}
        self.snapshots.pictures.note(thing)
        return {"id": self.snapshots.ask(thing)}

    def outcome(self, event: Mapping[str, Any]) -> dict[str, bool]:
        """Clear what was desired of a thing, once it has told what came of it."""
        return {"ours": self.snapshots.settle(event["thing"], event.get("snapshot"))}

    def _is_of(self, thing: str, principal: str) -> bool:
        """Whether that certificate is the thing's."""
        try:
            found = self._iot.list_thing_principals(thingName=thing)["principals"]
        except self._iot.exceptions.ResourceNotFoundException:
            return False
        return bool(principal) and any(one.rpartition("/")[2] == principal for one in found)


def s3_config(addressing: str) -> Config:
    """For clients of S3.

    Args:
        addressing: "virtual" gives URLs the region's name: where it is missing S3 redirects at first, which a
            camera does not follow.
    """
    style = {"addressing_style": addressing}
    return Config(signature_version="s3v4", request_checksum_calculation="when_required", s3=style)


def presence(event: Mapping[str, Any], context: object) -> dict[str, str]:
    """Lambda's handler."""
    return _here().presence(event)


def outcome(event: Mapping[str, Any], context: object) -> dict[str, bool]:
    """Lambda's handler."""
    return _here().outcome(event)


def page(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Lambda's handler."""
    answer: dict[str, Any] = _page(_here())(event, context)
    return answer


def _here() -> Service:
    return _service(load(_ssm()))


@cache
def _session() -> Any:
    return botocore.session.get_session()


@cache
def _ssm() -> Any:
    return _session().create_client("ssm")


@cache
def _service(settings: Settings) -> Service:
    return Service(settings, _session().create_client)


@cache
def _page(service: Service) -> Callable[[dict[str, Any], object], dict[str, Any]]:
    from apig_wsgi import make_lambda_handler  # noqa: PLC0415  the others start quicker without

    from .access import ByToken  # noqa: PLC0415
    from .web import make_app  # noqa: PLC0415

    return make_lambda_handler(make_app(service.snapshots, ByToken(service.snapshots.settings.token)))
