"""A phone in the simulated world that sets a device up, for `make run` and for tests."""

import time
from dataclasses import dataclass
from typing import Any

from tools.board.progress import Progress
from tools.sim import World

from .client import Client
from .conversation import Members
from .over_bumble import OverBumble
from .persevere import persevere


@dataclass(frozen=True)
class Report:
    """What it took: frames each way, connections, seconds; and the networks that the device heard."""

    sent: int
    received: int
    connections: int
    seconds: float
    networks: list[Members]


async def set_up(
    world: World,
    device_name: str,
    code: str,
    document: dict[str, Any],
    mtu: int = 247,
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """Have a new phone find a device by its name, prove that it knows the code, scan, and configure it.

    A lost connection is made again, up to three in all.

    Args:
        world: where the device is, in mode CONFIG.
        device_name: what it advertises, `esp32-240ac4000001`.
        code: the device's.
        document: the configuration.
        mtu: what the phone asks for; 23 asks for none.
        progress: called with what is done, and how many bytes of how many; 0 of 0 where nobody knows.

    Raises:
        BleError: it did not work.
    """
    start = time.monotonic()
    phone = await world.phone(mtu)
    networks: list[Members] = []

    def connect() -> Client:
        progress("connecting", 0, 0)
        return Client(OverBumble(phone.device, device_name, mtu), code)

    async def use(client: Client) -> None:
        if not networks:
            progress("scanning", 0, 0)
            networks.extend(await client.scan())
        await client.configure(document, progress)

    try:
        effort = await persevere(connect, use)
    finally:
        phone.power_off()
    return Report(effort.sent, effort.received, effort.connections, time.monotonic() - start, networks)
