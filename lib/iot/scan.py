"""The Wi-Fi networks around, as the driver hears them."""

import _thread
import asyncio

from micropython import const

_POLL_MS = const(50)
_SCAN_MS = const(15000)


async def scan(wlan):
    """Looks for access points; in a thread of its own, since the driver takes seconds.

    Args:
        wlan: an active network.WLAN in station mode.

    Returns:
        What `wlan.scan()` does: [(name, BSSID, channel, RSSI, authentication mode, False)].

    Raises:
        OSError: the driver refuses, or does not come back.
    """
    outcome: list = []
    _thread.start_new_thread(_read, (wlan, outcome))
    waited_ms = 0
    while not outcome:
        await asyncio.sleep_ms(_POLL_MS)
        waited_ms += _POLL_MS
        if waited_ms > _SCAN_MS:
            raise OSError("the radio does not answer")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _read(wlan, outcome):
    try:
        outcome.append(wlan.scan())
    except Exception as error:  # a thread has nobody above it that could hear
        outcome.append(error if isinstance(error, OSError) else OSError(str(error)))
