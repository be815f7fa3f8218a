"""Many devices: few start at once, each has its own time, one that hangs or fails ends no other."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tools.sim import Device, World
from tools.units import Unit, allow_files, bring_up


def unexpected(unit: Unit) -> None:
    pytest.fail(unit.failure)


def program(unit: Unit, text: str) -> None:
    (unit.device.files / "main.py").write_text(text)


async def fleet(folder: Path, world: World, number: int) -> list[Unit]:
    """Devices whose every line that says so is a message."""
    units: list[Unit] = []
    for index in range(number):

        def on_line(line: str, index: int = index) -> None:
            if line == "message":
                units[index].count(acknowledged=1, received=1)

        device = Device(folder / str(index), world, f"24:0a:c4:00:00:{index:02x}", on_line=on_line)
        units.append(Unit(device, f"device {index}", wanted=2))
        program(units[-1], "print('message')\nprint('message')")
    return units


async def test_one_hangs_one_fails_and_the_others_work(tmp_path: Path) -> None:
    reported: list[str] = []
    on_their_way: set[str] = set()
    most = 0
    together = asyncio.Barrier(2)

    async def start(unit: Unit) -> None:
        nonlocal most
        on_their_way.add(unit.name)
        most = max(most, sum(not units[int(name[-1])].works.is_set() for name in on_their_way))
        if unit is units[1]:
            on_their_way.remove(unit.name)
            raise OSError("no such port")
        if unit in units[2:4]:  # beside the one that hangs
            await together.wait()
        await unit.device.power_on()

    async with World() as world:
        units = await fleet(tmp_path, world, 6)
        program(units[0], "import time\ntime.sleep(1000)")
        try:
            await bring_up(
                units, start, 30, True, (OSError,), lambda unit: reported.append(unit.failure), at_once=3
            )
        finally:
            for unit in units:
                await unit.device.power_off()
    assert most == 3
    assert [unit.enough.is_set() for unit in units] == [False, False, True, True, True, True]
    assert reported == ["no such port", "not 2 messages within 30 s of its start"]
    assert str(units[0]) == "device 0: 0 acknowledged, 0 received; last line: none"


async def test_what_waits_for_its_turn_loses_none_of_its_time(tmp_path: Path) -> None:
    """One after another they take longer than any of them may."""

    async def start(unit: Unit) -> None:
        await asyncio.sleep(0.4)
        unit.count(acknowledged=2, received=2)

    async with World() as world:
        units = await fleet(tmp_path, world, 5)
        await bring_up(units, start, 1.5, True, (), unexpected, at_once=1)


async def test_an_error_of_ours_ends_all(tmp_path: Path) -> None:
    async def start(unit: Unit) -> None:
        raise KeyError("ours")

    async with World() as world:
        units = await fleet(tmp_path, world, 2)
        with pytest.raises(ExceptionGroup):
            await bring_up(units, start, 30, True, (OSError,), unexpected)


def test_as_many_files_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    resource: Any = pytest.importorskip("resource")
    limits: list[tuple[int, int]] = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, limit: limits.append(limit))
    allow_files(20)
    allow_files(1)
    assert limits[-1] == (736, 4096)
    allow_files(200)
    assert limits[-1] == (4096, 4096)
