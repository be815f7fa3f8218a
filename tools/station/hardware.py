"""What a board is tested for before anything of ours runs on it: Wi-Fi, LED and button, by MicroPython alone.

The codes below run on the board, in MicroPython's Python.
"""

import json
from dataclasses import dataclass
from typing import Any

from tools.board.errors import BoardError
from tools.board.repl import Repl

_SCAN_S = 60.0
_LATE_S = 30.0  # that a busy board, or an emulator, is late with its answer
_GIVE_CODE = """
import esp32
nvs = esp32.NVS("iot")
nvs.set_blob("code", {code!r})
nvs.commit()
"""
_HEAR = """
import network
station = network.WLAN(network.STA_IF)
station.active(True)
wanted, best = {ssid!r}, None
for _ in range(3):
    for found in station.scan():
        if (wanted is None or bytes(found[0]) == wanted) and (best is None or found[3] > best):
            best = found[3]
    if best is not None:
        break
station.active(False)
print("null" if best is None else best)
"""
# Held on two looks in a row, 20 ms apart: a contact bounces. The LED blinks 2.5 times a second.
_PRESS = """
import time
from machine import Pin
led, button = Pin({led}, Pin.OUT, value=0), Pin({button}, Pin.IN, Pin.PULL_UP)
def until(level, looks, blinks):
    held = 0
    for look in range(looks):
        held = held + 1 if button.value() == level else 0
        if held == 2:
            return True
        if blinks:
            led.value(look // 10 % 2)
        time.sleep_ms(20)
    return False
try:
    if not until(1, 250, False):
        print('"stuck"')
    elif not until(0, {looks}, True):
        print('"missed"')
    else:
        print('"pressed"')
finally:
    led.value(0)
"""


@dataclass(frozen=True)
class Wanted:
    """What a board is tested for.

    Args:
        ssid: the network that it must hear; None: any.
        rssi_dbm: at least so well.
        led, button: their pins; a button of None is not waited for.
        press_s: whoever stands there has so long for the button.
    """

    ssid: str | None
    rssi_dbm: int
    led: int
    button: int | None
    press_s: float


def give_code(repl: Repl, code: str) -> None:
    """Store the device's code where its firmware looks for it."""
    repl.exec(_GIVE_CODE.format(code=code.encode()))


def hear(repl: Repl, wanted: Wanted) -> str:
    """How well the network is heard, as "-52 dBm"; BoardError where it is not well enough."""
    ssid = wanted.ssid.encode() if wanted.ssid is not None else None
    rssi = _run(repl, _HEAR.format(ssid=ssid), _SCAN_S)
    name = "any network" if wanted.ssid is None else f'"{wanted.ssid}"'
    if rssi is None:
        raise BoardError(
            f"{repl.port}: Wi-Fi: {name} is not heard", "Is it on? Else the antenna is at fault."
        )
    if rssi < wanted.rssi_dbm:
        raise BoardError(
            f"{repl.port}: Wi-Fi: {name} is heard with {rssi} dBm, {wanted.rssi_dbm} is wanted",
            "Look at the antenna, and at what is near it; --rssi says how much is enough.",
        )
    return f"{rssi} dBm"


def press(repl: Repl, wanted: Wanted) -> None:
    """Blink the LED until somebody, who sees that, presses the button. BoardError where nobody does."""
    looks = int(wanted.press_s / 0.02)
    code = _PRESS.format(led=wanted.led, button=wanted.button, looks=looks)
    found = _run(repl, code, wanted.press_s + _LATE_S)
    if found == "stuck":
        raise BoardError(
            f"{repl.port}: the button is pressed all the time", "Release it, or look at its contact."
        )
    if found == "missed":
        raise BoardError(
            f"{repl.port}: the button was not pressed within {wanted.press_s:g} s",
            "Press it once the LED blinks. If it does not, LED_PIN is another, or it is broken.",
        )


def _run(repl: Repl, code: str, timeout_s: float) -> Any:
    """What code prints, as JSON."""
    said = repl.exec(code, timeout_s)
    try:
        return json.loads(said)
    except ValueError:
        raise BoardError(f"{repl.port}: the board says {said[:60]!r}", "Plug it in again.") from None
