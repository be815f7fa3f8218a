"""What is published of jobs without having been asked for: `notify`, `notify-next`, events."""

import json
from collections.abc import Callable
from typing import Any

from ..database import Database
from . import placeholders, states, views
from .states import Execution
from .store import Job, JobStore


class Notices:
    """Finds out at a transaction's end what has changed for whom, and tells it after the commit.

    Args:
        database: whose transaction it is.
        store: jobs and executions.
        publish: to whoever subscribed.
        clock: seconds since 1970.
        presign: for the S3 URLs in documents.
    """

    def __init__(
        self,
        database: Database,
        store: JobStore,
        publish: Callable[[str, bytes], None],
        clock: Callable[[], float],
        presign: placeholders.Presign,
    ) -> None:
        self._db = database
        self._store = store
        self._publish = publish
        self._clock = clock
        self._presign = presign
        self._before: dict[str, list[tuple[str, int]]] = {}

    def watch(self, thing: str) -> None:
        """Something about the thing's executions is about to change."""
        if thing not in self._before:
            self._before[thing] = self._pending(thing)

    def forget(self) -> None:
        """Nothing has changed after all, or all is told."""
        self._before.clear()

    def tell(self) -> None:
        """Publish, once the transaction is committed, what has changed for those watched.

        `notify` tells of executions that came to be pending or are so no more, `notify-next` of another one
        that is next (AWS: JobExecutionsChanged, NextJobExecutionChanged).
        """
        now_s = self._clock()
        for thing, before in self._before.items():
            pending = states.in_order(self._store.pending(thing))
            after = [(one.job_id, one.number) for one in pending]
            topic, stamp = f"$aws/things/{thing}/jobs/", {"timestamp": int(now_s)}
            if set(after) != set(before):
                self.publish(f"{topic}notify", stamp | {"jobs": views.pending_by_status(pending)})
            if after[:1] != before[:1]:
                execution = self._with_document(pending[0], now_s) if pending else None
                self.publish(f"{topic}notify-next", views.present(stamp | {"execution": execution}))

    def publish(self, topic: str, payload: dict[str, Any]) -> None:
        """Publish it once the transaction is committed."""
        data = json.dumps(payload).encode()
        self._db.after_commit(lambda: self._publish(topic, data))

    def document(self, job: Job) -> str:
        """A job's document as devices get it."""
        expires_s = job.members.get("presignedUrlConfig", {}).get("expiresInSec")
        return placeholders.fill(job.document, self._presign, expires_s or placeholders.DEFAULT_EXPIRY_S)

    def _with_document(self, one: Execution, now_s: float) -> dict[str, Any]:
        document = json.loads(self.document(self._store.job(one.job_id)))
        return views.execution_data(one, now_s, document)

    def _pending(self, thing: str) -> list[tuple[str, int]]:
        return [(one.job_id, one.number) for one in states.in_order(self._store.pending(thing))]
