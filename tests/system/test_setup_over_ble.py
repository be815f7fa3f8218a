"""Setting a device up over Bluetooth LE, from an empty flash to NORMAL, and the ways back to CONFIG."""

import base64
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.system.house import HOST, START_S, WIFI, House, ask, seen, send_configuration, settle, status
from tests.system.stranger import name_of
from tools.ble.client import KEEP_ALIVE_S, Client
from tools.ble.errors import BleError
from tools.ble.over_bumble import OverBumble
from tools.ble.phone import set_up
from tools.ble.protocol import AUTH, CHANNELS
from tools.ble.session import normalise_code
from tools.sim import Device, World
from tools.sim.radio import AUTH_WEP, AUTH_WPA2_ENTERPRISE, AccessPoint

CODE_LINE = r"I ble: code (\S+)"
ATT, WRITE, NOTIFY = 4, 0x12, 0x1B  # L2CAP channel; opcodes (Bluetooth Core 5.4, vol. 3, part F, 3.4)
BUTTON_PIN = 0
APP = """
async def setup(thing):
    thing.ble.on("echo", lambda payload: thing.ble.send("echo", bytes(reversed(payload))))
    thing.ble.on("fail", lambda payload: 1 / 0)

async def main(thing):
    thing.log.info("app", "main {}", thing.config)
"""


async def started(device: Device) -> str:
    """Power it on; returns its code, once it is in mode CONFIG."""
    await device.power_on()
    return (await device.expect(CODE_LINE, START_S))[1]


@asynccontextmanager
async def phone_of(world: World, device: Device, code: str) -> AsyncIterator[Client]:
    phone = await world.phone()
    try:
        keep_alive_s = KEEP_ALIVE_S / device.chip.clock.speed
        transport = OverBumble(phone.device, name_of(device))
        async with Client(transport, code, keep_alive_s=keep_alive_s) as client:
            yield client
    finally:
        phone.power_off()


def unbroken(device: Device) -> None:
    failures = [line for line in device.lines if "Traceback" in line or " died" in line]
    assert not failures, "\n".join(device.lines[-60:])


# What is on the air.


