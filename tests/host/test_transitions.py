"""What a mode leaves behind, as far as the next one has to do with it."""

import asyncio
import sys
import types

import pytest
from fakes import forget
from iot.mqtt.queues import Outbox


async def test_what_goes_on_behind_normal_writes_into_no_memory_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("esp32", "machine", "network"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    forget("iot.transitions")
    from iot import transitions  # noqa: PLC0415

    async def disconnect() -> None:
        pass

    ring = bytearray(64)
    outbox = Outbox(64, 8, {"refused": 0, "lost": 0}, ring)
    assert outbox.add(b"0", b"1", 1)
    client = types.SimpleNamespace(outbox=outbox, disconnect=disconnect)
    system = types.SimpleNamespace(
        tasks={}, cloud=types.SimpleNamespace(client=client), jobs=None, thing=None, counts={"lost": 0}
    )
    system.calm = asyncio.Event()
    await transitions._leave(system, ())
    forget("iot.transitions")
    before = bytes(ring)
    assert not outbox.add(b"2", b"3", 2) and not outbox.add(b"4", b"", 0)
    assert bytes(ring) == before and outbox.counts["refused"] == 2 and system.counts["lost"] == 1
