"""What each cloud does, by its vendor's word and its stand-in's deed; docs/clouds.md shows it.

`python3 -m tests.clouds.table` writes it there anew; tests/clouds/test_table.py asks the stand-ins.
"""

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs/clouds.md"
BEGIN, END = "<!-- the table begins -->\n", "<!-- the table ends -->\n"
CLOUDS = {"aws": "AWS IoT Core", "azure": "Azure IoT Hub", "clearblade": "ClearBlade IoT Core",
          "alibaba": "Alibaba IoT Platform", "mqtt": "any broker (mosquitto)"}  # fmt: skip
_AWS = "https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html"
_AWS_QUOTAS = "https://docs.aws.amazon.com/general/latest/gr/iot-core.html"
_AWS_TOPICS = "https://docs.aws.amazon.com/iot/latest/developerguide/topics.html"
_AZURE = "https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub"
_AZURE_FILTERS = "https://github.com/Azure/azure-iot-middleware-freertos/pull/89"
_AZURE_QUOTAS = "https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-quotas-throttling"
_CLEARBLADE = "https://clearblade.atlassian.net/wiki/spaces/IC/pages/2202566686"  # publishing over the bridge
_CLEARBLADE_MISSING = "https://clearblade.atlassian.net/wiki/spaces/IC/pages/2203582552"  # "Requirements"
_CLEARBLADE_QUOTAS = "https://clearblade.atlassian.net/wiki/spaces/IC/pages/2203385926/Quotas+and+limits"
_GOOGLE_TOPICS = (
    "https://github.com/GoogleCloudPlatform/google-cloud-iot-arduino/issues/208"  # its predecessor's
)
_ALIBABA = "https://www.alibabacloud.com/help/en/iot/user-guide/mqtt-protocol"
_ALIBABA_CONNECT = "https://www.alibabacloud.com/help/en/iot/user-guide/establish-mqtt-connections-over-tcp"
_ALIBABA_TOPICS = "https://help.aliyun.com/en/iot/user-guide/use-custom-topics"
_ALIBABA_LIMITS = "https://help.aliyun.com/en/iot/product-overview/limits"
_MQTT = "https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html"
_MOSQUITTO = "https://mosquitto.org/man/mosquitto-conf-5.html"


class Cell(NamedTuple):
    """One cloud's answer to one question of tests/clouds/asked.

    source: the vendor's page. said: False where that does not decide it, and the stand-in takes the stricter
    way, or the likelier.
    """

    cloud: str
    question: str
    answer: str
    source: str
    said: bool = True


