"""The lines of docs/broker.md that drive the cloud with boto3 do what they say."""

import json
import re
from pathlib import Path
from typing import Any

from tests.peers.cloud_thread import CloudThread

DOCUMENT = Path(__file__).parents[2] / "docs/broker.md"


def test_the_lines_of_the_document(tmp_path: Path) -> None:
    section = DOCUMENT.read_text("utf-8").partition("## Drive it with boto3")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found
    with CloudThread(tmp_path, rest_port=0, messages=True) as cloud:
        url = cloud.call(lambda it: it.rest_url)
        lines = found[1].replace("http://localhost:8884", url)
        assert url in lines
        names: dict[str, Any] = {}
        exec(lines, names)
        thing = cloud.call(lambda it: it.registry.describe_thing(thingName="lamp"))
        assert thing["attributes"] == {"place": "hall"}
        principals = cloud.call(lambda it: it.registry.list_thing_principals(thingName="lamp"))["principals"]
        assert principals == [names["certificate"]["certificateArn"]]
        names["data"].publish(
            topic="cmd/lamp", qos=1, retain=True, payload=json.dumps({"led": True}).encode()
        )
        assert names["data"].get_retained_message(topic="cmd/lamp")["payload"] == b'{"led": true}'
    assert [event for event in cloud.events if event.kind == "rejected"] == []
