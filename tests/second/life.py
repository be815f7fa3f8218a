"""An account's whole life by the tools alone: made, a device registered, one refused, taken down again.

`tests/second/test_account.py` has it on ministack, `make test-aws` on AWS.
"""

import asyncio
import contextlib
import datetime as dt
import io
import json
import stat
import sys
from typing import Any
from unittest import mock

from tests.system.house import START_S, WIFI, Site
from tools.__main__ import main
from tools.board import document
from tools.sim import Device

REFUSED = r"W provisioning: .*(AccessDenied|hook).*; will start over"


def call(*words: str) -> list[dict[str, Any]]:
    """What a verb of the tools prints, its failure included."""
    out = io.StringIO()
    with mock.patch.object(sys, "argv", ["tools", *words, "--json"]), contextlib.redirect_stdout(out):
        status = main()
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert said and said[-1]["ok"] is (status == 0), said
    assert "PRIVATE KEY" not in out.getvalue()
    return said


def serial(device: Device) -> str:
    return "esp32-" + device.chip.mac.replace(":", "")


class Life:
    """The stations of an account's life, each of which rests on the one before.

    Args:
        site: a world with devices.
        name: what all that is made is called by.
        options: more of `aws up`'s.
        keys: who makes devices' keys; None: the device.
    """

    def __init__(self, site: Site, name: str, options: list[str], keys: str | None = None) -> None:
        self.site = site
        self.name = name
        self.product = site.folder / f"{name}.json"
        self._options = options
        self._keys = keys

    def aws(self, action: str, *words: str) -> dict[str, Any]:
        """The last thing that `tools aws ACTION` says."""
        return call("aws", action, *words, "--name", self.name)[-1]

    async def make(self) -> dict[str, str]:
        """The stack, a claim in the product file; its outputs."""
        tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).date().isoformat()
        claim = ["--claim", self.name, "--until", tomorrow, "--out", str(self.product)]
        made = await asyncio.to_thread(self.aws, "up", "--yes", *claim, *self._options)
        assert made["ok"] and made["value"]["changed"], made
        assert stat.S_IMODE(self.product.stat().st_mode) == 0o600
        again = await asyncio.to_thread(self.aws, "up", "--yes")
        assert again["ok"] and not again["value"]["changed"], again
        outputs: dict[str, str] = again["value"]["outputs"]
        return outputs

    def configuration(self) -> dict[str, Any]:
        """The product file with a network, as `configure` takes it."""
        found = document.load(self.product, [WIFI])
        endpoint = found["aws"]["endpoint"]
        self.site.world.hosts.setdefault(endpoint, (endpoint, found["aws"].get("port", 8883)))
        if self._keys:
            found["aws"]["keys"] = self._keys
        return found

    async def register(self) -> Device:
        """A device whose serial number is on the list: it claims, and its telemetry is acknowledged."""
        device = self.site.device()
        added = await asyncio.to_thread(self.aws, "serials", "add", serial(device))
        assert added["ok"] and added["value"]["changed"] == 1, added
        await self.site.telemetry(device, self.configuration())
        return device

    async def refuse(self) -> str:
        """One that is not on the list: what it says."""
        device = self.site.device()
        await self.site.normal(device, self.configuration())
        said = await device.expect(REFUSED, START_S)
        await device.power_off()
        return said[0]

    async def stay(self, device: Device) -> None:
        """What is in use is not removed, and is named."""
        kept = await asyncio.to_thread(self.aws, "down", "--yes")
        assert not kept["ok"] and serial(device) in kept["text"] and "retire" in kept["remedy"], kept

    async def remove(self, *things: str) -> None:
        """All of it, things first."""
        if things:
            retired = await asyncio.to_thread(call, "fleet", "retire", *things, "--yes", "--aws")
            assert all(one["ok"] for one in retired), retired
        down = await asyncio.to_thread(self.aws, "down", "--yes")
        assert down["ok"] and down["value"]["removed"], down