def spelled(secret: bytes) -> set[bytes]:
    """A secret as it may be found: as it is, in hexadecimal, and in base64 at each of the three places."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        found.add(text[4 if shift else 0 : len(text) // 4 * 4 - 4])  # without what its neighbours decide
    return {spelling for spelling in found if len(spelling) >= 6}


def joined(world: World) -> tuple[bytes, list[bytes]]:
    """All that was on the air in one, and the messages that the frames of each direction carry."""
    raw = b"".join(packet.data for packet in world.air_ble.captured)
    messages: dict[tuple[str, int], bytearray] = {}
    found = []
    for packet in world.air_ble.captured:
        if len(packet.data) < 8 or packet.data[2] != ATT or packet.data[4] not in (WRITE, NOTIFY):
            continue
        frame = packet.data[7:]
        place = packet.source, int.from_bytes(packet.data[5:7], "little")
        if frame[0] & 0x80:
            messages[place] = bytearray()
        messages.setdefault(place, bytearray()).extend(frame[1:])
        if frame[0] & 0x40:
            found.append(bytes(messages.pop(place)))
    return raw, found


def secrets_of(document: dict[str, Any], code: str) -> Iterator[bytes]:
    """What only phone and device may know; of a key each line, and what they stand for."""
    yield document["wifi"][0]["password"].encode()
    yield code.encode()
    yield normalise_code(code).encode()
    lines = document["aws"]["claim_key"].split("\n")[1:-2]
    for line in lines:
        yield line.encode()
    der = base64.b64decode("".join(lines))
    yield from (der[at : at + 16] for at in range(0, len(der) - 15, 16))
    yield document["aws"]["endpoint"].encode()


@pytest.mark.parametrize("mtu", [23, 247])
async def test_from_an_empty_flash_to_telemetry_and_no_secret_on_the_air(house: House, mtu: int) -> None:
    device = house.device()
    document = house.configuration()
    code = await started(device)
    await set_up(house.world, name_of(device), code, document, mtu)
    await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
    unbroken(device)

    raw, messages = joined(house.world)
    # What is in clear by the document is found, so what is not found is not there.
    assert mtu == 23 or (b'"protocol"' in raw and name_of(device).encode() in raw)
    hellos = [message for message in messages if len(message) == 67 and message[:3] == b"\1\1\4"]
    assert len(hellos) == 2  # the phone's and the device's
    for hello in hellos:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), hello[2:])
        assert (hello in raw) is (mtu == 247)  # at 23 it takes joining
    everything = raw + b"\n" + b"".join(messages)
    for secret in secrets_of(document, code):
        for spelling in spelled(secret):
            assert spelling not in everything, spelling
    assert max(len(packet.data) for packet in house.world.air_ble.captured) <= 4 + mtu


def test_the_search_finds_every_spelling() -> None:
    secret = b"correct horse"
    for text in (
        b"xx" + secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        *(base64.b64encode(prefix + secret + b"more") for prefix in (b"", b"a", b"ab", b"abc", b"abcd")),
    ):
        assert any(spelling in text for spelling in spelled(secret)), text


# What may be wrong with Wi-Fi.


async def test_a_wrong_password_and_an_unknown_network_then_the_right_one(house: House) -> None:
    device = house.device()
    code = await started(device)
    writes = device.chip.flash_writes
    async with phone_of(house.world, device, code) as client:
        for wrong, name in (
            ({"ssid": WIFI["ssid"], "password": "wrong horse"}, "WRONG_PASSWORD"),
            ({"ssid": "Nowhere", "password": "correct horse"}, "WRONG_SSID"),
        ):
            document = house.configuration()
            document["wifi"] = [wrong]
            with pytest.raises(BleError) as refused:
                await client.configure(document)
            assert refused.value.name == name and wrong["ssid"] in str(refused.value)
            assert client.status["error"]["name"] == name
            assert client.status["progress"] == {"step": "idle"}
            assert device.chip.flash_writes <= writes + 2, "more than the time that the phone tells"
            writes = device.chip.flash_writes
        await client.configure(house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)
    unbroken(device)
    assert not [line for line in device.lines if "wrong horse" in line or WIFI["password"] in line]


async def test_a_second_network_will_do(house: House) -> None:
    device = house.device()
    code = await started(device)
    document = house.configuration()
    document["wifi"].insert(0, {"ssid": "Nowhere", "password": "correct horse"})
    await set_up(house.world, name_of(device), code, document)
    await device.expect(r"system: mode NORMAL", START_S)


@pytest.mark.slow
async def test_a_network_that_gives_no_address(house: House) -> None:
    device = house.device()
    code = await started(device)
    house.world.air.no_address.add("Home")
    async with phone_of(house.world, device, code) as client:
        with pytest.raises(BleError) as refused:
            await client.configure(house.configuration())
        assert refused.value.name == "NO_ADDRESS"
        house.world.air.no_address.clear()
        await client.configure(house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)
    unbroken(device)


async def test_a_document_that_is_refused_then_the_right_one(house: House) -> None:
    device = house.device()
    code = await started(device)
    missing, wrong, deep, unknown = (house.configuration() for _ in range(4))
    del missing["wifi"]
    wrong["aws"]["port"] = 0
    deep["app"] = {"a": {}}
    for _ in range(700):
        deep["app"] = {"a": deep["app"]}
    unknown["x" * 9000] = 1
    async with phone_of(house.world, device, code) as client:
        for document, name in (
            (missing, "MISSING_ELEMENTS"),
            (wrong, "INVALID_VALUE"),
            (deep, "INVALID_JSON"),
            (unknown, "INVALID_VALUE"),
        ):
            with pytest.raises(BleError) as refused:
                await client.configure(document)
            assert refused.value.name == name
        await client.configure(house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)
    unbroken(device)


async def test_no_frame_is_lost_where_they_follow_each_other_at_once(house: House) -> None:
    """Several hundred small frames a document, as fast as the device takes them."""
    device = house.device()
    code = await started(device)
    house.world.air_ble.interval_ms = 0
    document = house.configuration()
    document["wifi"] = [{"ssid": "Nowhere", "password": "correct horse"}]
    for number in range(8):
        document["app"] = {"number": number}  # another document, so that all of it is sent
        phone = await house.world.phone(23)
        async with Client(OverBumble(phone.device, name_of(device), 23), code) as client:
            with pytest.raises(BleError) as refused:
                await client.configure(document)
        assert refused.value.name == "WRONG_SSID"
        phone.power_off()
    unbroken(device)


async def test_each_kind_of_network_is_told_by_its_own_name(house: House) -> None:
    device = house.device()
    code = await started(device)
    house.world.air.others = [
        AccessPoint("Company", auth=AUTH_WPA2_ENTERPRISE),
        AccessPoint("Old", "long enough", auth=AUTH_WEP),
        AccessPoint("Shy", "long enough", hidden=True),
    ]
    async with phone_of(house.world, device, code) as client:
        for ssid, password, name, words in (
            ("Open", "long enough", "OPEN_NETWORK", "it is open"),
            ("Home", "", "NEEDS_PASSWORD", "it needs a password"),
            ("Company", "long enough", "ENTERPRISE", "user name"),
            ("Old", "long enough", "OLD_SECURITY", "WEP"),
            ("Shy", "not its own", "WRONG_PASSWORD", "hides its name"),
            ("Neighbour", "long enough", "WRONG_SSID", "is this the right spelling"),
        ):
            document = house.configuration()
            document["wifi"] = [{"ssid": ssid, "password": password}]
            with pytest.raises(BleError) as refused:
                await client.configure(document)
            assert refused.value.name == name and words in str(refused.value), refused.value
            assert client.status["error"]["name"] == name
    unbroken(device)


async def test_the_strongest_of_one_name_where_the_first_heard_is_weak(house: House) -> None:
    device = house.device()
    del house.world.access_points["Home"]
    house.world.air.others = [
        AccessPoint(WIFI["ssid"], WIFI["password"], -88, 1, "02:00:00:00:00:01"),
        AccessPoint(WIFI["ssid"], WIFI["password"], -41, 11, "02:00:00:00:00:0b"),
    ]
    await house.normal(device)
    await device.expect(r'wifi: connected to "Home" as [\d.]+, -41 dBm', START_S)


async def test_an_address_of_its_own(house: House) -> None:
    device = house.device()
    house.world.air.no_address.add("Home")
    document = house.configuration()
    static = {"ip": "192.168.4.77", "netmask": "255.255.255.0", "gateway": "192.168.4.1"}
    document["wifi"] = [{**WIFI, "static": static}]
    code = await started(device)
    await set_up(house.world, name_of(device), code, document)
    await device.expect(r'wifi: connected to "Home" as 192.168.4.77', START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)


# The ways back to CONFIG.


@pytest.mark.slow
async def test_a_cloud_that_was_never_reached_leads_to_config_and_is_told(house: House) -> None:
    """Wi-Fi alone does not make a configuration count; and who comes back hears how it ended."""
    device = house.device(CLOUD_REACH_MS=3000)
    house.world.hosts["elsewhere.example.com"] = ("127.0.0.1", 1)
    code = await started(device)
    document = house.configuration(endpoint="elsewhere.example.com")
    await set_up(house.world, name_of(device), code, document)
    await device.expect(r'wifi: connected to "Home"', START_S)
    await device.expect(r"system: restarting: the cloud was never reached: .*\S", START_S)
    await device.expect(r"W setup: the cloud was not reached: .*\S", START_S)
    await device.expect(CODE_LINE, START_S)
    assert (await status(device))["unreached"]
    async with phone_of(house.world, device, code) as client:
        error = (await client.refresh())["error"]
        assert error["name"] == "NOT_REACHED" and error["code"] == 24 and error["detail"], error
        settle(device, CLOUD_REACH_MS=1000 * START_S)
        await client.configure(house.configuration())
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
    assert (await status(device))["unreached"] is None
    unbroken(device)


@pytest.mark.slow
async def test_a_cloud_that_was_reached_once_is_waited_for(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    settle(device, CLOUD_REACH_MS=1000)
    house.world.unknown_names.add(HOST)
    await ask(device, "restart")
    await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(r"cloud: disconnected", START_S)
    await device.chip.clock.sleep(4)
    assert not seen(device, r"was never reached")
    told = await status(device)
    assert told["mode"] == "NORMAL" and told["unreached"]


@pytest.mark.slow
async def test_wifi_that_was_never_reached_leads_to_config_and_back(house: House) -> None:
    device = house.device(WIFI_REACH_MS=2000, CONFIG_MS=2000)
    document = house.configuration()
    document["wifi"] = [{"ssid": "Nowhere", "password": "correct horse"}]
    await house.normal(device, document)
    for _ in range(2):
        await device.expect(r"system: restarting: Wi-Fi was never reached", START_S)
        await device.expect(r"system: mode CONFIG", START_S)
        await device.expect(r"system: restarting: nobody has configured it", START_S)
        await device.expect(r"system: mode NORMAL", START_S)
    unbroken(device)


@pytest.mark.slow
async def test_a_phone_can_come_while_wifi_is_not_reached(house: House) -> None:
    device = house.device(WIFI_REACH_MS=2000)
    document = house.configuration()
    document["wifi"] = [{"ssid": "Nowhere", "password": "correct horse"}]
    await house.normal(device, document)
    code = (await device.expect(CODE_LINE, START_S))[1]
    settle(device, WIFI_REACH_MS=1000 * START_S)
    await set_up(house.world, name_of(device), code, house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)


@pytest.mark.slow
async def test_wifi_that_was_reached_once_is_waited_for(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    settle(device, WIFI_REACH_MS=1000)
    house.world.wifi_lost(True)
    await ask(device, "restart")
    await device.expect(r"system: mode NORMAL", START_S)
    await device.chip.clock.sleep(4)
    assert not seen(device, r"Wi-Fi was never reached")
    assert (await status(device))["mode"] == "NORMAL"


@pytest.mark.slow
async def test_a_button_held_at_the_start_leads_to_config(house: House) -> None:
    device = house.device(CONFIG_MS=3000)
    await house.normal(device)
    device.chip.held_low.add(BUTTON_PIN)
    await device.power_off()
    await device.power_on()
    await device.expect(r"system: mode CONFIG", START_S)
    device.chip.held_low.clear()
    await device.expect(r"system: restarting: nobody has configured it", START_S)
    await device.expect(r"system: mode NORMAL", START_S)  # with what it had
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)


async def test_a_factory_reset_keeps_the_code(house: House) -> None:
    device = house.device()
    code = await started(device)
    await set_up(house.world, name_of(device), code, house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)
    await ask(device, "factory-reset --yes")
    assert (await device.expect(CODE_LINE, START_S))[1] == code
    assert code in await ask(device, "code")
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", code)
    await set_up(house.world, name_of(device), code, house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)


# Names, and chips, of every kind.


@pytest.mark.parametrize("prefix", ["p" * 15, "a-product-of-16-", "p" * 109])
async def test_a_long_name_is_shortened_on_the_air_alone(house: House, prefix: str) -> None:
    device = house.device(NAME_PREFIX=prefix)
    name = f"{prefix}-{device.chip.mac.replace(':', '')}"
    code = await started(device)
    await set_up(house.world, name, code, house.configuration())
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
    told = await status(device)
    assert told["id"] == told["thing"] == name
    unbroken(device)


@pytest.mark.parametrize("prefix", ["", None, "p" * 110, "my lamp"])
async def test_a_name_that_cannot_be_is_told_in_words(house: House, prefix: str | None) -> None:
    device = house.device(NAME_PREFIX=prefix)
    await device.power_on()
    await device.expect(r"E system: firmware/settings.py: NAME_PREFIX: .*\S", START_S)
    await device.expect(r"system: mode IDLE", START_S)
    assert (await status(device))["mode"] == "IDLE"
    assert device.chip.boots == 1
    unbroken(device)


@pytest.mark.slow
async def test_a_chip_without_bluetooth_is_set_up_by_cable(house: House) -> None:
    device = house.device(CLOUD_REACH_MS=2000, CONFIG_MS=2000)
    device.chip.has_bluetooth = False
    house.world.hosts["elsewhere.example.com"] = ("127.0.0.1", 1)
    await device.power_on()
    await device.expect(r"E ble: off, the console is left: .*bluetooth", START_S)
    assert (await status(device))["mode"] == "CONFIG"
    await send_configuration(device, house.configuration(endpoint="elsewhere.example.com"))
    await device.expect(r"system: restarting: the cloud was never reached", 2 * START_S)
    await device.expect(r"system: mode CONFIG", START_S)
    settle(device, CLOUD_REACH_MS=1000 * START_S)
    await device.expect(r"system: restarting: nobody has configured it", START_S)
    await device.expect(r"system: mode NORMAL", START_S)
    await send_configuration(device, house.configuration())
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
    unbroken(device)


@pytest.mark.parametrize("has_bluetooth", [True, False])
async def test_times_of_weeks_in_the_settings_are_waited_for(house: House, has_bluetooth: bool) -> None:
    """MicroPython's longest wait has 6.2 days, and ends others by OverflowError."""
    device = house.device(CONFIG_MS=10**9, WIFI_REACH_MS=10**9, CLOUD_REACH_MS=10**9)
    device.chip.has_bluetooth = has_bluetooth
    await house.telemetry(device)
    device.chip.held_low.add(BUTTON_PIN)
    boots = device.chip.boots
    await ask(device, "restart")
    await device.expect(r"system: mode CONFIG", START_S)
    await device.chip.clock.sleep(10)
    assert (await status(device))["mode"] == "CONFIG" and device.chip.boots == boots + 1
    assert not seen(device, r"OverflowError")
    unbroken(device)


