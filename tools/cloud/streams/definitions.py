"""Streams as an operator defines them, by the names and arguments of boto3's `iot` client."""

import json
import re
from collections.abc import Callable
from typing import Any

from ..database import Database
from ..errors import (
    InvalidRequestException,
    LimitExceededException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from ..paging import page
from ..s3.errors import S3Error
from ..s3.objects import Objects

_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_DESCRIPTION = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,2028}")
_MOST_FILES, _MOST_FILE_ID, _MOST_PAGE = 50, 255, 250
_LAST_VERSION = 65_535
_COLUMNS = "stream_id, version, description, role, files, created_s, updated_s"


class Definitions:
    """Creates, shows, changes and deletes streams. A file's size and ETag are those of the moment.

    Args:
        database: where they are kept.
        objects: S3's, which the files are.
        arn: makes the ARN of a resource such as `stream/s`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        objects: Objects,
        arn: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._db = database
        self._objects = objects
        self._arn = arn
        self._clock = clock

    def create_stream(
        self, *, streamId: str, files: list[dict[str, Any]], roleArn: str, description: str | None = None
    ) -> dict[str, Any]:
        """Its version is 1. The role is kept: whoever reaches this port may read all of its S3."""
        if not _ID.fullmatch(streamId):
            raise InvalidRequestException(f"streamId {streamId!r}: must be 1 to 128 of a-z A-Z 0-9 _ -")
        _check(description)
        found = self._files(files)
        with self._db.transaction():
            if self._row(streamId):
                raise ResourceAlreadyExistsException(f"stream {streamId} exists", resourceId=streamId)
            now = self._clock()
            sql = "INSERT INTO streams VALUES (?, 1, ?, ?, ?, ?, ?)"
            self._db.run(sql, streamId, description, roleArn, json.dumps(found), now, now)
        return self._summary(self._existing(streamId))

    def describe_stream(self, *, streamId: str) -> dict[str, Any]:
        row = self._existing(streamId)
        *_, role, files, created_s, updated_s = row
        shown = [
            {"fileId": one["fileId"], "s3Location": {"bucket": one["bucket"], "key": one["key"]}}
            for one in json.loads(files)
        ]
        more = {"files": shown, "roleArn": role, "createdAt": created_s, "lastUpdatedAt": updated_s}
        return {"streamInfo": self._summary(row) | more}

    def update_stream(
        self,
        *,
        streamId: str,
        files: list[dict[str, Any]] | None = None,
        roleArn: str | None = None,
        description: str | None = None,
    ) -> dict[str, Any]:
        """What is given changes, and the version grows by one."""
        _check(description)
        with self._db.transaction():
            _, version, old_description, old_role, old_files, *_ = self._existing(streamId)
            if version == _LAST_VERSION:
                raise LimitExceededException(f"stream {streamId} has version {version}, which is the last")
            made = old_files if files is None else json.dumps(self._files(files))
            sql = (
                "UPDATE streams SET version = ?, description = ?, role = ?, files = ?, updated_s = ?"
                " WHERE stream_id = ?"
            )
            kept = description or old_description, roleArn or old_role
            self._db.run(sql, version + 1, *kept, made, self._clock(), streamId)
        return self._summary(self._existing(streamId))

    def delete_stream(self, *, streamId: str) -> dict[str, Any]:
        self._existing(streamId)
        self._db.run("DELETE FROM streams WHERE stream_id = ?", streamId)
        return {}

    def list_streams(
        self, *, maxResults: int = 25, nextToken: str | None = None, ascendingOrder: bool = False
    ) -> dict[str, Any]:
        """By their creation."""
        order = "ASC" if ascendingOrder else "DESC"
        sql = f"SELECT {_COLUMNS} FROM streams ORDER BY created_s {order}, stream_id {order}"  # noqa: S608
        rows = self._db.all(sql)
        return page(
            "streams", rows, nextToken, maxResults, _MOST_PAGE, InvalidRequestException, self._summary
        )

    def _files(self, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of each its number, place, size and ETag."""
        if not 1 <= len(files) <= _MOST_FILES:
            raise InvalidRequestException(f"files: must be 1 to {_MOST_FILES}")
        found: dict[int, dict[str, Any]] = {}
        for one in files:
            number, place = one.get("fileId"), one.get("s3Location") or {}
            if not isinstance(number, int) or not 0 <= number <= _MOST_FILE_ID or number in found:
                raise InvalidRequestException(
                    f"files: fileId {number!r}, must be 0 to {_MOST_FILE_ID}, each once"
                )
            bucket, key = place.get("bucket"), place.get("key")
            if not bucket or not key or place.get("version"):
                raise InvalidRequestException(
                    "files: s3Location must have a bucket and a key, and here no version"
                )
            try:
                with self._objects.open(bucket, key) as there:
                    seen = {"size": there.size, "etag": there.etag}
                found[number] = {"fileId": number, "bucket": bucket, "key": key} | seen
            except S3Error as error:
                raise InvalidRequestException(f"files: s3://{bucket}/{key}: {error}") from None
        return list(found.values())

    def _existing(self, stream_id: str) -> tuple[Any, ...]:
        row = self._row(stream_id)
        if row is None:
            raise ResourceNotFoundException(f"stream {stream_id} does not exist")
        return row

    def _row(self, stream_id: str) -> tuple[Any, ...] | None:
        return self._db.one(f"SELECT {_COLUMNS} FROM streams WHERE stream_id = ?", stream_id)  # noqa: S608

    def _summary(self, row: tuple[Any, ...]) -> dict[str, Any]:
        stream_id, version, description, *_ = row
        shown = {
            "streamId": stream_id,
            "streamArn": self._arn(f"stream/{stream_id}"),
            "streamVersion": version,
        }
        return shown | ({} if description is None else {"description": description})


def _check(description: str | None) -> None:
    if description is not None and not _DESCRIPTION.fullmatch(description):
        raise InvalidRequestException("description: must be 1 to 2028 characters without control characters")
