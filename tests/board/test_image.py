"""A board that got all in one: make flash IMAGE=all.bin, then make test-board … ONLY=image IMAGE=all.bin."""

from pathlib import Path

import pytest

from tests.board.rig import Rig
from tests.host.image.nvs_reader import read as read_nvs
from tools.board import images, partitions

pytestmark = [pytest.mark.image, pytest.mark.asyncio(loop_scope="session")]


async def test_what_was_flashed_starts_and_comes_online(rig: Rig, request: pytest.FixtureRequest) -> None:
    """Its file system is mounted, its code is the label's, a deployment has nothing to add."""
    path = request.config.getoption("image")
    assert path, "which image the board got: make test-board … ONLY=image IMAGE=all.bin"
    image = images.read(Path(path))
    assert image.firmware, "it is MicroPython alone: python3 -m tools image puts the files into it"
    assert await rig.ask("mode") == "CONFIG", "it was configured since it was flashed"
    told = (await rig.ask("code")).partition(" ")[0].replace("-", "")
    (place,) = [
        one for one in image.partitions if (one.kind, one.subtype) == (partitions.DATA, partitions.NVS)
    ]
    stored = read_nvs(image.data[place.offset - image.offset : place.end - image.offset])
    assert stored in ({}, {("iot", "code"): told.encode()})
    assert (await rig.deploy()).written == []
    await rig.online()