_OUT = "the older one is out"
_ONE_2 = "a message: hangs up; a subscription: granted QoS 1"
CELLS = [
    Cell("aws", "QoS 0", "taken", _AWS),
    Cell("azure", "QoS 0", "taken", _AZURE),
    Cell("clearblade", "QoS 0", "taken", _CLEARBLADE),
    Cell("alibaba", "QoS 0", "taken", _ALIBABA),
    Cell("mqtt", "QoS 0", "taken", _MQTT),
    Cell("aws", "QoS 1", "taken and acknowledged", _AWS),
    Cell("azure", "QoS 1", "taken and acknowledged", _AZURE),
    Cell("clearblade", "QoS 1", "taken and acknowledged", _CLEARBLADE),
    Cell("alibaba", "QoS 1", "taken and acknowledged", _ALIBABA),
    Cell("mqtt", "QoS 1", "taken and acknowledged", _MQTT),
    Cell("aws", "QoS 2", "a message: hangs up; a subscription: hangs up", _AWS),
    Cell("azure", "QoS 2", _ONE_2, _AZURE),
    Cell("clearblade", "QoS 2", _ONE_2, _CLEARBLADE),
    Cell("alibaba", "QoS 2", _ONE_2, _ALIBABA, said=False),
    Cell("mqtt", "QoS 2", "a message: taken once; a subscription: granted QoS 2", _MQTT),
    Cell("aws", "retain", "kept; for a wildcard not sent", _AWS),
    Cell("azure", "retain", "taken with `mqtt-retain=true`", _AZURE),
    Cell("clearblade", "retain", "taken, and not retained", _CLEARBLADE_MISSING),
    Cell("alibaba", "retain", "taken, and not retained", _ALIBABA),
    Cell("mqtt", "retain", "kept; for a wildcard kept", _MQTT),
    Cell("aws", "will", "sent", _AWS),
    Cell("azure", "will", "taken as telemetry with `iothub-MessageType=Will`", _AZURE),
    Cell("clearblade", "will", "not sent", _CLEARBLADE_MISSING),
    Cell("alibaba", "will", "not sent", _ALIBABA),
    Cell("mqtt", "will", "sent", _MQTT),
    Cell("aws", "two clients of one id", _OUT, _AWS_QUOTAS),
    Cell("azure", "two clients of one id", _OUT, _AZURE),
    Cell("clearblade", "two clients of one id", _OUT, _CLEARBLADE_QUOTAS, said=False),
    Cell("alibaba", "two clients of one id", _OUT, _ALIBABA_CONNECT),
    Cell("mqtt", "two clients of one id", _OUT, _MQTT),
    Cell("aws", "the wildcard `#`", "granted", _AWS_TOPICS),
    Cell("azure", "the wildcard `#`", "hangs up", _AZURE_FILTERS),
    Cell("clearblade", "the wildcard `#`", "hangs up", _CLEARBLADE_MISSING, said=False),
    Cell("alibaba", "the wildcard `#`", "refused (0x80)", _ALIBABA_TOPICS, said=False),
    Cell("mqtt", "the wildcard `#`", "granted", _MQTT),
    Cell("aws", "a topic of one's own", "taken", _AWS_TOPICS),
    Cell("azure", "a topic of one's own", "hangs up", _AZURE, said=False),
    Cell("clearblade", "a topic of one's own", "hangs up", _GOOGLE_TOPICS),
    Cell("alibaba", "a topic of one's own", "hangs up", _ALIBABA_TOPICS, said=False),
    Cell("mqtt", "a topic of one's own", "taken", _MQTT),
    Cell("aws", "device to device", "delivered", _AWS_TOPICS),
    Cell("azure", "device to device", "hangs up", _AZURE_FILTERS),
    Cell("clearblade", "device to device", "hangs up", _CLEARBLADE_MISSING, said=False),
    Cell("alibaba", "device to device", "refused (0x80)", _ALIBABA_TOPICS),
    Cell("mqtt", "device to device", "delivered", _MQTT),
    Cell("aws", "silence, by keep-alive", "0 s: 1800 s, 10 s: 45 s, 300 s: 450 s, 3600 s: 1800 s",
         _AWS_QUOTAS),
    Cell("azure", "silence, by keep-alive", "0 s: 1767 s, 10 s: 15 s, 300 s: 450 s, 3600 s: 1767 s", _AZURE),
    Cell("clearblade", "silence, by keep-alive", "0 s: 1200 s, 10 s: 15 s, 300 s: 450 s, 3600 s: 1200 s",
         _CLEARBLADE),
    Cell("alibaba", "silence, by keep-alive", "0 s: refused, 10 s: refused, 300 s: 450 s, 3600 s: refused",
         _ALIBABA_CONNECT),
    Cell("mqtt", "silence, by keep-alive", "0 s: for ever, 10 s: 15 s, 300 s: 450 s, 3600 s: 5400 s",
         _MQTT),
    Cell("aws", "size of a payload", "128 KB; 255 KB: hangs up", _AWS_QUOTAS),
    Cell("azure", "size of a payload", "255 KB; 256 KB: hangs up", _AZURE_QUOTAS),
    Cell("clearblade", "size of a payload", "256 KB; 300 KB: hangs up", _CLEARBLADE_QUOTAS),
    Cell("alibaba", "size of a payload", "256 KB; 300 KB: hangs up", _ALIBABA_LIMITS, said=False),
    Cell("mqtt", "size of a payload", "300 KB and more", _MOSQUITTO),
]  # fmt: skip


def rows() -> str:
    """The table as the page has it."""
    lines = ["| | " + " | ".join(CLOUDS.values()) + " |", "|---" * (len(CLOUDS) + 1) + "|"]
    for question in dict.fromkeys(cell.question for cell in CELLS):
        found = {cell.cloud: cell for cell in CELLS if cell.question == question}
        lines.append(f"| {question} | " + " | ".join(shown(found[cloud]) for cloud in CLOUDS) + " |")
    return "\n".join(lines) + "\n"


def shown(cell: Cell) -> str:
    return f"[{cell.answer}]({cell.source})" + ("" if cell.said else " \\*")


def page(text: str) -> str:
    """The page with the table in it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + rows() + END + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
