"""Things' shadows, as plain dictionaries: they are encoded here, once, and nowhere else.

A payload that comes here as text may be JSON already, which would go out as a JSON string; so it is refused.
"""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError


class Conflict(Exception):
    """The shadow has changed meanwhile."""


class Shadows:
    """The classic shadows of an account.

    Args:
        data: botocore's client of iot-data.
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    def get(self, thing: str) -> dict[str, Any]:
        """Its document; an empty one where it has no shadow."""
        try:
            found = self._data.get_thing_shadow(thingName=thing)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return {}
        document: dict[str, Any] = json.loads(found["payload"].read())
        return document

    def desire(self, thing: str, desired: Mapping[str, Any], version: int | None = None) -> None:
        """Desire that of the thing; None takes a field away.

        Args:
            thing: its name.
            desired: a plain dictionary.
            version: change that version of the shadow and no other.

        Raises:
            TypeError: it is no dictionary, but what was made of one, say.
            Conflict: the shadow has another version.
        """
        if not isinstance(desired, Mapping):
            raise TypeError(f"desired must be a dictionary, not {type(desired).__name__}")
        document: dict[str, Any] = {"state": {"desired": desired}}
        if version is not None:
            document["version"] = version
        try:
            self._data.update_thing_shadow(thingName=thing, payload=json.dumps(document).encode())
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":
                raise
            raise Conflict(f"{thing}: the shadow has changed meanwhile") from None
