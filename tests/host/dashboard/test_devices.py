"""What messages tell of devices, whatever a device may send."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.dashboard import messages
from tools.dashboard.devices import Fleet

NOW_MS = 1_800_000_000_000


class Notes:
    """Kept, told and asked, all in one list."""

    def __init__(self) -> None:
        self.points: list[dict[str, float]] = []
        self.lines: list[str] = []
        self.modes: list[str] = []
        self.asked: list[tuple[Any, ...]] = []

    def point(self, name: str, time_ms: int, values: dict[str, float]) -> None:
        json.dumps(values, allow_nan=False)
        self.points.append(values)

    def log(self, name: str, time_ms: int, level: str, area: str, text: str) -> int:
        assert level in "EWID" and len(text) <= 2000
        self.lines.append(f"{level} {area}: {text}")
        return len(self.lines)

    def mode(self, name: str, time_ms: int, mode: str) -> None:
        self.modes.append(mode)

    def changed(self, name: str) -> None: ...
    def put(self, kind: str, name: str, value: Any) -> None:
        json.dumps(value, allow_nan=False)

    def unknown(self, name: str) -> None:
        self.asked.append(("unknown", name))

    def connected(self, name: str, certificate_id: str) -> None:
        self.asked.append(("connected", name, certificate_id))

    def metrics(self, name: str) -> None:
        self.asked.append(("metrics", name))

    def jobs(self, name: str) -> None:
        self.asked.append(("jobs", name))

    def commands(self, name: str) -> None:
        self.asked.append(("commands", name))


def fleet(by_console: bool = False) -> tuple[Fleet, Notes, dict[str, Any]]:
    """With one device, `lamp`; its summary is made anew at each look."""
    notes = Notes()
    made = Fleet(notes, lambda: NOW_MS)
    made.told, made.asked = notes, notes
    made.add("lamp", by_console)
    return made, notes, {}


def sent(made: Fleet, topic: str, document: Any) -> dict[str, Any]:
    made.message(topic, json.dumps(document).encode())
    return made.devices["lamp"].summary()


def test_telemetry_brings_each_number_and_what_the_table_shows() -> None:
    made, notes, _ = fleet()
    reading = {
        "t": 21.5,
        "led": True,
        "rssi": -60,
        "heap": 30_000,
        "text": "1",
        "dht": {"humidity": 40, "deep": {"x": 1}},
    }
    found = sent(made, "telemetry/lamp", reading)
    assert notes.points == [
        {"t": 21.5, "led": 1, "rssi": -60, "heap": 30_000, "dht.humidity": 40, "dht.deep.x": 1}
    ]
    assert (found["rssi"], found["heap_free"], found["last_message"]) == (-60, 30_000, NOW_MS)
    sent(made, "telemetry/lamp/answer", {"led": False, "rssi": 1})
    assert notes.points[-1] == {"answer.led": 0, "answer.rssi": 1}
    assert made.devices["lamp"].rssi == -60
    sent(made, "telemetry/stranger", {"x": 1})
    assert notes.asked == [("unknown", "stranger")] and len(notes.points) == 2


def test_lines_of_other_systems_have_a_row_of_their_own() -> None:
    made, notes, _ = fleet()
    lines = [
        {"level": "E", "area": "kernel", "text": "hot"},
        7,
        {"level": "I", "area": "system", "text": "mode OTA"},
    ]
    sent(made, "drain/router", {"lines": lines})
    found = sent(made, "drain/lamp", {"lines": lines})
    assert notes.lines == ["E kernel: hot", "I system: mode OTA"] * 2
    assert (found["mode"], found["connected"], notes.modes) == (None, None, [])
    router = made.devices["router"].summary()
    assert (router["mode"], router["connected"], router["last_message"]) == ("SYSLOG", None, NOW_MS)
    sent(made, "$aws/events/presence/connected/router", {"versionNumber": 1})
    assert made.devices["router"].mode == "NORMAL", "it is a device after all"


def test_presence_that_overtakes_is_not_believed() -> None:
    made, notes, _ = fleet()
    topic = "$aws/events/presence/{}/lamp"
    sent(made, topic.format("connected"), {"versionNumber": 4, "timestamp": 40, "principalIdentifier": "ab"})
    gone = {"versionNumber": 4, "timestamp": 50, "disconnectReason": "MQTT_KEEP_ALIVE_TIMEOUT"}
    found = sent(made, topic.format("disconnected"), gone)
    assert (found["connected"], found["since"], found["why"]) == (False, 50, "MQTT_KEEP_ALIVE_TIMEOUT")
    for late in ({"versionNumber": 4}, {"versionNumber": 3}, {"versionNumber": "x"}):
        assert sent(made, topic.format("connected"), late)["connected"] is False
    assert sent(made, topic.format("connected"), {"versionNumber": 5})["connected"] is True
    assert notes.asked[0] == ("connected", "lamp", "ab")
    assert notes.modes == ["NORMAL"]  # deduced, for want of a word of its own


def test_a_console_at_hand_tells_mode_and_log_alone() -> None:
    for by_console, modes, lines in ((True, ["OTA"], 1), (False, ["NORMAL", "CONFIG", "OTA"], 2)):
        made, notes, _ = fleet(by_console)
        sent(made, "$aws/events/presence/connected/lamp", {"versionNumber": 1})
        sent(made, "telemetry/lamp/log", {"t": 1, "level": "I", "area": "system", "text": "mode CONFIG"})
        made.line("lamp", "I", "system", "mode OTA")
        assert notes.modes == modes and len(notes.lines) == lines


def test_no_setup_code_is_kept() -> None:
    made, notes, _ = fleet(by_console=True)
    made.line("lamp", "I", "ble", "code 8WEC-NRT2-NN7C")
    assert notes.lines == ["I ble: code …"]


def test_an_update_goes_its_way_by_job_and_log() -> None:
    made, _, _ = fleet(by_console=True)
    document = {"action": "OTA", "manifest": "iot-update 1\nversion 2.0\nsize 1000\n", "signatures": []}
    job = {"job": "u1", "status": "QUEUED", "document": document, "details": {}}

    def now() -> tuple[Any, ...]:
        update = made.devices["lamp"].update or {}
        return update["status"], update["step"], update["bytes"], update["size"]

    made.jobs("lamp", [job])
    assert now() == ("QUEUED", "queued", 0, 1000)
    made.jobs("lamp", [job | {"status": "IN_PROGRESS"}])
    assert now() == ("IN_PROGRESS", "asking", 0, 1000)
    made.line("lamp", "I", "update", "version 2.0: 400 of 1000 bytes are there")
    assert now() == ("IN_PROGRESS", "fetching", 400, 1000)
    made.line("lamp", "I", "system", "restarting: version 2.0 is installed")
    made.jobs("lamp", [job | {"status": "IN_PROGRESS"}])
    assert now() == ("IN_PROGRESS", "trial", 1000, 1000)
    failed = job | {"status": "FAILED", "details": {"message": "self_test: no"}}
    made.jobs("lamp", [failed])
    assert now()[:2] == ("FAILED", "back") and made.devices["lamp"].update["reason"] == "self_test: no"  # type: ignore[index]
    made.line("lamp", "I", "update", "version 2.0 counts from now on")
    assert now()[:2] == ("FAILED", "back")
    made.jobs("lamp", [job | {"job": "u2", "status": "SUCCEEDED"}, failed])
    assert now()[:3] == ("SUCCEEDED", "confirmed", 1000)
    made.jobs("lamp", [job | {"job": "u3", "status": "REJECTED"}])
    assert now()[1] == "failed"


def test_a_version_comes_from_the_packages_shadow() -> None:
    made, _, _ = fleet()
    topic = "$aws/things/lamp/shadow/name/$package/update/documents"
    document: dict[str, Any] = {"current": {"state": {"reported": {"lamp-firmware": {"version": "1.2"}}}}}
    assert sent(made, topic, document)["version"] == "1.2"
    for odd in (
        {},
        {"current": 1},
        {"current": {"state": {"reported": {"x": 1}}}},
        {"current": {"state": None}},
    ):
        assert sent(made, topic, odd)["version"] == "1.2"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=70), inner, max_size=9),
    max_leaves=12,
)
TOPICS = st.sampled_from(
    (
        "telemetry/lamp", "telemetry/lamp/log", "telemetry/lamp/crash", "telemetry/lamp/a/b", "telemetry/",
        "$aws/events/presence/connected/lamp", "$aws/events/presence/disconnected/lamp",
        "$aws/events/job/j/completed", "$aws/events/jobExecution/j/failed", "$aws/things/lamp/jobs/notify",
        "$aws/things/lamp/shadow/update/documents", "$aws/things/lamp/shadow/name/$package/update/documents",
        "$aws/things/lamp/defender/metrics/json/accepted",
        "$aws/commands/things/lamp/executions/e/request/json", "drain/lamp",
    )
)  # fmt: skip
KEYS = (
    "t",
    "level",
    "area",
    "text",
    "left_out",
    "versionNumber",
    "timestamp",
    "thingArn",
    "current",
    "traceback",
    "lines",
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            TOPICS,
            st.binary(max_size=50)
            | JSON_VALUES.map(lambda value: json.dumps(value).encode())
            | st.dictionaries(st.sampled_from(KEYS), JSON_VALUES).map(
                lambda value: json.dumps(value).encode()
            ),
        ),
        max_size=20,
    )
)
def test_nothing_that_a_device_sends_is_a_failure_or_is_no_json(sent: list[tuple[str, bytes]]) -> None:
    made, _, _ = fleet()
    for topic, payload in sent:
        made.message(topic, payload)
    assert list(made.devices) == ["lamp"]
    json.dumps(made.summaries(), allow_nan=False)
    assert len(made.devices["lamp"].fields) <= 200


def test_of_very_many_fields_some_are_taken() -> None:
    made, notes, _ = fleet()
    for turn in range(9):
        sent(made, "telemetry/lamp", {f"x{turn}.{number}": number for number in range(60)})
    assert len(notes.points[0]) == messages.FIELDS_MAX
    assert len(made.devices["lamp"].fields) == 200 == sum(map(len, notes.points))


@settings(deadline=None)
@given(JSON_VALUES)
def test_fields_are_few_and_their_names_plain(value: Any) -> None:
    found = messages.numbers({"a": value} if not isinstance(value, dict) else value)
    assert len(found) <= messages.FIELDS_MAX
    assert not any(set(name) & set('",\\\n\0') or len(name) > messages.NAME_MAX for name in found)
