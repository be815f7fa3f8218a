"""Updates of the application and of the image on a board: `make test-board … ONLY=ota`, minutes on a chip."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from firmware import settings
from tests.board.rig import LIFE_S, Rig, until
from tests.images import changed
from tools.board import images
from tools.sim.device import ROOT
from tools.updates import Product

pytestmark = [pytest.mark.ota, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

SMALL = """
import os


async def main(thing):
    thing.log.info("app", "image {}", os.uname().version)
    if "2102" in os.uname().version:
        raise RuntimeError("a fault with this image")
"""
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


@pytest.fixture
def image(request: pytest.FixtureRequest, rig: Rig) -> images.Application:
    """What the board runs, as it is in its partition."""
    path = request.config.getoption("image")
    if not path:
        pytest.skip("of which image updates are to be made is not told: make test-board … IMAGE=….bin")
    if rig.report["board"]["application_slots"] < 2:
        pytest.skip("the board's image has no second slot")
    return images.application(Path(path).read_bytes(), path)


async def test_an_image_is_installed_tried_and_kept_and_another_goes_back(
    rig: Rig, product: Product, image: images.Application
) -> None:
    """The bootloader's own way back: with the third image the application crashes. It is a small one."""
    assert rig.thing
    await rig.deploy(again=True, more=product.texts(app=SMALL))
    await rig.online()
    days = sorted(set(re.findall(rb" on (\d{4}-\d\d-\d\d)", image.data)))
    second, third = (changed(image.data, days[-1], day) for day in (b"2101-01-01", b"2102-02-02"))
    job = product.publish_image(rig.cloud, rig.thing, "image-2", second, image.board)
    await rig.expect(r" I update: version image-2: 0 of \d+ bytes are there")
    await rig.expect(r" I system: restarting: version image-2 is installed")
    await rig.expect(r" I app: image .* on 2101-01-01")
    await rig.expect(r" I update: version image-2 counts from now on")
    await until(lambda: outcome(rig, job).startswith("SUCCEEDED"), "the job's end", LIFE_S)
    rig.report["update"]["image_idf_lowest"] = (await rig.status())["idf_lowest"]

    job = product.publish_image(rig.cloud, rig.thing, "image-3", third, image.board)
    await rig.expect(r" I system: restarting: version image-3 is installed")
    await rig.expect(r" I app: image .* on 2102-02-02")
    await rig.expect(r" I system: restarting: the version on trial is given up")
    await rig.expect(r" I app: image .* on 2101-01-01")
    await until(lambda: outcome(rig, job).startswith("FAILED"), "the job's end", LIFE_S)
    assert "RuntimeError: a fault with this image" in outcome(rig, job)
