"""A device's report of its metrics, by long names and by short ones.

Source: AWS IoT Device Defender Developer Guide, "Device metrics document specification".
"""

import ipaddress
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import documents

_LONG = {
    "hed": "header", "rid": "report_id", "v": "version", "met": "metrics", "cmet": "custom_metrics",
    "tc": "tcp_connections", "ec": "established_connections", "cs": "connections", "rad": "remote_addr",
    "lp": "local_port", "li": "local_interface", "tp": "listening_tcp_ports", "up": "listening_udp_ports",
    "pts": "ports", "pt": "port", "if": "interface", "t": "total", "ns": "network_stats", "bi": "bytes_in",
    "bo": "bytes_out", "pi": "packets_in", "po": "packets_out",
}  # fmt: skip
_VERSION = re.compile(r"\d{1,9}\.\d{1,9}", re.ASCII)
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_MAX_REPORT_ID = (1 << 63) - 1
_MAX_NUMBER = sys.float_info.max
Schema = dict[str, Any]
"""Of an object by its members: what they are (a test of the value, an object's schema, a list of one)."""


@dataclass(frozen=True)
class Report:
    """Metrics by their long names; a custom metric as the one key of its value, as `{"number": 1}`."""

    report_id: int
    version: str
    metrics: dict[str, Any]
    custom_metrics: dict[str, dict[str, Any]]


class InvalidReport(Exception):
    """A report that is none; `report_id` is None where that cannot be read either."""

    def __init__(self, message: str, report_id: int | None = None) -> None:
        super().__init__(message)
        self.report_id = report_id


def is_number(value: Any) -> bool:
    """A JSON number that is one: 1e400 is infinite, true is an int of Python's."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_NUMBER


def is_address(value: Any) -> bool:
    """An IPv4 or IPv6 address, or a network in CIDR notation."""
    try:
        return isinstance(value, str) and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(check(entry) for entry in value)


CUSTOM: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "number": ("number", is_number),
    "number_list": ("number-list", _list_of(is_number)),
    "string_list": ("string-list", _list_of(lambda value: isinstance(value, str))),
    "ip_list": ("ip-address-list", _list_of(is_address)),
}
"""By the key of a custom metric's value its metricType, and what the value must be."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return is_number(value) and value >= 0


def _is_port(value: Any) -> bool:
    return is_number(value) and value > 0


_PORTS: Schema = {"ports": [{"port": _is_port, "interface": _is_text}], "total": _is_count}
_CONNECTION: Schema = {"remote_addr": _is_text, "local_port": _is_count, "local_interface": _is_text}
_METRICS: Schema = {
    "listening_tcp_ports": _PORTS,
    "listening_udp_ports": _PORTS,
    "network_stats": dict.fromkeys(("bytes_in", "bytes_out", "packets_in", "packets_out"), _is_count),
    "tcp_connections": {"established_connections": {"connections": [_CONNECTION], "total": _is_count}},
}


def parse(payload: bytes) -> Report:
    """Raises InvalidReport."""
    try:
        report = documents.load(payload.decode())
    except UnicodeDecodeError:
        raise InvalidReport("the payload is not UTF-8") from None
    except ValueError as error:
        raise InvalidReport(f"the payload {error}") from None
    report = _object("the report", report)
    header = _object("header", report.get("header"))
    report_id, version = header.get("report_id"), header.get("version")
    if not isinstance(report_id, int) or isinstance(report_id, bool) or not 0 <= report_id <= _MAX_REPORT_ID:
        raise InvalidReport("header.report_id: must be a whole number")
    try:
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise InvalidReport("header.version: must be Major.Minor")
        if "metrics" not in report and "custom_metrics" not in report:
            raise InvalidReport("metrics or custom_metrics must be there")
        metrics = _long(report.get("metrics", {}))
        _check("metrics", metrics, _METRICS)
        return Report(report_id, version, metrics, _custom(report.get("custom_metrics", {})))
    except InvalidReport as error:
        raise InvalidReport(str(error), report_id) from None


def _object(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidReport(f"{where}: must be an object")
    members: dict[str, Any] = value
    return {_LONG.get(name, name): inner for name, inner in members.items()}


def _long(node: Any) -> Any:
    if isinstance(node, dict):
        return {_LONG.get(name, name): _long(inner) for name, inner in node.items()}
    return [_long(inner) for inner in node] if isinstance(node, list) else node


def _check(where: str, value: Any, schema: Any) -> None:
    if isinstance(schema, list):
        if not isinstance(value, list):
            raise InvalidReport(f"{where}: must be a list")
        for index, entry in enumerate(value):
            _check(f"{where}[{index}]", entry, schema[0])
    elif isinstance(schema, dict):
        if not isinstance(value, dict):
            raise InvalidReport(f"{where}: must be an object")
        for name, inner in value.items():
            if name not in schema:
                raise InvalidReport(f"{where}.{name[:64]}: there is no such metric")
            _check(f"{where}.{name}", inner, schema[name])
        for needed in schema.keys() & {"remote_addr", "port"} - value.keys():
            raise InvalidReport(f"{where}.{needed}: must be there")
    elif not schema(value):
        raise InvalidReport(f"{where}: not what this metric can be")


def _custom(metrics: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(metrics, dict):
        raise InvalidReport("custom_metrics: must be an object")
    values = {}
    for name, entries in metrics.items():
        where = f"custom_metrics.{name[:64]}"
        if not _NAME.fullmatch(name):
            raise InvalidReport(f"{where}: a name must be 1 to 128 of a-z A-Z 0-9 : _ -")
        single = isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict)
        if not single or len(entries[0]) != 1:
            raise InvalidReport(f"{where}: must be a list of one object with one of {', '.join(CUSTOM)}")
        ((key, value),) = entries[0].items()
        if key not in CUSTOM or not CUSTOM[key][1](value):
            raise InvalidReport(f"{where}: not a {', '.join(CUSTOM)} of its kind")
        values[name] = {key: value}
    return values
