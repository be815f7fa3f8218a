"""An application that takes memory, and breaks its network, as it is told. Runs in place of the example."""

import asyncio
import json

import machine
import network

# Bytes, with 16 of the object's own, a quarter in each size: of what an application holds most is small.
_PIECES = (1008,) + (240,) * 4 + (112,) * 8 + (48,) * 16
_DAY_S = 86400


async def main(thing):
    """Does what messages on cmd/NAME ask for, `name count`, and a URL for an upload; says that it is done."""
    # The pauses between attempts would grow, as for a broker that keeps failing: that is tested elsewhere.
    # The client is found by what it has: `deploy` gives private names others.
    (client,) = [part for part in thing.__dict__.values() if hasattr(part, "backoff")]
    thing.on("cloud_down", lambda reason: client.backoff.reset())
    kept = []
    orders = thing.subscribe("cmd/" + thing.name)
    count = 0
    while True:
        count += 1
        thing.publish("telemetry/" + thing.name, {"appetite": count, "kept": _size(kept)}, qos=1)
        try:
            _, payload = await asyncio.wait_for_ms(orders.__anext__(), 2000)
        except asyncio.TimeoutError:
            continue
        order, _, number = str(payload, "utf-8").partition(" ")
        if order == "hold":
            while _size(kept) < int(number):
                kept.append(bytearray(_PIECES[len(kept) % len(_PIECES)]))
                await asyncio.sleep_ms(0)
        elif order == "wifi":
            network.WLAN(network.STA_IF).disconnect()
        elif order == "clock":
            _jump(int(number))
        elif order == "upload":
            del payload
            number, _, url = number.partition(" ")
            await thing.https("PUT", url, len, int(number))  # whatever is in the buffer, all of it
            del url
        print("appetite: " + order + " " + json.dumps(_size(kept)))


def _size(kept):
    """What it holds, in KB."""
    return sum([len(piece) + 16 for piece in kept]) // 1024


def _jump(days):
    import time

    year, month, day, hour, minute, second, weekday, _ = time.gmtime(time.time() + days * _DAY_S)[:8]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
