"""Microsoft's own device SDK is a device of the stand-in: hub and DPS, by keys and by certificates.

Its environment is one of its own, `.azure` (make .azure/ready): the SDK wants paho-mqtt below 2.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clouds.azure_certificates import certified
from tests.patience import PATIENCE_S, until
from tools.clouds.azure import Azure, Telemetry
from tools.clouds.azure.sas import derived_key

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".azure/bin/python"
JUDGE = ROOT / "tests/clouds/azure_judge.py"
HUB = "house.azure-devices.net"


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncIterator[Azure]:
    cloud = Azure(tmp_path / "azure", hosts=(HUB,))
    cloud.dps.retry_after_s = 1
    await cloud.start()
    try:
        yield cloud
    finally:
        await cloud.stop()


class Judge:
    """The SDK in its process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self._stdin, self._stdout = process.stdin, process.stdout

    def order(self, **order: Any) -> None:
        self._stdin.write(json.dumps(order).encode() + b"\n")

    async def heard(self, what: str) -> dict[str, Any]:
        """The next thing that it says."""
        async with asyncio.timeout(PATIENCE_S):
            said = json.loads(await self._stdout.readline())
        assert said.pop("what") == what, said
        return said

    def leave(self) -> None:
        self._stdin.close()


@asynccontextmanager
async def sdk(azure: Azure, **asked: Any) -> AsyncIterator[Judge]:
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON} is missing: make .azure/ready")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PYTHON, JUDGE, stdin=pipe, stdout=pipe)
    judge = Judge(process)
    judge.order(port=azure.port, root=azure.root_pem, **asked)
    try:
        yield judge
        judge.leave()
        await judge.heard("end")
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_sdk_lives_on_the_hub_by_its_key(azure: Azure) -> None:
    azure.hub.create_device("d")
    azure.hub.send("d", b"while it was off", {"a": "1 & 2"}, "m1")
    async with sdk(azure, connection=azure.hub.connection_string("d")) as device:
        message = await device.heard("message")
        assert message == {"data": "while it was off", "id": "m1", "properties": {"a": "1 & 2"}}
        twin = await device.heard("connected")
        assert twin == {"twin": {"desired": {"$version": 1}, "reported": {"$version": 1}}}

        device.order(telemetry='{"t": 21.5}', properties={"room": "a/b=c"})
        await device.heard("done")
        properties = {"$.ct": "application/json", "room": "a/b=c"}
        assert list(azure.hub.telemetry) == [Telemetry("d", b'{"t": 21.5}', properties, 1)]

        azure.hub.patch_desired("d", {"led": {"on": True}})
        assert await device.heard("desired") == {"patch": {"led": {"on": True}, "$version": 2}}
        device.order(reported={"led": {"on": True}, "nothing": None})
        await device.heard("done")
        assert azure.hub.reported("d") == {"led": {"on": True}}

        call = asyncio.create_task(azure.hub.invoke("d", "set led", {"on": False}))
        await asyncio.sleep(0)
        device.order(answer=207)
        await device.heard("done")
        assert await call == (207, {"method": "set led", "payload": {"on": False}})
        await until(lambda: not azure.hub.waiting("d"), "the message's PUBACK")


async def test_the_sdk_lives_on_the_hub_by_its_certificate(azure: Azure, tmp_path: Path) -> None:
    mine = certified(tmp_path, "d")
    azure.hub.create_device("d", certificate_pem=mine.pem)
    async with sdk(azure, hub=HUB, device="d", certificate=mine.path, key_file=mine.key_path) as device:
        await device.heard("connected")
        device.order(telemetry="by certificate", properties={})
        await device.heard("done")
    assert [one.payload for one in azure.hub.telemetry] == [b"by certificate"]


async def test_the_sdk_is_refused_with_a_wrong_key(azure: Azure) -> None:
    azure.hub.create_device("d")
    azure.hub.create_device("other")
    stolen = azure.hub.connection_string("other").replace("DeviceId=other", "DeviceId=d")
    async with sdk(azure, connection=stolen) as device:
        assert "Unauthorized" in (await device.heard("refused"))["error"]


async def test_the_sdk_registers_with_a_groups_derived_key(azure: Azure) -> None:
    group = azure.dps.enrol_group("house")
    asked = {"id_scope": azure.dps.id_scope, "registration_id": "d1"}
    key = derived_key(group.keys[0], "d1")
    async with sdk(azure, key=key, **asked) as device:
        assert await device.heard("registered") == {"status": "assigned", "hub": HUB, "device": "d1"}
    async with sdk(azure, connection=f"HostName={HUB};DeviceId=d1;SharedAccessKey={key}") as device:
        await device.heard("connected")
    async with sdk(azure, key=derived_key(group.keys[0], "d2"), **asked) as device:
        assert "401" in (await device.heard("refused"))["error"]


async def test_the_sdk_registers_with_a_certificate_of_a_ca(azure: Azure, tmp_path: Path) -> None:
    ca = certified(tmp_path, "factory", ca=True)
    mine = certified(tmp_path, "d1", issuer=ca)
    azure.dps.enrol_group("house", ca_pem=ca.pem)
    files = {"certificate": mine.path, "key_file": mine.key_path}
    asked = {"id_scope": azure.dps.id_scope, "registration_id": "d1"}
    async with sdk(azure, **asked, **files) as device:
        assert await device.heard("registered") == {"status": "assigned", "hub": HUB, "device": "d1"}
    async with sdk(azure, hub=HUB, device="d1", **files) as device:
        await device.heard("connected")
