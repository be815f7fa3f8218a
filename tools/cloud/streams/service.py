"""Streams on MQTT: `$aws/things/THING/streams/STREAM/describe|get/json` and their answers."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from ..client import Client
from ..database import Database
from ..errors import InternalFailureException, ResourceNotFoundException
from ..events import Event
from ..s3.errors import S3Error
from ..s3.objects import Object, Objects
from . import request
from .definitions import Definitions
from .request import Refused

_TOPIC = re.compile(r"(\$aws/things/[^/]+/streams/([^/]+))/(describe|get)/json", re.DOTALL)


class Streams(Definitions):
    """All of AWS's MQTT-based file delivery: what boto3 calls, and what devices ask.

    Answers go to who has asked, where it has subscribed. Who may ask for a thing is its policy's.

    Args:
        database, objects, arn, clock: as for Definitions.
        tell: called with an Event for each request that is refused.
    """

    def __init__(
        self,
        database: Database,
        objects: Objects,
        arn: Callable[[str], str],
        tell: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(database, objects, arn, clock)
        self._tell = tell

    def claims(self, topic: str) -> bool:
        return _TOPIC.fullmatch(topic) is not None

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        found = _TOPIC.fullmatch(topic)
        if found is None:
            return
        base, stream_id, operation = found.groups()
        echo: dict[str, Any] = {}
        try:
            asked = request.read(payload)
            if (token := request.client_token(asked)) is not None:
                echo = {"c": token}
            row = self._existing(stream_id)
            if operation == "describe":
                _say(client, f"{base}/description/json", echo | _description(row))
            else:
                self._get(client, f"{base}/data/json", echo, row, request.wanted(asked))
        except Refused as error:
            self._reject(client, base, echo, error.code, str(error))
        except ResourceNotFoundException as error:
            self._reject(client, base, echo, "ResourceNotFound", str(error))
        except InternalFailureException as error:
            self._reject(client, base, echo, "InternalError", str(error))

    def sweep(self) -> None:
        """Nothing here becomes due."""

    def _get(
        self, client: Client, topic: str, echo: dict[str, Any], row: tuple[Any, ...], wanted: request.Wanted
    ) -> None:
        stream_id, version, *_ = row
        if wanted.version not in (None, version):
            raise Refused("VersionMismatch", f"s: {wanted.version}, the stream's is {version}")
        one = next((file for file in _files(row) if file["fileId"] == wanted.file_id), None)
        if one is None:
            raise Refused("ResourceNotFound", f"f: stream {stream_id} has no file {wanted.file_id}")
        if any(block * wanted.size >= one["size"] for block in wanted.blocks):
            raise Refused(
                "ResourceNotFound", f"the file has {one['size']} bytes, and not all of these blocks"
            )
        try:
            with self._objects.open(one["bucket"], one["key"]) as there:
                self._send(client, topic, echo, there, one, wanted)
        except S3Error as error:
            raise Refused(
                "ResourceNotFound" if error.status == 404 else "InternalError", str(error)
            ) from None

    def _send(
        self,
        client: Client,
        topic: str,
        echo: dict[str, Any],
        there: Object,
        one: dict[str, Any],
        wanted: request.Wanted,
    ) -> None:
        if there.etag != one["etag"]:
            raise Refused("ETagMismatch", "the file is another one since the stream was made")
        for block in wanted.blocks:
            data = there.read(block * wanted.size, wanted.size)
            answer = {"f": wanted.file_id, "l": len(data), "i": block, "p": base64.b64encode(data).decode()}
            _say(client, topic, echo | answer)

    def _reject(self, client: Client, base: str, echo: dict[str, Any], code: str, message: str) -> None:
        detail = f"{base}: {message}"
        self._tell(Event("rejected", client.address, client.client_id, client.certificate_id, code, detail))
        _say(client, f"{base}/rejected/json", {"o": code, "m": message} | echo)


def _files(row: tuple[Any, ...]) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = json.loads(row[4])
    return files


def _description(row: tuple[Any, ...]) -> dict[str, Any]:
    _, version, description, *_ = row
    told = {} if description is None else {"d": description}
    return {"s": version, **told, "r": [{"f": one["fileId"], "z": one["size"]} for one in _files(row)]}


def _say(client: Client, topic: str, answer: dict[str, Any]) -> None:
    client.answer(topic, json.dumps(answer, separators=(",", ":")).encode())
