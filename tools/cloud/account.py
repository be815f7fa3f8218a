"""What is asked of the account as a whole: where its endpoints are, which events it tells."""

from collections.abc import Callable
from typing import Any

from .endpoint import MQTT_PORT, Endpoint
from .errors import InvalidRequestException

# AWS publishes these where they are switched on; this cloud has no switch.
_EVENTS = (
    "THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY",
    "THING_TYPE_ASSOCIATION", "JOB", "JOB_EXECUTION", "POLICY", "CERTIFICATE", "CA_CERTIFICATE",
)  # fmt: skip
_MQTT = ("iot:Data", "iot:Data-ATS", "iot:Data-Beta")


class Account:
    """By the names and arguments of boto3's `iot` client.

    Args:
        endpoint: where the cloud listens.
        published: the kinds of events that it publishes, of DescribeEventConfigurations' names.
    """

    def __init__(self, endpoint: Callable[[], Endpoint], published: tuple[str, ...] = ()) -> None:
        self._endpoint = endpoint
        self._published = published

    def describe_endpoint(self, *, endpointType: str = "iot:Data") -> dict[str, Any]:
        """A host, which has its port behind it where that is not the usual one.

        For the types of devices' data it is MQTT's; for `iot:Jobs` this control plane's own, which serves
        iot-jobs-data.
        """
        endpoint = self._endpoint()
        if endpointType in _MQTT:
            usual = endpoint.port == MQTT_PORT
            return {"endpointAddress": endpoint.host if usual else f"{endpoint.host}:{endpoint.port}"}
        if endpointType == "iot:Jobs":
            return {"endpointAddress": endpoint.rest_url.removeprefix("http://")}
        raise InvalidRequestException(
            f"endpointType: {endpointType!r} is not here: {', '.join(_MQTT)} or iot:Jobs"
        )

    def describe_event_configurations(self) -> dict[str, Any]:
        return {"eventConfigurations": {name: {"Enabled": name in self._published} for name in _EVENTS}}
