"""What is in a bucket, all versions of it, and its end."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.failures import code, explained

_AT_ONCE = 1000  # DeleteObjects takes no more


def size(account: Account, bucket: str) -> tuple[int, int]:
    """(versions, bytes); delete markers are versions, too."""
    with explained(account.where, "s3"):
        found = [one for page in _pages(account, bucket, "") for one in page]
    return len(found), sum(one.get("Size", 0) for one in found)


def empty(account: Account, bucket: str, prefix: str = "") -> int:
    """Delete all versions of what begins so; how many.

    Raises:
        BoardError: names the first that AWS refuses to delete.
    """
    deleted = 0
    while True:
        with explained(account.where, "s3"):
            page = next(_pages(account, bucket, prefix), None)
            if page is None:
                return deleted
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in page[:_AT_ONCE]]
            answer = account.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            text = f"{bucket}/{errors[0]['Key']}: {errors[0].get('Message') or errors[0]['Code']}"
            raise BoardError(text, "Allow s3:DeleteObjectVersion, and look for a retention lock.")
        deleted += len(objects)


def _pages(account: Account, bucket: str, prefix: str) -> Iterator[list[dict[str, Any]]]:
    """Versions and delete markers; none where there is no such bucket."""
    pages = account.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    try:
        for page in pages:
            if found := [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield found
    except ClientError as error:
        if code(error) != "NoSuchBucket":
            raise
