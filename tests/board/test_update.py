"""Updates of the application on a board: `make test-board … ONLY=ota`, some minutes on a chip."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from firmware import settings
from tests.board.rig import LIFE_S, Rig, until
from tools.sim.device import ROOT
from tools.updates import Product

pytestmark = [pytest.mark.ota, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

CRASH = "\n\nasync def main(thing):\n    raise RuntimeError('a fault of this version')\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def product(rig: Rig) -> AsyncIterator[Product]:
    """The board is online, and takes this product's updates."""
    await rig.online()
    made = Product()
    await rig.deploy(again=True, more=made.texts())
    await rig.online()
    yield made
    await rig.deploy(again=True)  # both slots are empty then, and the factory's version starts


def outcome(rig: Rig, job: str) -> str:
    assert rig.thing
    found = rig.cloud.jobs.executions.describe_job_execution(jobId=job, thingName=rig.thing)["execution"]
    return f"{found['status']} {found.get('statusDetails', {}).get('detailsMap', {}).get('message', '')}"


async def test_an_update_is_installed_tried_and_kept(rig: Rig, product: Product) -> None:
    version = f"{settings.VERSION}+better"
    assert rig.thing
    job = product.publish(rig.cloud, rig.thing, version, product.build(version))
    await rig.expect(r" I system: mode OTA$")
    await rig.expect(r" I update: version \S+: 0 of \d+ bytes are there")
    await rig.expect(r" I system: restarting: version \S+ is installed")
    await rig.expect(r" I update: version \S+ counts from now on")
    await until(lambda: outcome(rig, job).startswith("SUCCEEDED"), "the job's end", LIFE_S)
    status = await rig.status()
    assert status["version"] == version
    rig.report["update"]["idf_lowest"] = status["idf_lowest"]


async def test_an_update_that_crashes_goes_back(rig: Rig, product: Product) -> None:
    before = (await rig.status())["version"]
    app = (ROOT / "firmware/app.py").read_text("utf-8") + CRASH
    version = f"{settings.VERSION}+worse"
    assert rig.thing
    job = product.publish(rig.cloud, rig.thing, version, product.build(version, app))
    await rig.expect(r" I system: restarting: version \S+ is installed")
    await rig.expect(r" I system: restarting: the version on trial is given up")
    await until(lambda: outcome(rig, job).startswith("FAILED"), "the job's end", LIFE_S)
    assert "RuntimeError: a fault of this version" in outcome(rig, job)
    assert (await rig.status())["version"] == before
