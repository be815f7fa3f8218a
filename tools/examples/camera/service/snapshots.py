"""Snapshots: asked for, waited for, done. All that is kept of them is the thing's shadow and its pictures."""

import logging
import time
from collections.abc import Callable
from typing import Any

from . import ids
from .pictures import HEADERS, Pictures
from .settings import Settings
from .shadows import Conflict, Shadows

FIELD = "snapshot"
_ATTEMPTS = 5
_REASON = 200  # characters, of what a device says
_log = logging.getLogger(__name__)


class Snapshots:
    """What the functions and the page do.

    Args:
        settings: of this service.
        shadows, pictures: where it keeps all.
        clock: seconds since 1970.
    """

    def __init__(
        self, settings: Settings, shadows: Shadows, pictures: Pictures, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.pictures = pictures
        self._shadows = shadows
        self._clock = clock

    def ask(self, thing: str) -> str:
        """Desire a snapshot of the thing, by a URL for it alone; the snapshot's id.

        One that is still waited for stays, as long as half of its URL's time is left: a device that comes and
        goes gets the same again, and does it once. What is older is replaced, and a new URL is made.
        """
        waiting = self._waiting(thing, self._shadows.get(thing).get("state", {}))
        if waiting and self._left_s(waiting) > self.settings.url_s / 2 and waiting not in self._there(thing):
            return waiting
        made = ids.make(self.settings.token, thing, int(self._clock() * 1000))
        url = self.pictures.upload_url(thing, made, self.settings.url_s)
        self._shadows.desire(thing, {FIELD: {"id": made, "url": url, "headers": HEADERS}})
        return made

    def settle(self, thing: str, reported: object) -> bool:
        """Take an outcome: what was desired is cleared, where it is this and nothing newer.

        Args:
            thing: whose outcome it is, by who has sent it.
            reported: what it reports; of an id that was not given to it, it is ignored.

        Returns:
            Whether it was one of ours.
        """
        given = reported.get("id") if isinstance(reported, dict) else None
        if not self._is_ours(thing, given):
            _log.warning("%s reports an id that it was not given", thing)
            return False
        for _ in range(_ATTEMPTS):
            document = self._shadows.get(thing)
            desired = document.get("state", {}).get("desired", {}).get(FIELD)
            if not isinstance(desired, dict) or desired.get("id") != given:
                return True
            try:
                self._shadows.desire(thing, {FIELD: None}, document["version"])
                return True
            except Conflict:
                continue
        raise Conflict(f"{thing}: the shadow changes all the time")

    def look(self, thing: str) -> dict[str, Any]:
        """What there is to tell of a camera: what it was asked for last, and its newest pictures."""
        state = self._shadows.get(thing).get("state", {})
        pictures = self.pictures.listed(thing)
        return {
            "name": thing,
            "snapshot": self._told(thing, state, {one.id for one in pictures}),
            "pictures": [one._asdict() for one in pictures],
        }

    def _there(self, thing: str) -> set[str]:
        return {one.id for one in self.pictures.listed(thing)}

    def _told(self, thing: str, state: dict[str, Any], there: set[str]) -> dict[str, Any]:
        if waiting := self._waiting(thing, state):
            if waiting in there:  # and its report is on its way
                return {"id": waiting, "state": "done", "made_ms": ids.made_ms(waiting)}
            is_late = self._left_s(waiting) <= 0
            return {"id": waiting, "state": "late" if is_late else "waiting", "made_ms": ids.made_ms(waiting)}
        reported = state.get("reported", {}).get(FIELD)
        if not isinstance(reported, dict) or not self._is_ours(thing, reported.get("id")):
            return {"state": "none"}
        told = {"id": reported["id"], "made_ms": ids.made_ms(reported["id"])}
        if reported.get("outcome") == "done":
            return {**told, "state": "done"}
        return {**told, "state": "failed", "reason": str(reported.get("reason", "no reason"))[:_REASON]}

    def _waiting(self, thing: str, state: dict[str, Any]) -> str:
        """The id of the snapshot that has no outcome as yet; "" where there is none."""
        desired, reported = (state.get(one, {}).get(FIELD) for one in ("desired", "reported"))
        given = desired.get("id") if isinstance(desired, dict) else None
        over = reported.get("id") if isinstance(reported, dict) else None
        return str(given) if given != over and self._is_ours(thing, given) else ""

    def _is_ours(self, thing: str, given: object) -> bool:
        return ids.is_for(self.settings.token, thing, given)

    def _left_s(self, snapshot: str) -> float:
        """Of its URL's time."""
        return (ids.made_ms(snapshot) or 0) / 1000 + self.settings.url_s - self._clock()
