"""Shadows in SQLite."""

import json

from ..database import Database
from .document import Document
from .topic import Shadow


class ShadowStore:
    """The shadows of a database; each method raises InternalFailureException.

    Args:
        database: shared with the registry.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def load(self, shadow: Shadow) -> Document:
        """Its document, with `exists` False where there is none."""
        row = self._db.one(
            "SELECT version, document FROM shadows WHERE thing = ? AND name = ?", shadow.thing, shadow.name
        )
        if row is None:
            return Document(exists=False)
        version, text = row
        if text is None:
            return Document(version, exists=False)
        state, metadata = json.loads(text)
        return Document(version, state, metadata)

    def save(self, shadow: Shadow, document: Document) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO shadows VALUES (?, ?, ?, NULL, ?)",
            shadow.thing, shadow.name, document.version, json.dumps([document.state, document.metadata]),
        )  # fmt: skip

    def delete(self, shadow: Shadow, now_s: float) -> None:
        """Its version is kept until `purge`."""
        self._db.run(
            "UPDATE shadows SET document = NULL, deleted_s = ? WHERE thing = ? AND name = ?",
            now_s, shadow.thing, shadow.name,
        )  # fmt: skip

    def purge(self, before_s: float) -> None:
        """Forget the versions of what was deleted before that moment."""
        self._db.run("DELETE FROM shadows WHERE deleted_s <= ?", before_s)

    def names(self, thing: str, after: str, count: int) -> list[str]:
        """At most `count` names of a thing's named shadows, in order, from behind `after` on."""
        rows = self._db.all(
            "SELECT name FROM shadows WHERE thing = ? AND name > ? AND document IS NOT NULL "
            "ORDER BY name LIMIT ?",
            thing, after, count,
        )  # fmt: skip
        return [name for (name,) in rows]
