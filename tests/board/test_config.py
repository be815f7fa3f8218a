"""Mode CONFIG's memory, with Wi-Fi and Bluetooth on: `make test-board … ONLY=config`."""

import asyncio

import pytest

from tests.board.report import least
from tests.board.rig import Rig

pytestmark = [pytest.mark.config, pytest.mark.asyncio(loop_scope="session")]

STARTS = 10
SCAN_S = 8.0  # in which Bluetooth LE comes up and the first scan ends


async def test_starts_into_config(rig: Rig) -> None:
    samples, failed = [], []
    for number in range(STARTS):
        try:
            await rig.unconfigured()
            await rig.restart()
            await rig.expect(r" I system: mode CONFIG$")
            await asyncio.sleep(SCAN_S)
            samples.append(await rig.status())
            if samples[-1]["starved"]:
                failed.append(f"start {number}: {samples[-1]['starved_reason']}")
        except Exception as error:
            failed.append(f"start {number}: {error!r}")
    rig.report["config"]["failed"] = len(failed)
    rig.report["memory"]["CONFIG"] = least(samples)
    assert not failed, failed
