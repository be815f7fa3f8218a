"""Certificate ownership tokens: they expire, and serve once."""

import secrets
from collections.abc import Callable

from .database import Database


class OwnershipTokens:
    """The tokens of certificates that wait for RegisterThing.

    Args:
        database: where they are kept.
        lifetime_s: AWS's is one hour.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._db = database
        self._lifetime_s = lifetime_s
        self._clock = clock

    def issue(self, certificate_id: str) -> str:
        token = secrets.token_urlsafe(48)
        self._db.run(
            "INSERT INTO tokens VALUES (?, ?, ?)", token, certificate_id, self._clock() + self._lifetime_s
        )
        return token

    def certificate_of(self, token: str) -> str | None:
        """The certificate's id if the token is valid, which it remains."""
        sql = "SELECT certificate_id FROM tokens WHERE token = ? AND expires_s > ?"
        row = self._db.one(sql, token, self._clock())
        return row[0] if row else None

    def redeem(self, token: str) -> str | None:
        """The certificate's id if the token is valid; a second time it is not."""
        sql = "DELETE FROM tokens WHERE token = ? AND expires_s > ? RETURNING certificate_id"
        row = self._db.one(sql, token, self._clock())
        return row[0] if row else None

    def purge(self) -> None:
        """Forget expired tokens and, as AWS does, the certificates that nobody activated with them."""
        with self._db.transaction():
            expired = self._db.all(
                "DELETE FROM tokens WHERE expires_s <= ? RETURNING certificate_id", self._clock()
            )
            for (certificate_id,) in expired:
                sql = "DELETE FROM certificates WHERE certificate_id = ? AND status = 'PENDING_ACTIVATION'"
                self._db.run(sql, certificate_id)
