"""A device's life: from the box to telemetry, restarts, factory reset, and what happens when parts fail."""

import asyncio
import json

import pytest

from tests.patience import until
from tests.system.house import (
    ALL,
    START_S,
    STATUS,
    WIFI,
    House,
    ask,
    both_chains,
    seen,
    send_configuration,
    status,
)
from tools.configure import ConfigureError
from tools.sim import Device

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"


@both_chains
async def test_from_nothing_to_telemetry(house: House) -> None:
    device = house.device()
    received: list[tuple[str, bytes]] = []
    async with house.subscriber(lambda *message: received.append(message), "telemetry/#"):
        await device.power_on()
        await device.expect(r"system: mode CONFIG", START_S)
        before = await status(device)
        assert before["mode"] == "CONFIG" and before["wifi"] is None
        await send_configuration(device, house.configuration())
        for line in (
            r"system: restarting: new configuration",
            r"system: mode NORMAL",
            r'wifi: connected to "Home" as [\d.]+, -\d+ dBm',
            r"clock: set by sntp",
            r"provisioning: connecting with the claim certificate",
            r'provisioning: this is thing "esp32-240ac4000001"',
            r"cloud: connected",
            ACKNOWLEDGED,
        ):
            await device.expect(line, START_S)
        await until(lambda: received, "a message at the subscriber")
        now = await status(device)
    topic, payload = received[0]
    assert topic == "telemetry/esp32-240ac4000001"
    assert json.loads(payload)["starts"] == 1
    assert now["mode"] == "NORMAL" and now["cloud"] is True and now["thing"] == "esp32-240ac4000001"
    assert now["dropped"] == 0 and now["clock"] == "sntp"
    assert set(before) >= STATUS and set(now) >= STATUS


async def test_no_secret_on_the_console(house: House) -> None:
    device = house.device(LOG_LEVEL="debug")
    document = house.configuration()
    await house.telemetry(device, document)
    await status(device)
    console = "\n".join(device.lines)
    assert WIFI["password"] not in console
    assert "BEGIN" not in console and "PRIVATE" not in console
    key = document["aws"]["claim_key"].splitlines()
    assert not any(line in console for line in key[1:-1])


