"""The application of docs/application.md, pasted as it stands."""

import json
import re
from functools import partial
from pathlib import Path

from tests.patience import until
from tests.system.house import START_S, House, ask

PAGE = (Path(__file__).resolve().parents[2] / "docs/application.md").read_text("utf-8")
NAME = "esp32-240ac4000001"


async def test_the_application_of_the_page(house: House) -> None:
    example = re.findall(r"(?s)```python\n(.*?)```", PAGE)[0]
    device = house.device(app=example)
    received: list[tuple[str, object]] = []

    def on_message(topic: str, payload: bytes) -> None:
        received.append((topic, json.loads(payload)))

    async with house.subscriber(on_message, "telemetry/#") as subscriber:
        await house.normal(device)
        await device.expect("app: telemetry acknowledged", 2 * START_S)
        first = (f"telemetry/{NAME}", {"temperature": 21.5, "starts": 0})
        await until(partial(received.__contains__, first), "what the device has a PUBACK of")
        for command, value in ((b"on", 1), (b"off", 0)):
            subscriber.publish(f"cmd/{NAME}", command)
            answer = (f"telemetry/{NAME}/answer", {"led": value})
            await until(partial(received.__contains__, answer), f"an answer to {command!r}")
            assert device.chip.pins.get(2) == value
        await ask(device, "restart")
        again = (f"telemetry/{NAME}", {"temperature": 21.5, "starts": 1})
        await until(partial(received.__contains__, again), "telemetry after the restart", 2 * START_S)
    assert not [line for line in device.lines if " E " in line]
