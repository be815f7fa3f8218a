"""The application on a simulated ESP32, against a local AWS IoT Core."""


async def test_what_the_sensor_measures_is_sent(scene):
    scene.set("dht.4.temperature", 21.5)
    scene.set("dht.4.humidity", 40)
    reading = await scene.message("telemetry/" + scene.name)
    while reading["temperature"] != 21.5:
        reading = await scene.message("telemetry/" + scene.name)
    assert reading == {"temperature": 21.5, "humidity": 40.0}


async def test_how_often_says_the_shadow(scene):
    assert (await scene.shadow({"every_s": 2}))["every_s"] == 2


async def test_a_command_switches_the_led(scene):
    assert await scene.command("led", {"on": True}) == ("SUCCEEDED", {"on": 1})
    assert scene.device.chip.pins[2] == 1
