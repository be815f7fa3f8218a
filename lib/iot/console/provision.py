"""Wi-Fi for a device that lacks nothing else: what is around, and a network that is tried and then stored."""

import asyncio

import network
from micropython import const

from iot.memory import borrow

_JOIN_MS = const(40000)  # ESP Web Tools waits for 45 s
_NETWORKS_MAX = const(8)
PRODUCT = "/product.json"  # a configuration without `wifi`, from whoever built the image


async def networks():
    """The networks heard, as a phone shows them. OSError, RuntimeError where the radio does not tell."""
    scan = borrow("iot.wifi.scan")
    return scan.shown(await scan.scan(_station()))


async def provision(system, wanted):
    """Tries a network and stores the configuration that it completes; says in the log what it was not.

    Args:
        system: the System, in the mode CONFIG.
        wanted: {"ssid": str, "password": str}.

    Returns:
        The configuration; None where it is the network that is wrong.

    Raises:
        ValueError, OSError: there is nothing to complete, it is wrong, or flash fails; nothing is stored.
    """
    try:
        document = _completed(system, wanted)
    except ValueError as error:
        if not str(error).startswith("wifi[0]"):
            raise
        system.log.warning("improv", "{}", error)
        return None
    try:
        result, reason = await asyncio.wait_for_ms(_tried(system, document["wifi"][0]), _JOIN_MS)
    except asyncio.TimeoutError:
        result, reason = 1, 'network "{}": no address within {} s'.format(wanted["ssid"], _JOIN_MS // 1000)
    if result:
        system.log.warning("improv", "{}", reason)
        return None
    borrow("iot.probation").replace(system.nvs, system.store(), document)
    return document


def _completed(system, wanted):
    """A validated configuration: the one there is, or the product's, with this network as its first."""
    document = _known(system)
    others = [one for one in document.get("wifi", ()) if one["ssid"] != wanted["ssid"]]
    document["wifi"] = [wanted] + others[: _NETWORKS_MAX - 1]
    return borrow("iot.config").validate(document)


def _known(system):
    stored = system.stored
    if stored:
        document = dict(stored["config"])
        cloud = stored["cloud"]
        document[cloud] = dict(document[cloud])
        document[cloud].update(system.store().certificates())
        return document
    if system.settings.CONFIG:
        return dict(system.settings.CONFIG)
    try:
        file = open(PRODUCT, "rb")  # noqa: SIM115
    except OSError:
        text = "endpoint and certificates are missing: neither CONFIG of firmware/settings.py nor {} has them"
        raise ValueError(text.format(PRODUCT))
    try:
        with file:
            document = borrow("iot.jsontext").load(file)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
    except ValueError as error:
        raise ValueError("{}: {}".format(PRODUCT, error))
    return document


async def _tried(system, wanted):
    join, wlan = borrow("iot.wifi.join"), _station()
    result, reason, _ = await join.enter(wlan, wanted, await join.heard(wlan, system.log))
    borrow("iot.wifi.attempt").leave(wlan)
    return result, reason


def _station():
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    return wlan