# The application.


async def test_packets_of_the_application_both_ways(house: House) -> None:
    device = house.device(APP)
    code = await started(device)
    async with phone_of(house.world, device, code) as client:
        for payload in (b"", b"abc", bytes(range(256)) * 4):
            await client.send("echo", payload)
            packet = await anext(client.packets)
            assert (packet.name, packet.payload) == ("echo", payload[::-1])
        with pytest.raises(BleError) as refused:
            await client.send("nobody", b"")
        assert refused.value.name == "INVALID_REQUEST"
        await client.send("fail")
        await device.expect(r"E ble: handler of packet fail: ZeroDivisionError")
        await client.send("echo", b"still there")
        assert (await anext(client.packets)).payload == b"ereht llits"
        document = house.configuration()
        document["app"] = {"answer": 42}
        await client.configure(document)
    await device.expect(r"app: main \{'answer': 42\}", START_S)


async def test_who_is_not_in_a_session_reads_what_the_document_says(house: House) -> None:
    device = house.device()
    await started(device)
    phone = await house.world.phone()
    transport = OverBumble(phone.device, name_of(device))
    await transport.connect()
    for _ in range(2):
        about = await transport.read(CHANNELS[AUTH])
        assert b'"protocol"' in about and name_of(device).encode() in about
        for channel, uuid in CHANNELS.items():
            await transport.write(uuid, b"\x80" + bytes(20))
            assert await transport.read(uuid) == (about if channel == AUTH else b"")
    await transport.disconnect()
    phone.power_off()
