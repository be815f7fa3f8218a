"""Device Defender: custom metrics by the names of boto3's `iot` client, and reports on MQTT."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..client import Client
from ..database import Database
from ..errors import (
    InternalFailureException,
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from ..events import Event
from ..paging import page
from ..registry import Registry
from .report import CUSTOM, InvalidReport, Report, parse

_TOPIC = re.compile(r"\$aws/things/([^/]+)/defender/metrics/json")
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_INTERVAL_S = 300
_KEPT = 288  # reports of one thing: a day's
_MAX_PAGE = 250
_VALUES = {"number": "number", "number_list": "numbers", "string_list": "strings", "ip_list": "cidrs"}
_KINDS = tuple(kind for kind, _ in CUSTOM.values())


class _Rejected(Exception):
    def __init__(self, code: str, message: str, report_id: int | None) -> None:
        super().__init__(message)
        self.code = code
        self.report_id = report_id


class Defender:
    """The service behind `$aws/things/THING/defender/metrics/json`.

    Args:
        database: keeps the custom metrics, and of each thing its last reports.
        registry: the things.
        publish: a message to whoever subscribed.
        tell: called with an Event for a report that is rejected, and for a metric in it that nobody declared.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        publish: Callable[[str, bytes], None],
        tell: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._db = database
        self._registry = registry
        self._publish = publish
        self._tell = tell
        self._clock = clock

    # The control plane

    def create_custom_metric(
        self,
        *,
        metricName: str,
        metricType: str,
        clientRequestToken: str,
        displayName: str | None = None,
    ) -> dict[str, Any]:
        """The same once more with the same token is no error."""
        if not _NAME.fullmatch(metricName) or metricName.startswith("aws:"):
            text = "must be 1 to 128 of a-z A-Z 0-9 : _ - and not begin with aws:"
            raise InvalidRequestException(f"metricName {metricName!r}: {text}")
        if metricType not in _KINDS:
            raise InvalidRequestException(
                f"metricType: {metricType!r}, must be one of {', '.join(sorted(_KINDS))}"
            )
        _check_display_name(displayName)
        with self._db.transaction():
            row = self._db.one("SELECT kind, token FROM custom_metrics WHERE name = ?", metricName)
            if row is not None and row != (metricType, clientRequestToken):
                raise ResourceAlreadyExistsException(f"custom metric {metricName} exists")
            if row is None:
                now = self._clock()
                sql = "INSERT INTO custom_metrics VALUES (?, ?, ?, ?, ?, ?)"
                self._db.run(sql, metricName, metricType, displayName, clientRequestToken, now, now)
        return {"metricName": metricName, "metricArn": self._registry.arn(f"custommetric/{metricName}")}

    def describe_custom_metric(self, *, metricName: str) -> dict[str, Any]:
        row = self._db.one(
            "SELECT kind, display_name, created_s, updated_s FROM custom_metrics WHERE name = ?", metricName
        )
        if row is None:
            raise ResourceNotFoundException(f"custom metric {metricName} does not exist")
        return {
            "metricName": metricName,
            "metricArn": self._registry.arn(f"custommetric/{metricName}"),
            "metricType": row[0],
            "creationDate": row[2],
            "lastModifiedDate": row[3],
        } | ({"displayName": row[1]} if row[1] is not None else {})

    def list_custom_metrics(self, *, maxResults: int = 25, nextToken: str | None = None) -> dict[str, Any]:
        names = [name for (name,) in self._db.all("SELECT name FROM custom_metrics ORDER BY name")]
        return page("metricNames", names, nextToken, maxResults, _MAX_PAGE, InvalidRequestException)

    def update_custom_metric(self, *, metricName: str, displayName: str) -> dict[str, Any]:
        _check_display_name(displayName)
        self._db.run(
            "UPDATE custom_metrics SET display_name = ?, updated_s = ? WHERE name = ?",
            displayName, self._clock(), metricName,
        )  # fmt: skip
        return self.describe_custom_metric(metricName=metricName)

    def delete_custom_metric(self, *, metricName: str) -> None:
        self._db.run("DELETE FROM custom_metrics WHERE name = ?", metricName)

    def list_metric_values(
        self,
        *,
        thingName: str,
        metricName: str,
        startTime: float,
        endTime: float,
        dimensionName: str | None = None,
        dimensionValueOperator: str | None = None,
        maxResults: int = _MAX_PAGE,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """Of a custom metric, the newest first; no security profile has to ask for it."""
        self._registry.describe_thing(thingName=thingName)
        self.describe_custom_metric(metricName=metricName)
        if startTime > endTime:
            raise InvalidRequestException("startTime: later than endTime")
        found = [
            {"timestamp": report["received_s"], "value": {_VALUES[key]: value}}
            for report in reversed(self.metrics(thingName))
            if startTime <= report["received_s"] <= endTime
            for key, value in report["custom_metrics"].get(metricName, {}).items()
        ]
        return page("metricDatumList", found, nextToken, maxResults, _MAX_PAGE, InvalidRequestException)

    def metrics(self, thing: str) -> list[dict[str, Any]]:
        """The reports of a thing that are kept, oldest first: `received_s`, and the members of a Report."""
        rows = self._db.all(
            "SELECT received_s, report FROM defender_reports WHERE thing = ? ORDER BY id", thing
        )
        return [{"received_s": received_s} | json.loads(report) for received_s, report in rows]

    # The device's side

    def claims(self, topic: str) -> bool:
        return _TOPIC.fullmatch(topic) is not None

    def sweep(self) -> None:
        """Nothing is due: what is kept is bounded when it comes."""

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        found = _TOPIC.fullmatch(topic)
        if found is None:
            return
        thing = found[1]
        try:
            report = parse(payload)
            with self._db.transaction():
                left_out = self._take(thing, report)
        except InvalidReport as error:
            self._reject(client, topic, thing, _Rejected("InvalidPayload", str(error), error.report_id))
        except _Rejected as error:
            self._reject(client, topic, thing, error)
        except InternalFailureException as error:
            self._reject(client, topic, thing, _Rejected("InternalFailure", str(error), None))
        else:
            for reason in left_out:
                self._tell_rejected(client, "metric left out", f"{topic}: {reason}")
            self._answer(topic, thing, report.report_id, "ACCEPTED", {})

    def _take(self, thing: str, report: Report) -> list[str]:
        """Keep a report; returns what of it is left out, and why."""
        if not self._db.one("SELECT 1 FROM things WHERE name = ?", thing):
            raise _Rejected("ResourceNotFound", f"thing {thing} does not exist", report.report_id)
        last = self._db.one(
            "SELECT report_id, received_s FROM defender_reports WHERE thing = ? ORDER BY id DESC LIMIT 1",
            thing,
        )
        now = self._clock()
        if last is not None and now - last[1] < _INTERVAL_S:
            text = f"one report in {_INTERVAL_S} s; the last one came {now - last[1]:.0f} s ago"
            raise _Rejected("Throttled", text, report.report_id)
        if last is not None and report.report_id <= last[0]:
            text = f"header.report_id: {report.report_id}, must be more than the last one's, {last[0]}"
            raise _Rejected("InvalidPayload", text, report.report_id)
        kinds = dict(self._db.all("SELECT name, kind FROM custom_metrics"))
        kept, left_out = {}, []
        for name, value in report.custom_metrics.items():
            (key,) = value
            if kinds.get(name) == CUSTOM[key][0]:
                kept[name] = value
            else:
                declared = f"is declared as {kinds[name]}" if name in kinds else "is not declared"
                left_out.append(f"{name} {declared}, and came as {key}")
        text = json.dumps(asdict(report) | {"custom_metrics": kept})
        self._db.run(
            "INSERT INTO defender_reports (thing, report_id, received_s, report) VALUES (?, ?, ?, ?)",
            thing, report.report_id, now, text,
        )  # fmt: skip
        self._db.run(
            "DELETE FROM defender_reports WHERE thing = ? AND id <= (SELECT id FROM defender_reports "
            "WHERE thing = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            thing, thing, _KEPT,
        )  # fmt: skip
        return left_out

    def _reject(self, client: Client, topic: str, thing: str, error: _Rejected) -> None:
        self._tell_rejected(client, error.code, f"{topic}: {error}")
        details = {"statusDetails": {"ErrorCode": error.code, "ErrorMessage": str(error)}}
        self._answer(topic, thing, error.report_id, "REJECTED", details)

    def _answer(
        self, topic: str, thing: str, report_id: int | None, status: str, details: dict[str, Any]
    ) -> None:
        answer = {"thingName": thing, "status": status, "timestamp": int(self._clock() * 1000)} | details
        answer |= {} if report_id is None else {"reportId": report_id}
        self._publish(f"{topic}/{status.lower()}", json.dumps(answer).encode())

    def _tell_rejected(self, client: Client, reason: str, detail: str) -> None:
        self._tell(Event("rejected", client.address, client.client_id, client.certificate_id, reason, detail))


def _check_display_name(name: str | None) -> None:
    if name is not None and not (len(name) <= 128 and name.isprintable()):
        raise InvalidRequestException("displayName: must be at most 128 printable characters")
