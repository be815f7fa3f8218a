"""An application that takes memory, and breaks its network, as it is told. Runs in place of the example."""

import asyncio
import json

import machine
import network

_PIECE = bytes(1008)  # with the allocator's own, 1 KB
_DAY_S = 86400


async def main(thing):
    """Does what messages on cmd/NAME ask for, `name count`, and prints that it is done."""
    # The pauses between attempts would grow, as for a broker that keeps failing: that is tested elsewhere.
    thing.on("cloud_down", lambda reason: thing._client._backoff.reset())
    kept = []
    orders = thing.subscribe("cmd/" + thing.name)
    count = 0
    while True:
        count += 1
        thing.publish("telemetry/" + thing.name, {"appetite": count, "kept": len(kept)}, qos=1)
        try:
            _, payload = await asyncio.wait_for_ms(orders.__anext__(), 2000)
        except asyncio.TimeoutError:
            continue
        order, _, number = str(payload, "utf-8").partition(" ")
        if order == "hold":
            while len(kept) < int(number):
                kept.append(bytearray(_PIECE))
                await asyncio.sleep_ms(0)
        elif order == "wifi":
            network.WLAN(network.STA_IF).disconnect()
        elif order == "clock":
            _jump(int(number))
        print("appetite: " + order + " " + json.dumps(len(kept)))


def _jump(days):
    import time

    year, month, day, hour, minute, second, weekday, _ = time.gmtime(time.time() + days * _DAY_S)[:8]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
