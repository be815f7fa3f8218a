"""Attacks on updates, by the names that TUF gives them, each on a whole device (docs/updates.md)."""

from datetime import UTC, datetime
from typing import Any

from tests.patience import PATIENCE_S
from tests.signers import Signer, root_of
from tests.system.house import House
from tests.system.test_jobs import create, details, reaches
from tests.system.test_rescue import other
from tests.system.test_update import QUIET, Publisher, version_of
from tools.cloud.misbehaviour import Misbehaviour
from tools.release.manifest import Manifest
from tools.sim import Device
from tools.sim.packed import deployed

COME = "bytes are there"


async def fails(house: House, device: Device, job_id: str, why: str, version: str = "1.0") -> None:
    """A job that is there ends as FAILED for this reason, and the version runs that ran."""
    await reaches(house, job_id, "FAILED", "SUCCEEDED", "REJECTED")
    assert why in details(house, job_id).get("message", "no message"), job_id
    assert await version_of(device) == version


def signed(text: str, *keys: Signer) -> dict[str, Any]:
    return {"manifest": text, "signatures": [key.sign(text) for key in keys]}


def fetched(device: Device) -> int:
    return sum(COME in line for line in device.lines)


async def test_arbitrary_software(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("evil", "2.0", key=Signer())
    await fails(house, device, "evil", "0 of 1 signatures by root 1, 0 by others (arbitrary software)")
    assert not fetched(device)
    publisher.publish("evil2", "2.0", content=b"PAC2" + bytes(90_000))
    await fails(house, device, "evil2", "not the file's")
    publisher.publish("evil3", "2.0", sha256="5" * 64)
    await fails(house, device, "evil3", "not with 5555555555555555 (arbitrary software)")


async def test_keys_below_the_threshold(house: House) -> None:
    publisher = Publisher(house)
    keys = [publisher.key, Signer(), Signer()]
    publisher.root = root_of("esp32-iot", keys, 2)
    device = await publisher.device()
    text = publisher.publish("one", "2.0").text().decode()
    why = "1 of 2 signatures by root 1, {} by others (keys below the threshold)"
    await fails(house, device, "one", why.format(0))
    publisher.publish("twice", "2.0", document=signed(text, keys[0], keys[0], Signer()))
    await fails(house, device, "twice", why.format(2))  # the second one by the same key counts for nothing
    assert not fetched(device)
    publisher.publish("two", "2.0", document=signed(text, *keys[1:]))
    await reaches(house, "two", "SUCCEEDED")


async def test_endless_data(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    text = publisher.publish("job", "2.0", document={"manifest": "x" * 30_000}).text().decode()
    await reaches(house, "job", "REJECTED")
    create(house, "root", {"action": "OTA", "root": "x" * 1025, "signatures": ["x"]})
    await fails(house, device, "root", "of 1024 bytes at the most (endless data)")
    many = ["00000000:AAAA"] * 10 + [publisher.key.sign(text)]
    publisher.publish("signatures", "2.0", document={"signatures": many})
    await fails(house, device, "signatures", "0 of 1 signatures by root 1, 10 by others")
    assert not fetched(device)
    pack = deployed(publisher.texts(QUIET.format("2.0"), "2.0"))["/firmware.pack"]
    publisher.publish("file", "2.0", content=pack + bytes(2_000_000))
    await fails(house, device, "file", "not the file's")
    assert len((device.files / "a/firmware.pack").read_bytes()) <= len(pack)


async def test_extraneous_dependency(house: House) -> None:
    """Even who signs cannot have a device look for anything else: a line for it has no place."""
    publisher = Publisher(house)
    device = await publisher.device()
    text = publisher.publish("needs", "2.0", key=Signer()).text().decode()
    await fails(house, device, "needs", "arbitrary software")
    for number, (line, why) in enumerate((("depends other 1.0\n", "end: "), ("url https://x/y\n", "end: "))):
        publisher.publish(f"more{number}", "2.0", document=signed(text + line, publisher.key))
        await fails(house, device, f"more{number}", f"{why}not as it has to be")
    assert not fetched(device)


async def test_rollback_and_fast_forward(house: House) -> None:
    """A counter counts once its version does: one that is no good, with the highest, shuts nobody out."""
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("far", "2.0", "raise ValueError('pear')\n", counter=2_147_483_647)
    await fails(house, device, "far", "the application: ValueError: pear")
    publisher.publish("five", "2.5", counter=5)
    await reaches(house, "five", "SUCCEEDED")
    publisher.publish("four", "2.4", counter=4)
    await fails(house, device, "four", "counter 4: this device has 5 (rollback)", "2.5")
    old = publisher.key
    for version, why in ((1, "rollback"), (3, "fast-forward"), (2_147_483_647, "fast-forward")):
        publisher.new_key(version)
        text = publisher.root
        lines = [old.sign(text), publisher.key.sign(text)]
        create(house, f"root{version}", {"action": "OTA", "root": text, "signatures": lines})
        await fails(house, device, f"root{version}", f"version {version}: this device has 1 ({why})", "2.5")


async def test_freeze(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    now = datetime.now(UTC)
    publisher.publish("late", "2.0", expires=datetime(now.year, now.month, 1, tzinfo=UTC))
    await fails(
        house, device, "late", f"expires {now.year}-{now.month:02}-01T00:00:00Z: this device has {now.year}"
    )
    assert details(house, "late")["message"].endswith("(freeze)") and not fetched(device)


async def test_malicious_mirror(house: House) -> None:
    """Whoever serves the file: a device gets the one that is signed from somebody, or none."""
    publisher = Publisher(house)
    device = await publisher.device()
    pack = deployed(publisher.texts(QUIET.format("2.0"), "2.0"))["/firmware.pack"]
    house.cloud.gate.rules.append(Misbehaviour("wrong-name", times=1))
    publisher.publish("name", "2.0")
    await fails(house, device, "name", "does not match with the expected CN")
    publisher.publish("other", "2.0", content=bytes(reversed(pack)))
    await fails(house, device, "other", "(arbitrary software)")
    house.cloud.gate.rules.append(Misbehaviour("redirect", times=1))
    publisher.publish("elsewhere", "2.0")
    await fails(house, device, "elsewhere", "sends to another host")
    publisher.publish("right", "2.0")
    await reaches(house, "right", "SUCCEEDED")


async def test_mix_and_match(house: House) -> None:
    """Parts of several releases, all of them signed."""
    publisher = Publisher(house)
    device = await publisher.device()
    made: list[tuple[Manifest, bytes]] = []
    for number, version in enumerate(("2.0", "2.1")):
        pack = deployed(publisher.texts(QUIET.format(version), version))["/firmware.pack"]
        made.append((publisher.publish(f"stranger{number}", version, key=Signer()), pack))
        await fails(house, device, f"stranger{number}", "arbitrary software")
    (first, _), (second, pack) = made
    one, two = first.text().decode(), second.text().decode()
    publisher.publish("signature", "2.0", document={"manifest": one, "signatures": [publisher.key.sign(two)]})
    await fails(house, device, "signature", "0 of 1 signatures by root 1, 0 by others (arbitrary software)")
    size = first.size
    publisher.publish("file", "2.0", content=pack[:size] + bytes(max(0, size - len(pack))))
    await fails(house, device, "file", "(arbitrary software)")
    mixed = one.replace("version 2.0", "version 2.1")
    publisher.publish("line", "2.0", document={"manifest": mixed, "signatures": [publisher.key.sign(one)]})
    await fails(house, device, "line", "(arbitrary software)")


async def test_slow_retrieval(house: House) -> None:
    """A server that brings so little that it would go on for days, and is never still for long."""
    publisher = Publisher(house)
    device = await publisher.device()
    await device.power_off()
    quick = {"ota/update": other("ota/update", _BEGIN_MS=6000, _LEAST_RATE=100_000, _PAUSE_MS=500)}
    device.deploy(publisher.texts(QUIET.format("1.0"), "1.0", None, **quick))
    await device.power_on()
    house.cloud.gate.rules.append(Misbehaviour("trickle", amount=500))
    publisher.publish("slow", "2.0")
    for _ in range(2):
        await device.expect(
            r"not done in \d s: less than 100000 bytes a second, or nothing \(slow retriev", PATIENCE_S
        )
    await fails(house, device, "slow", "not installed in 8 starts")
    house.cloud.gate.rules.clear()
    publisher.publish("right", "2.0")
    await reaches(house, "right", "SUCCEEDED")


async def test_wrong_software(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    for name, value, has in (
        ("product", "other", "esp32-iot"),
        ("chip", "ESP32S3", "ESP32"),
        ("boards", ("Pear with ESP32",), "Generic ESP32 module with ESP32"),
        ("micropython", "9.0.0", ""),
        ("mpy", "7", "6"),
    ):
        publisher.publish(name, "2.0", **{name: value})  # type: ignore[arg-type]
        await fails(house, device, name, f": this device has {has}")
        assert details(house, name)["message"].endswith("(wrong software)")
    assert not fetched(device)
