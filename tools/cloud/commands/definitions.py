"""Commands as an operator defines them, by the names and arguments of boto3's `iot` client."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from ..database import Database
from ..errors import ConflictException, ResourceNotFoundException, ValidationException
from ..paging import page
from . import values
from .update import is_plain

ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MAX_TIMEOUT_S = 12 * 3600
_MAX_PAYLOAD = 32 * 1024
_MAX_DISPLAY_NAME, _MAX_DESCRIPTION = 64, 2028
_MAX_PAGE = 100
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;.*)?", re.ASCII)
_COLUMNS = "command_id, document, created_s, updated_s, deprecated_s, deletes_s"


class Definitions:
    """Creates, shows, deprecates and deletes commands.

    Args:
        database: where they are kept.
        arn: makes the ARN of a resource such as `command/beep`.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, arn: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._db = database
        self._arn = arn
        self._clock = clock

    def create_command(
        self,
        *,
        commandId: str,
        namespace: str = "AWS-IoT",
        displayName: str | None = None,
        description: str | None = None,
        payload: dict[str, Any] | None = None,
        payloadTemplate: str | None = None,
        preprocessor: dict[str, Any] | None = None,
        mandatoryParameters: list[dict[str, Any]] | None = None,
        roleArn: str | None = None,
    ) -> dict[str, Any]:
        """With a payload, or with a payloadTemplate and its preprocessor; neither changes later."""
        if not ID.fullmatch(commandId):
            raise ValidationException(f"commandId {commandId!r}: must be 1 to 64 of a-z A-Z 0-9 _ -")
        if namespace != "AWS-IoT" or roleArn is not None:
            raise ValidationException("namespace: only AWS-IoT, which takes no roleArn, is supported here")
        _check_texts(displayName, description)
        values.check_parameters(mandatoryParameters or [])
        if (payload is None) == (payloadTemplate is None):
            raise ValidationException("a command has a payload or a payloadTemplate, and not both")
        if payload is not None:
            payload = _payload(payload)
        else:
            _check_preprocessor(preprocessor)
            values.check_template(payloadTemplate or "", mandatoryParameters or [])
        given = {
            "namespace": namespace,
            "displayName": displayName,
            "description": description,
            "payload": payload,
            "payloadTemplate": payloadTemplate,
            "preprocessor": preprocessor,
            "mandatoryParameters": mandatoryParameters,
        }
        document = {name: value for name, value in given.items() if value is not None}
        with self._db.transaction():
            if self._row(commandId):
                raise ConflictException(f"command {commandId} exists")
            now = self._clock()
            sql = "INSERT INTO commands VALUES (?, ?, ?, ?, NULL, NULL)"
            self._db.run(sql, commandId, dumps(document), now, now)
        return {"commandId": commandId, "commandArn": self._arn(f"command/{commandId}")}

    def get_command(self, *, commandId: str) -> dict[str, Any]:
        self._delete_due()
        row = self._row(commandId)
        if row is None:
            raise ResourceNotFoundException(f"command {commandId} does not exist")
        return self._summary(row) | loads(row[1])

    def list_commands(
        self,
        *,
        maxResults: int = _MAX_PAGE,
        nextToken: str | None = None,
        namespace: str | None = None,
        commandParameterName: str | None = None,
        sortOrder: str = "DESCENDING",
    ) -> dict[str, Any]:
        """By their creation; those that wait for their deletion are left out, as on AWS."""
        order = {"ASCENDING": "ASC", "DESCENDING": "DESC"}.get(sortOrder)
        if order is None:
            raise ValidationException(f"sortOrder: {sortOrder!r}, must be ASCENDING or DESCENDING")
        sql = (
            f"SELECT {_COLUMNS} FROM commands WHERE deletes_s IS NULL ORDER BY created_s {order}, command_id"  # noqa: S608
        )
        found = []
        for row in self._db.all(sql):
            document = loads(row[1])
            names = [parameter["name"] for parameter in document.get("mandatoryParameters", ())]
            if namespace in (None, document["namespace"]) and (
                commandParameterName is None or commandParameterName in names
            ):
                shown = {"displayName": document["displayName"]} if "displayName" in document else {}
                found.append(self._summary(row) | shown)
        return page("commands", found, nextToken, maxResults, _MAX_PAGE, ValidationException)

    def update_command(
        self,
        *,
        commandId: str,
        displayName: str | None = None,
        description: str | None = None,
        deprecated: bool | None = None,
    ) -> dict[str, Any]:
        """What is given changes. A deprecated command starts no more."""
        _check_texts(displayName, description)
        self._delete_due()
        with self._db.transaction():
            row = self._row(commandId)
            if row is None:
                raise ResourceNotFoundException(f"command {commandId} does not exist")
            _, document, _, _, deprecated_s, deletes_s = row
            if deletes_s is not None:
                raise ConflictException(f"command {commandId} is about to be deleted")
            changed = {"displayName": displayName, "description": description}
            changed = {name: value for name, value in changed.items() if value is not None}
            now = self._clock()
            if deprecated is not None:
                deprecated_s = (deprecated_s or now) if deprecated else None
            sql = "UPDATE commands SET document = ?, updated_s = ?, deprecated_s = ? WHERE command_id = ?"
            self._db.run(sql, dumps(loads(document) | changed), now, deprecated_s, commandId)
        shown = ("commandId", "displayName", "description", "deprecated", "lastUpdatedAt")
        command = self.get_command(commandId=commandId)
        return {name: command[name] for name in shown if name in command}

    def delete_command(self, *, commandId: str) -> dict[str, Any]:
        """At once where it was deprecated longer than any execution lasts, else after that time.

        Returns the statusCode: 204 where it is gone, 202 where it waits for its deletion.
        """
        with self._db.transaction():
            row = self._row(commandId)
            if row is not None:
                deletes_s = row[5] or (row[4] or self._clock()) + MAX_TIMEOUT_S
                self._db.run("UPDATE commands SET deletes_s = ? WHERE command_id = ?", deletes_s, commandId)
            self._delete_due()
            return {"statusCode": 202 if self._row(commandId) else 204}

    def _delete_due(self) -> None:
        now = self._clock()
        if self._db.one("SELECT 1 FROM commands WHERE deletes_s <= ?", now):
            self._db.run("DELETE FROM commands WHERE deletes_s <= ?", now)

    def _row(self, command_id: str) -> tuple[Any, ...] | None:
        return self._db.one(f"SELECT {_COLUMNS} FROM commands WHERE command_id = ?", command_id)  # noqa: S608

    def _summary(self, row: tuple[Any, ...]) -> dict[str, Any]:
        command_id, _, created_s, updated_s, deprecated_s, deletes_s = row
        return {
            "commandId": command_id,
            "commandArn": self._arn(f"command/{command_id}"),
            "createdAt": created_s,
            "lastUpdatedAt": updated_s,
            "deprecated": deprecated_s is not None,
            "pendingDeletion": deletes_s is not None,
        }


