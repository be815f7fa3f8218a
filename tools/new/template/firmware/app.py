"""Measures the air and sends that; how often says its shadow, and a command switches its LED."""

import asyncio

import dht
from machine import Pin

from firmware import settings

SENSOR_PIN = 4
EVERY_S = 5


def measure(sensor):
    """The air's temperature in degrees Celsius, its humidity in percent; OSError where it is silent."""
    sensor.measure()
    return {"temperature": sensor.temperature(), "humidity": sensor.humidity()}


def switch(led, payload):
    """The command "led", {"on": true}; what it returns is the command's result."""
    led.value(1 if payload.get("on") else 0)
    return {"on": led.value()}


class Rhythm:
    """How often it measures: `every_s` of the shadow."""

    def __init__(self):
        self.every_s = EVERY_S
        self.changed = asyncio.Event()

    def set(self, value):
        """Takes what is desired, where that makes sense; what it returns is reported."""
        if type(value) in (int, float) and 1 <= value <= 3600:
            self.every_s = value
            self.changed.set()
        return self.every_s

    async def pause(self):
        """Until it is time to measure again, or the rhythm is another."""
        self.changed.clear()
        try:
            await asyncio.wait_for(self.changed.wait(), self.every_s)
        except asyncio.TimeoutError:
            pass


async def main(thing):
    """Runs for as long as the device is in NORMAL mode."""
    sensor, led, rhythm = dht.DHT22(Pin(SENSOR_PIN)), Pin(settings.LED_PIN, Pin.OUT, value=0), Rhythm()
    thing.shadow.on("every_s", rhythm.set)
    thing.commands.on("led", lambda payload: switch(led, payload))
    while True:
        try:
            thing.telemetry(measure(sensor))
        except OSError as error:
            thing.log.warning("app", "the sensor on pin {} is silent: {}", SENSOR_PIN, error)
        await rhythm.pause()
