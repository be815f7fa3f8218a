"""The example application: telemetry, a shadow, a job, commands. Replace it by yours."""

import asyncio
import json

import esp32
from machine import Pin
from micropython import const

from firmware import settings

_INTERVAL_MS = const(5000)


def count_starts(flash):
    """The first two of the application's 256 bytes count how often it has started."""
    starts = (int.from_bytes(flash.read(0, 2), "big") + 1) & 0xFFFF
    flash.write(0, starts.to_bytes(2, "big"))
    return starts


def temperature():
    """The chip's own in degrees Celsius, from the sensor that each ESP32 has; put yours here."""
    celsius = getattr(esp32, "mcu_temperature", None)
    return celsius() if celsius else (esp32.raw_temperature() - 32) * 5 // 9  # the first ESP32: in Fahrenheit


async def follow_commands(thing, led):
    """Switches the LED by `{"led": true}` on cmd/<thing name>; answers on telemetry/<thing name>/answer."""
    try:
        messages = thing.subscribe("cmd/" + thing.name)
    except ValueError as error:  # not every cloud has topics of one's own: docs/clouds.md
        thing.log.warning("app", "{}", error)
        return
    async for _, payload in messages:
        try:
            led.value(1 if json.loads(payload)["led"] else 0)
            answer = {"led": led.value()}
        except (ValueError, KeyError, TypeError):
            answer = {"error": 'not {"led": true}'}
        thing.publish("telemetry/" + thing.name + "/answer", answer, qos=1)


async def blink(job, led):
    """The job {"action": "blink", "times": 3}."""
    times = job.document.get("times", 3)
    for count in range(times):
        led.value(not led.value())
        await asyncio.sleep_ms(500)
        await job.progress(100 * (count + 1) // times)
    return {"times": times}


async def send_telemetry(thing, starts):
    """Publishes a message every few seconds; publish() never blocks, also where there is no connection."""
    count = 0
    while True:
        count += 1
        reading = {
            "count": count,
            "starts": starts,
            "temperature": temperature(),
            "heap": thing.heap_free(),
            "rssi": thing.rssi(),
        }
        receipt = thing.telemetry(reading)
        if await receipt.wait(_INTERVAL_MS):
            thing.log.info("app", "telemetry {} acknowledged", count)
        await asyncio.sleep_ms(_INTERVAL_MS)


async def main(thing):
    """Runs for as long as the device is in NORMAL mode."""
    led = Pin(settings.LED_PIN, Pin.OUT, value=0)
    thing.on("cloud_up", lambda kept: led.value(1))
    thing.on("cloud_down", lambda reason: led.value(0))
    thing.jobs.on("blink", lambda job: blink(job, led), timeout_min=5)
    thing.commands.on("led", lambda payload: led.value(1 if payload.get("on") else 0))
    thing.shadow.on("led", led.value)  # takes what is desired; that is reported then
    starts = count_starts(thing.flash)
    thing.run(follow_commands(thing, led))  # an error in one of the two ends both
    await send_telemetry(thing, starts)
