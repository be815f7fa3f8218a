"""The live page, and whoever else listens: lines of others than devices, by MQTT on `drain/SOURCE`."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .batches import Placed, batches
from .lines import Line, moment

TOPIC = "drain/"
_NO_LEVEL = re.compile(r"[^A-Za-z0-9_.:-]")  # of a topic
_SOURCE_CHARS = 100
_TEXT_CHARS = 8000
_LINES_MAX = 500
_BYTES_MAX = 100_000  # AWS carries 128 KB


class Page:
    """Messages of AWS IoT, each `{"lines": [{"kind", "source", "time", "level", "area", "text"}]}`.

    A device's own lines are not among them: they came by MQTT, and who wants them has them.

    Args:
        client: boto3's or botocore's for `iot-data`.
    """

    name = "page"

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, found: Sequence[Line]) -> dict[int, str]:
        """See Sink."""
        sources: dict[str, list[Placed]] = defaultdict(list)
        for place, line in enumerate(found):
            if line.kind != "device":
                sources[topic_of(line.source)].append((place, line))
        refused: dict[int, str] = {}
        for topic, placed in sources.items():
            for batch in batches(placed, _LINES_MAX, _BYTES_MAX, lambda line: len(_json(line))):
                payload = b'{"lines":[%s]}' % b",".join(_json(line) for _, line in batch)
                try:
                    self._client.publish(topic=topic, qos=1, payload=payload)
                except (ClientError, BotoCoreError) as error:
                    refused |= {place: type(error).__name__ for place, _ in batch}
        return refused


def topic_of(source: str) -> str:
    """The topic of a source's lines."""
    return TOPIC + (_NO_LEVEL.sub("-", source)[:_SOURCE_CHARS] or "-")


def _json(line: Line) -> bytes:
    text = line.text[:_TEXT_CHARS]
    who = {"kind": line.kind, "source": line.source, "time": moment(line.time_ms)}
    return json.dumps({**who, "level": line.level, "area": line.area[:200], "text": text}).encode()