def dumps(document: Any) -> str:
    """JSON for the database; bytes stand in it as {"base64": …}, which no member of a command is called."""
    return json.dumps(document, default=lambda data: {"base64": base64.b64encode(data).decode()})


def loads(text: str) -> Any:
    """What dumps() was given."""

    def restored(node: dict[str, Any]) -> Any:
        data = node.get("base64")
        return base64.b64decode(data) if isinstance(data, str) and len(node) == 1 else node

    return json.loads(text, object_hook=restored)


def _check_texts(display_name: str | None, description: str | None) -> None:
    for what, text, longest in (
        ("displayName", display_name, _MAX_DISPLAY_NAME),
        ("description", description, _MAX_DESCRIPTION),
    ):
        if text is not None and not is_plain(text, longest):
            raise ValidationException(
                f"{what}: must be at most {longest} characters without control characters"
            )


def _payload(payload: dict[str, Any]) -> dict[str, Any]:
    content, kind = payload.get("content", b""), payload.get("contentType", "application/octet-stream")
    if not isinstance(content, bytes) or not 1 <= len(content) <= _MAX_PAYLOAD:
        raise ValidationException(f"payload.content: must have 1 to {_MAX_PAYLOAD} bytes")
    if not isinstance(kind, str) or not _CONTENT_TYPE.fullmatch(kind):
        raise ValidationException(f"payload.contentType: {kind!r}, must be type/subtype")
    return {"content": content, "contentType": kind}


def _check_preprocessor(preprocessor: dict[str, Any] | None) -> None:
    substitution = (preprocessor or {}).get("awsJsonSubstitution") or {}
    if substitution.get("outputFormat") != "JSON":
        raise ValidationException(
            "preprocessor: a payloadTemplate needs awsJsonSubstitution, here with the outputFormat JSON"
        )