@both_chains
async def test_the_certificate_is_earned_once(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    await device.power_off()
    await device.power_on()
    await device.expect(ACKNOWLEDGED, START_S)
    assert seen(device, "this is thing") == 1
    assert len(house.cloud.registry.list_things()["things"]) == 1


async def test_each_device_has_name_and_certificate_of_its_own(house: House) -> None:
    devices = [house.device() for _ in range(3)]
    await asyncio.gather(*(house.telemetry(device) for device in devices))
    registry = house.cloud.registry
    things = [thing["thingName"] for thing in registry.list_things()["things"]]
    assert sorted(things) == [f"esp32-240ac400000{number}" for number in (1, 2, 3)]
    principals = {tuple(registry.list_thing_principals(thingName=name)["principals"]) for name in things}
    assert len(principals) == 3 and all(len(group) == 1 for group in principals)
    policies = [registry.list_attached_policies(target=principal)["policies"] for (principal,) in principals]
    assert all(len(attached) == 1 for attached in policies)
    [name] = {attached[0]["policyName"] for attached in policies}  # it says by variable which name is whose
    assert "esp32-" not in registry.get_policy(policyName=name)["policyDocument"]


async def test_a_command_reaches_the_application(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    answers: list[object] = []
    topic = f"telemetry/{device_name(1)}/answer"

    async def answer(command: bytes) -> object:
        answers.clear()
        subscriber.publish(f"cmd/{device_name(1)}", command)
        await until(lambda: answers, f"an answer to {command!r}")
        return answers[0]

    async with house.subscriber(lambda _, payload: answers.append(json.loads(payload)), topic) as subscriber:
        for value in (0, 1):
            assert await answer(json.dumps({"led": bool(value)}).encode()) == {"led": value}
            assert pin_is(device, value)
        for nonsense in (b"nonsense", b"{}", b"[]", b"7", b"", b"\xff", b'"led"', b"null", b"[" * 99):
            assert await answer(nonsense) == {"error": 'not {"led": true}'}, nonsense
        assert await answer(b'{"led": false}') == {"led": 0}  # it goes on


async def test_telemetry_has_a_sensors_value(house: House) -> None:
    device = house.device()
    received: list[bytes] = []
    async with house.subscriber(lambda _, payload: received.append(payload), "telemetry/+"):
        await house.telemetry(device)
        await until(lambda: received, "telemetry")
    temperature = json.loads(received[0])["temperature"]  # of the simulated chip
    assert isinstance(temperature, int) and -40 <= temperature <= 125


async def test_the_256_bytes_outlive_resets_and_power_cuts(house: House) -> None:
    device = house.device()
    starts: set[int] = set()
    async with house.subscriber(lambda _, payload: starts.add(json.loads(payload)["starts"]), "telemetry/#"):
        await house.telemetry(device)
        await ask(device, "restart")
        await device.expect(ACKNOWLEDGED, START_S)
        await device.chip.clock.sleep(1)  # writes that come within 100 ms are joined
        await device.power_off()
        await device.power_on()
        await device.expect(ACKNOWLEDGED, START_S)
        # A PUBACK may reach the device before the message reaches its subscriber.
        await until(lambda: len(starts) >= 3, "a message of each start")
    assert starts == {1, 2, 3}


async def test_a_restart_waits_for_pending_writes(house: House) -> None:
    app = """
        async def main(thing):
            if thing.flash.read(0, 1) == b"\\0":
                thing.flash.write(0, b"kept")
                thing.restart()
            else:
                thing.log.info("app", "found {}", thing.flash.read(0, 4))
    """
    device = house.device(app)
    await house.normal(device)
    await device.expect(r"system: restarting: asked by the application", START_S)
    await device.expect(r"app: found b'kept'", START_S)


async def test_factory_reset(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    assert (await ask(device, "factory-reset --yes")).startswith("ok")
    await device.expect(r"system: restarting: factory reset", START_S)
    await device.expect(r"system: mode CONFIG", START_S)
    assert not list((device.files / "certs").iterdir())
    await send_configuration(device, house.configuration())
    await device.expect(r'provisioning: this is thing "esp32-240ac4000001"', START_S)
    await device.expect(ACKNOWLEDGED, START_S)


async def test_a_configuration_that_is_refused_changes_nothing(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    broken = house.configuration(port=0)
    with pytest.raises(ConfigureError, match=r"aws\.port: an integer from 1 to 65535"):
        await send_configuration(device, broken)
    await device.expect(r"system: restarting: the new configuration was refused, the old one stays", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    assert (await status(device))["cloud"] is True
    assert not (device.files / "certs/document.new").exists()


async def test_a_product_may_bring_its_configuration(house: House) -> None:
    device = house.device(CONFIG=house.configuration())
    await device.power_on()
    await device.expect(ACKNOWLEDGED, START_S)
    assert not seen(device, "mode CONFIG")


async def test_a_certificate_in_the_configuration_needs_no_claim(house: House) -> None:
    document = house.configuration()
    aws = document["aws"]
    made = house.cloud.registry.create_keys_and_certificate(setAsActive=True)
    house.cloud.registry.create_policy(policyName="Lamp", policyDocument=json.dumps(ALL))
    house.cloud.registry.attach_policy(policyName="Lamp", target=made["certificateArn"])
    house.cloud.registry.create_thing(thingName="lamp")
    house.cloud.registry.attach_thing_principal(thingName="lamp", principal=made["certificateArn"])
    for member in ("template", "claim_certificate", "claim_key"):
        del aws[member]
    aws.update(
        thing_name="lamp",
        certificate=made["certificatePem"],
        key=made["keyPair"]["PrivateKey"],
        parameters={},
    )
    device = house.device()
    await house.telemetry(device, document)
    assert not seen(device, "provisioning")
    assert (await status(device))["thing"] == "lamp"


async def test_a_failing_application_starts_again_and_the_cloud_stays(house: House) -> None:
    app = """
        count = [0]

        async def main(thing):
            count[0] += 1
            thing.on("cloud_up", lambda kept: thing.log.info("app", "handler of run {}", count[0]))
            thing.subscribe("cmd/" + thing.name)
            if count[0] < 3:
                raise KeyError("on purpose")
            thing.log.info("app", "third run")
    """
    device = house.device(app)
    application = device.files / "lib/iot/application.py"
    application.write_text(
        application.read_text().replace("_FIRST_MS = const(10000)", "_FIRST_MS = const(1)")
    )
    await house.normal(device)
    await device.expect(r"E application: failed, will start again: KeyError", START_S)
    await device.expect(r"app: third run", START_S)
    await device.expect(r"app: handler of run 3", START_S)
    assert seen(device, "handler of run") == 1  # those of the runs before are gone


async def test_an_application_that_cannot_be_imported(house: House) -> None:
    device = house.device("import no_such_module")
    await house.normal(device)
    await device.expect(
        r"E application: failed, will start again: (ImportError|ModuleNotFoundError)", START_S
    )
    await device.expect(r"cloud: connected", START_S)
    assert (await status(device))["mode"] == "NORMAL"


HANGS = """
async def main(thing):
    thing.log.info("app", "here")
    while True:
        pass
"""


@pytest.mark.parametrize("app", [None, HANGS], ids=["running", "hung"])
async def test_ctrl_c_stops_the_program_and_gives_the_watchdog_an_hour(house: House, app: str | None) -> None:
    device = house.device(app) if app else house.device()
    await house.normal(device)
    await device.expect(r"I app: ", START_S)
    device.interrupt()
    await device.expect(
        r"W system: stopped by Ctrl-C; restarts in an hour, or by machine\.reset\(\)", START_S
    )
    await device.ended()
    assert device.chip.watchdog_s == 3600 and device.powered


async def test_a_hung_application_is_reset_by_the_watchdog(house: House) -> None:
    app = """
        import machine

        async def main(thing):
            if machine.reset_cause() != machine.WDT_RESET:
                thing.log.info("app", "hanging")
                while True:
                    pass
            thing.log.info("app", "back after the watchdog")
    """
    device = house.device(app)
    await house.normal(device)
    await device.expect(r"app: hanging", START_S)
    device.chip.watchdog_s /= 600  # a minute goes by
    device.chip._on_feed()
    await device.expect(r"app: back after the watchdog", START_S)


@pytest.mark.slow
async def test_a_task_that_dies_restarts_the_device(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    await device.power_off()
    clock = device.files / "lib/iot/clock/keeper.py"
    whole = clock.read_text()
    fault = "__import__('machine').reset_cause() == 1 and self.no_such_attribute"
    assert "certain = False" in whole
    clock.write_text(whole.replace("certain = False", f"certain = {fault}"))
    await device.power_on()
    await device.expect(r"E system: clock died: AttributeError", START_S)
    await device.expect(r"system: restarting: clock died", START_S)
    await device.expect(ACKNOWLEDGED, START_S)


WITNESS = """
class _Witness:
    def __del__(self):
        print(__name__, "is gone")

WITNESS = _Witness()
"""


async def test_what_is_needed_for_a_moment_is_gone_in_normal_mode(house: House) -> None:
    house.micropython = None  # CPython tells when an object goes
    app = """
        import asyncio
        import gc

        async def main(thing):
            await thing.wait("cloud_up")
            gc.collect()
            thing.log.info("app", "collected")
    """
    device = house.device(app)
    await house.normal(device)
    await device.expect(r"app: collected", START_S)
    await device.power_off()
    names = (
        "transitions",
        "modes",
        "storage.store",
        "clock.adjust",
        "clock.sntp",
        "wifi.join",
        "wifi.attempt",
        "wifi.scan",
    )
    for name in names:
        with (device.files / f"lib/iot/{name.replace('.', '/')}.py").open("a") as file:
            file.write(WITNESS)
    await device.power_on()
    await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(r"app: collected", START_S)
    await until(lambda: all(seen(device, rf"iot\.{name} is gone") for name in names), "the modules' end")


async def test_no_record_is_read_twice_at_a_start(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    await device.power_off()
    file = device.files / "lib/iot/storage/record.py"
    text, call = file.read_text(), "    def load(self):\n"
    assert text.count(call) == 1
    file.write_text(text.replace(call, call + "        print('reads', self._keys)\n"))
    await device.power_on()
    await device.expect(r"app: telemetry 1 acknowledged", START_S)
    reads = [line for line in device.lines if line.startswith("reads ")]
    assert len(reads) == len(set(reads)) == 2, reads  # the configuration, and the application's bytes


async def test_a_part_that_cannot_be_initialised_leads_to_idle(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    await device.power_off()
    certificates = device.files / "certs"
    for file in certificates.iterdir():
        file.unlink()
        file.mkdir()  # a file system that answers with an error which is not "no such file"
    await device.power_on()
    await device.expect(r"E system: flash: ", START_S)
    await device.expect(r"system: mode IDLE", START_S)
    assert (await status(device))["mode"] == "IDLE"
    assert (await ask(device, "restart")).startswith("ok")
    await device.expect(r"system: mode IDLE", START_S)


async def test_a_refused_certificate_is_replaced_by_the_claim(house: House) -> None:
    device = house.device(REFUSALS_FOR_GOOD=3)
    await house.telemetry(device)
    registry = house.cloud.registry
    (principal,) = registry.list_thing_principals(thingName=device_name(1))["principals"]
    registry.update_certificate(certificateId=principal.rpartition("/")[2], newStatus="INACTIVE")
    await ask(device, "restart")
    await device.expect(r"cloud: the certificate is refused for good")
    await device.expect(r"provisioning: this is thing", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    principals = registry.list_thing_principals(thingName=device_name(1))["principals"]
    assert len(principals) == 2


async def test_no_bluetooth_outside_of_config(house: House) -> None:
    """There is no memory for it beside TLS, and its own has NORMAL's buffers; in CONFIG it is found."""
    found = """
        import sys

        async def main(thing):
            names = [name for name in sys.modules if name.partition(".")[0] == "aioble"]
            names += [name for name in sys.modules if name.startswith("iot.ble")]
            try:
                import bluetooth
                names.append(bluetooth.BLE.__name__)
            except AttributeError as error:
                thing.log.info("app", "{}", error)
            print("found:", *sorted(names))

        setup = main
        """
    device = house.device(found)
    await device.power_on()
    in_config = (await device.expect(r"^found:(.*)$", START_S))[1].split()
    assert {"aioble", "BLE", "iot.ble.service"} <= set(in_config)
    await send_configuration(device, house.configuration())
    await device.expect(r"system: mode NORMAL", START_S)
    await device.expect(r"app: 'Bluetooth, whose memory NORMAL uses,' object has no attribute 'BLE'", START_S)
    assert (await device.expect(r"^found:(.*)$", START_S))[1].split() == []


def pin_is(device: Device, value: int) -> bool:
    return device.chip.pins.get(2) == value


def device_name(number: int) -> str:
    return f"esp32-240ac40000{number:02x}"
