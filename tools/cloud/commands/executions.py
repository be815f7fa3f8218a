"""A command on its way to one device, by the names and arguments of boto3 (`iot`, `iot-jobs-data`)."""

import datetime as dt
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from ..database import Database
from ..errors import ConflictException, ResourceNotFoundException, ValidationException
from ..paging import page
from ..registry import Registry
from . import values
from .definitions import MAX_TIMEOUT_S, Definitions, dumps, loads
from .targets import Targets
from .update import CREATED, NO_RESPONSE, STATUSES, TIMED_OUT, Update, as_boto3, check_transition, is_final

_TIMEOUT_S = 10
_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")
_KEPT_S = 182 * 86400  # AWS: six months
_MAX_PAGE = 100
_COLUMNS = (
    "execution_id, command, target, status, by_cloud, reason, result, parameters, timeout_s, created_s, "
    "updated_s, completed_s"
)
Publish = Callable[[str, bytes], None]


class Executions(Definitions):
    """Starts, follows and lists executions; whoever is called has what is due done before.

    Args:
        database: where they are kept.
        registry: the things.
        publish: a message to whoever subscribed.
        clock: seconds since 1970.
    """

    def __init__(
        self, database: Database, registry: Registry, publish: Publish, clock: Callable[[], float]
    ) -> None:
        super().__init__(database, registry.arn, clock)
        self._targets = Targets(registry)
        self._publish = publish

    def start_command_execution(
        self,
        *,
        targetArn: str,
        commandArn: str,
        parameters: dict[str, dict[str, Any]] | None = None,
        executionTimeoutSeconds: int = _TIMEOUT_S,
        clientToken: str | None = None,
    ) -> dict[str, Any]:
        """Publish a command's payload for a thing or a client (`…:thing/NAME`, `…:client/ID`).

        The same clientToken once more starts nothing: it answers with the execution that is there.
        """
        if not 1 <= executionTimeoutSeconds <= MAX_TIMEOUT_S:
            raise ValidationException(f"executionTimeoutSeconds: must be 1 to {MAX_TIMEOUT_S}")
        if clientToken is not None and not _TOKEN.fullmatch(clientToken):
            raise ValidationException(f"clientToken: {clientToken!r}, must be 1 to 64 printable characters")
        asked = dumps([targetArn, commandArn, parameters or {}, executionTimeoutSeconds])
        digest = hashlib.sha256(asked.encode()).hexdigest()
        with self._db.transaction():
            if clientToken is not None and (execution_id := self._started(clientToken, digest)):
                return {"executionId": execution_id}
            target = self._targets.existing(targetArn)
            command = self.get_command(commandId=self._targets.command_id(commandArn))
            if command["deprecated"] or command["pendingDeletion"]:
                raise ValidationException(f"command {command['commandId']} is deprecated; restore it first")
            resolved = values.resolve(command.get("mandatoryParameters", []), parameters or {})
            execution_id, now = str(uuid.uuid4()), self._clock()
            self._db.run(
                f"INSERT INTO command_executions VALUES ({', '.join('?' * 15)})",  # noqa: S608
                execution_id, command["commandId"], target, CREATED, False, None, None, dumps(resolved),
                executionTimeoutSeconds, now, now, None, now + executionTimeoutSeconds, clientToken, digest,
            )  # fmt: skip
            kind, payload = _request(command, resolved, executionTimeoutSeconds)
            topic = f"$aws/commands/{target}/executions/{execution_id}/request{kind}"
            self._db.after_commit(lambda: self._publish(topic, payload))
            self._tell_status(execution_id)
        return {"executionId": execution_id}

    def get_command_execution(
        self, *, executionId: str, targetArn: str, includeResult: bool = False
    ) -> dict[str, Any]:
        self.sweep()
        row = self._execution(executionId, self._targets.name(targetArn))
        if row is None:
            raise ResourceNotFoundException(f"execution {executionId} of {targetArn} does not exist")
        _, _, _, _, _, reason, result, parameters, timeout_s, created_s, updated_s, _ = row
        shown = self._execution_summary(row) | {
            "executionTimeoutSeconds": timeout_s,
            "lastUpdatedAt": updated_s,
            "timeToLive": created_s + _KEPT_S,
        }
        shown |= {"statusReason": json.loads(reason)} if reason else {}
        shown |= {"result": as_boto3(json.loads(result))} if result and includeResult else {}
        return shown | ({"parameters": given} if (given := loads(parameters)) else {})

    def list_command_executions(
        self,
        *,
        maxResults: int = _MAX_PAGE,
        nextToken: str | None = None,
        namespace: str | None = None,
        status: str | None = None,
        sortOrder: str = "DESCENDING",
        startedTimeFilter: dict[str, str] | None = None,
        completedTimeFilter: dict[str, str] | None = None,
        targetArn: str | None = None,
        commandArn: str | None = None,
    ) -> dict[str, Any]:
        """Those of one device or of one command; the times of a filter are UTC, as 2026-01-31T23:59."""
        if (targetArn is None) == (commandArn is None):
            raise ValidationException("give targetArn or commandArn, and not both")
        if startedTimeFilter and completedTimeFilter:
            raise ValidationException("give startedTimeFilter or completedTimeFilter, not both")
        if status is not None and status not in STATUSES:
            raise ValidationException(f"status: {status!r}, must be one of {', '.join(STATUSES)}")
        if sortOrder not in ("ASCENDING", "DESCENDING"):
            raise ValidationException(f"sortOrder: {sortOrder!r}, must be ASCENDING or DESCENDING")
        self.sweep()
        by_completion = bool(completedTimeFilter)
        after, before = _bounds(completedTimeFilter or startedTimeFilter or {})
        if commandArn is not None:
            where, value = "command", self._targets.command_id(commandArn)
        else:
            where, value = "target", self._targets.name(targetArn or "")
        moment = 11 if by_completion else 9
        rows = [
            row
            for row in self._db.all(f"SELECT {_COLUMNS} FROM command_executions WHERE {where} = ?", value)  # noqa: S608
            if status in (None, row[3]) and row[moment] is not None and after < row[moment] < before
        ]
        rows.sort(key=lambda row: (row[moment], row[0]), reverse=sortOrder == "DESCENDING")
        found = [self._execution_summary(row) for row in rows if namespace in (None, "AWS-IoT")]
        return page("commandExecutions", found, nextToken, maxResults, _MAX_PAGE, ValidationException)

    def delete_command_execution(self, *, executionId: str, targetArn: str) -> None:
        """One that is over; one that is not there is none to delete."""
        self.sweep()
        with self._db.transaction():
            row = self._execution(executionId, self._targets.name(targetArn))
            if row is not None and not is_final(row[3], bool(row[4])):
                raise ConflictException(f"execution {executionId} is {row[3]} and may still be answered")
            self._db.run(
                "DELETE FROM command_executions WHERE execution_id = ? AND target = ?",
                executionId, self._targets.name(targetArn),
            )  # fmt: skip

    def sweep(self) -> None:
        """Let time out what is due, and forget what AWS would have forgotten."""
        now = self._clock()
        self._delete_due()
        if self._db.one("SELECT 1 FROM command_executions WHERE created_s <= ?", now - _KEPT_S):
            self._db.run("DELETE FROM command_executions WHERE created_s <= ?", now - _KEPT_S)
        due = self._db.all("SELECT execution_id FROM command_executions WHERE due_s <= ?", now)
        if not due:
            return
        with self._db.transaction():
            for (execution_id,) in due:
                self._db.run(
                    "UPDATE command_executions SET status = ?, by_cloud = TRUE, reason = ?, updated_s = ?, "
                    "due_s = NULL WHERE execution_id = ?",
                    TIMED_OUT, json.dumps(NO_RESPONSE), now, execution_id,
                )  # fmt: skip
                self._tell_status(execution_id)

    def _update(self, execution_id: str, target: str, update: Update) -> bool:
        """What a device says. False: there is no such execution for it. Raises Refused."""
        row = self._execution(execution_id, target)
        if row is None:
            return False
        check_transition(row[3], bool(row[4]), update.status)
        now, final = self._clock(), is_final(update.status, by_cloud=False)
        self._db.run(
            "UPDATE command_executions SET status = ?, by_cloud = FALSE, reason = ?, "
            "result = coalesce(?, result), updated_s = ?, completed_s = ?, "
            "due_s = CASE WHEN ? THEN NULL ELSE due_s END WHERE execution_id = ?",
            update.status, json.dumps(update.reason) if update.reason else None,
            json.dumps(update.result) if update.result else None, now, now if final else None, final,
            execution_id,
        )  # fmt: skip
        self._tell_status(execution_id)
        return True

    def _tell_status(self, execution_id: str) -> None:
        """AWS: "Command execution events"; sent once it is certain."""
        row = self._db.one(
            f"SELECT {_COLUMNS} FROM command_executions WHERE execution_id = ?",  # noqa: S608
            execution_id,
        )
        if row is None:
            return
        summary = self._execution_summary(row)
        event = {name: summary[name] for name in ("executionId", "status", "commandArn", "targetArn")}
        event |= {"eventType": "COMMAND_EXECUTION", "timestamp": int(self._clock() * 1000)}
        event |= {"statusReason": json.loads(row[5])} if row[5] else {}
        topic = f"$aws/events/commandExecution/{row[1]}/{row[3]}"
        self._db.after_commit(lambda: self._publish(topic, json.dumps(event).encode()))

    def _execution(self, execution_id: str, target: str) -> tuple[Any, ...] | None:
        sql = f"SELECT {_COLUMNS} FROM command_executions WHERE execution_id = ? AND target = ?"  # noqa: S608
        return self._db.one(sql, execution_id, target)

    def _execution_summary(self, row: tuple[Any, ...]) -> dict[str, Any]:
        completed = {"completedAt": row[11]} if row[11] is not None else {}
        return {
            "executionId": row[0],
            "commandArn": self._arn(f"command/{row[1]}"),
            "targetArn": self._targets.arn(row[2]),
            "status": row[3],
            "createdAt": row[9],
            "startedAt": row[9],
        } | completed

    def _started(self, token: str, digest: str) -> str | None:
        row = self._db.one("SELECT execution_id, digest FROM command_executions WHERE token = ?", token)
        if row is not None and row[1] != digest:
            raise ConflictException(f"clientToken {token!r} was used with other arguments")
        return row[0] if row else None


def _request(
    command: dict[str, Any], resolved: dict[str, dict[str, Any]], timeout_s: int
) -> tuple[str, bytes]:
    """The end of the request's topic, and the payload."""
    if "payloadTemplate" in command:
        return "/json", values.fill(command["payloadTemplate"], resolved, timeout_s)
    kind = command["payload"]["contentType"].partition(";")[0].lower()
    end = {"application/json": "/json", "application/cbor": "/cbor"}.get(kind, "")
    return end, command["payload"]["content"]


def _bounds(times: dict[str, str]) -> tuple[float, float]:
    def seconds(name: str, default: float) -> float:
        if name not in times:
            return default
        try:
            moment = dt.datetime.fromisoformat(times[name])
        except ValueError:
            text = f"{name}: {times[name]!r}, must be as 2026-01-31T23:59"
            raise ValidationException(text) from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()

    return seconds("after", float("-inf")), seconds("before", float("inf"))
