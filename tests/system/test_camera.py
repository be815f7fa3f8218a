"""firmware/examples/camera on a simulated device: its shadow asks for a picture, which goes to S3."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import Config

from tests.patience import until
from tools.dev.scene import Scene
from tools.sim import pictures

FOLDER = Path(__file__).resolve().parents[2] / "firmware/examples/camera"
TWO_MB = 2_000_000
JPEG = {"Content-Type": "image/jpeg"}
LATER_S = 3600


@pytest.fixture
async def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["House"]:
    """The example as `IOT_APP` names it, on a device that has not got its power yet."""
    monkeypatch.setenv("IOT_APP", str(FOLDER))
    async with Scene(tmp_path, print) as made:
        made.device.install()
        made.cloud.s3.objects.create_bucket("pictures")
        yield House(made)


class House:
    """The scene of a camera, and who asks for its pictures."""

    def __init__(self, made: Scene) -> None:
        self.scene = made
        self.name = made.name
        self.wiring = made.device.chip.peripherals.wiring
        self.wiring.set("camera", TWO_MB)

    @property
    def taken(self) -> int:
        """How many pictures the camera has taken that were asked for, not to get used to the light."""
        return self.scene.device.chip.peripherals._pictures // 3

    def url(self, key: str, expires_s: int = LATER_S, signed: bool = True) -> str:
        """As boto3 presigns it, with the type as one of the signed headers; or with the host alone."""
        if not signed:
            return self.scene.cloud.s3.url("localhost", f"/pictures/{key}", expires_s, "PUT")
        key_id, secret, token = self.scene.cloud.s3.credentials()
        place = f"https://localhost:{self.scene.cloud.s3._port}"
        client = boto3.client(
            "s3",
            "us-east-1",
            endpoint_url=place,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        wanted = {"Bucket": "pictures", "Key": key, "ContentType": JPEG["Content-Type"]}
        return str(client.generate_presigned_url("put_object", wanted, expires_s))

    def ask(self, number: str, url: str, headers: dict[str, str] | None = None) -> None:
        desired = {"snapshot": {"id": number, "url": url, "headers": JPEG if headers is None else headers}}
        payload = json.dumps({"state": {"desired": desired}}).encode()
        self.scene.cloud.shadows.update_thing_shadow(thingName=self.name, payload=payload)

    def reported(self) -> dict[str, Any]:
        return dict(self.scene._state().get("reported", {}).get("snapshot", {}))

    async def answer(self, number: str) -> dict[str, Any]:
        await until(lambda: self.reported().get("id") == number, "what became of it")
        return self.reported()

    def stored(self, key: str) -> bytes:
        with self.scene.cloud.s3.objects.open("pictures", key) as found:
            return found.read(0, found.size)

    def lines(self, pattern: str) -> list[str]:
        return [line for line in self.scene.device.lines if re.search(pattern, line)]


async def test_a_picture_of_2_mb_comes_once_for_each_id_while_mqtt_is_away(camera: House) -> None:
    scene = camera.scene
    camera.ask("first", camera.url("first.jpg"))  # before its first start
    await scene.start()
    assert await scene.message(f"telemetry/{camera.name}/online") == {"online": True}
    assert await camera.answer("first") == {"id": "first", "outcome": "done", "bytes": TWO_MB, "status": 200}
    assert camera.stored("first.jpg") == scene.device.chip.peripherals._picture
    assert camera.stored("first.jpg")[:2] == b"\xff\xd8" and camera.taken == 1
    assert len(camera.lines(r"cloud: disconnected: disconnect asked")) == 1, "one connection at a time"

    # What is desired stays: each reconnection brings it again, and so does a start.
    await scene.device.expect(r"cloud: connected")
    scene.cloud.connections.delete_connection(clientId=camera.name)
    assert await scene.message(f"telemetry/{camera.name}/online") == {"online": True}
    await scene.device.power_off()
    await scene.device.power_on()
    assert await scene.message(f"telemetry/{camera.name}/online") == {"online": True}
    camera.ask("first", camera.url("other.jpg"))  # the same one with another URL
    camera.ask("late", camera.url("late.jpg", 1).replace("X-Amz-Expires=1&", "X-Amz-Expires=0&"))
    answer = await camera.answer("late")
    assert answer == {"id": "late", "outcome": "failed", "reason": "the URL's time is over"}
    assert camera.taken == 1 and not camera.lines("Signature|X-Amz|Traceback")
    messages = [topic for topic, _ in scene._messages if topic.endswith("/online")]
    assert len(messages) == 3, "coming back from a picture is nothing new, or there would be no end of them"


async def test_it_tries_again_until_the_server_takes_it(camera: House) -> None:
    """With PSRAM MQTT stays; a URL of another's name, one whose headers are not those that were signed."""
    scene = camera.scene
    scene.device.chip.memory.psram = 4 << 20
    camera.wiring.set("camera", pictures.PICTURE_BYTES)
    await scene.start()
    await scene.device.expect(r"cloud: connected")
    camera.ask("forged", camera.url("a.jpg"), {"Content-Type": "text/html"})
    answer = await camera.answer("forged")
    assert answer == {"id": "forged", "outcome": "failed", "reason": "status 403"}
    camera.ask("no url", "http://localhost/x?X-Amz-Date=20261129T000000Z&X-Amz-Expires=999999999")
    assert (await camera.answer("no url"))["reason"].startswith("url: not https://")
    url = camera.url("b.jpg", signed=False)
    scene.world.hosts["elsewhere.example"] = ("127.0.0.1", 1)  # nobody listens there, for now
    camera.ask("later", url.replace("localhost:", "elsewhere.example:"), {})
    await scene.device.expect(r"camera: tries again: elsewhere\.example:\d+: ")
    scene.world.hosts["elsewhere.example"] = ("127.0.0.1", scene.cloud.s3._port)
    assert "certificate" in (await camera.answer("later"))["reason"], "another's name is no reason to go on"
    camera.ask("good", url, {})
    assert (await camera.answer("good"))["outcome"] == "done"
    assert not camera.lines("cloud: disconnected|Signature|X-Amz|Traceback")


def test_the_example_is_a_page() -> None:
    assert len((FOLDER / "firmware/app.py").read_text().splitlines()) < 100
