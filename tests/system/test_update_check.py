"""A device judges updates: by its product's root, by the one that follows, by counter and clock."""

import hashlib
import json
from typing import Any

from tests.signers import Signer, root_of
from tests.system.house import START_S, House, ask
from tools.sim import Device

PRODUCT = "lamp-1"
APP = """
import esp32
import sys
import time
from iot.memory import borrow
from firmware import settings

def kept():
    return borrow("iot.ota.kept")

async def judge(thing, case):
    root = kept().root("/certs", settings, thing.log)
    counter = kept().counter(esp32.NVS("iot"))
    now = case["now"] or time.gmtime()
    return await borrow("iot.ota.verify").manifest(case["text"], case["signatures"], root, counter, now)

async def rotate(thing, case):
    root = kept().root("/certs", settings, thing.log)
    root = await borrow("iot.ota.verify").next_root(case["text"], case["signatures"], root)
    kept().keep_root("/certs", root)
    return root

async def setup(thing):
    for name, case in CASES:
        try:
            if name == "rotate":
                found = await rotate(thing, case)
            elif name == "raise":
                found = {"version": kept().raise_counter(esp32.NVS("iot"), case)}
            else:
                found = await judge(thing, case)
            thing.log.info("test", "{}: version {}", name, found["version"])
        except ValueError as error:
            thing.log.info("test", "{}: {}", name, error)
        left = [one for one in sys.modules if ".ota" in one or "update_root" in one or "p256" in one]
        thing.log.info("test", "left {}", left)
    thing.log.info("test", "done")
"""


KEYS = [Signer() for _ in range(5)]


def manifest(counter: int = 3, expires: str = "2099-01-01T00:00:00Z", mpy: str = "6 xtensawin") -> str:
    return (
        f"iot-update 1\nproduct {PRODUCT}\nkind app\nversion 1.4.0\ncounter {counter}\nexpires {expires}\n"
        "chip ESP32\nboard Generic ESP32 module with ESP32\nmicropython 1.25.0\n"
        f"mpy {mpy}\nsize 97311\nsha256 {hashlib.sha256().hexdigest()}\n"
    )


def signed(text: str, *keys: Signer, now: tuple[int, ...] | None = None) -> dict[str, Any]:
    return {"text": text, "signatures": [key.sign(text) for key in keys], "now": now}


async def tells(device: Device, cases: list[tuple[str, Any, str]]) -> None:
    """Starts the device with an application that goes through these, and expects what it then logs."""
    given = json.loads(json.dumps([(name, case) for name, case, _ in cases]))
    (device.files / "firmware/app.py").write_text(f"CASES = {given!r}\n{APP}")
    await device.power_on()
    for name, _, expected in cases:
        await device.expect(rf"test: {name}: {expected}", START_S)
        await device.expect(r"test: left \[\]", START_S)
    await device.expect("test: done", START_S)


async def test_what_a_device_installs_and_what_it_keeps(house: House) -> None:
    device = house.device(PRODUCT=PRODUCT)
    no_root = "this product has no root: python3 -m tools release root"
    await tells(device, [("none", signed(manifest(), *KEYS), no_root)])
    await device.power_off()

    (device.files / "firmware/update_root.py").write_text(f'ROOT = """{root_of(PRODUCT, KEYS[:3], 2)}"""\n')
    following = root_of(PRODUCT, KEYS[2:], 2, 2)
    expired = signed(manifest(expires="2026-06-01T00:00:00Z"), *KEYS[:2], now=(2026, 6, 1, 0, 0, 0))
    await tells(
        device,
        [
            ("two of three", signed(manifest(), *KEYS[:2]), r"version 1\.4\.0"),
            ("one", signed(manifest(), KEYS[0]), r"1 of 2 signatures by root 1, 0 by others \(keys below"),
            ("strangers", signed(manifest(), *KEYS[3:]), r"0 of 2 .*, 2 by others \(arbitrary software\)"),
            (
                "machine",
                signed(manifest(mpy="6 rv32imc"), *KEYS[:2]),
                "mpy 6 rv32imc: this device has 6 xtensawin",
            ),
            ("late", expired, r"expires 2026-06-01T00:00:00Z: .*\(freeze\)"),
            ("raise", 4, "version None"),
            ("old", signed(manifest(), *KEYS[:2]), r"counter 3: this device has 4 \(rollback\)"),
            ("rotate", signed(following, *KEYS[1:4]), "version 2"),
            ("revoked", signed(manifest(4), *KEYS[:2]), "0 of 2 signatures by root 2"),
            ("new", signed(manifest(4), *KEYS[2:4]), r"version 1\.4\.0"),
            ("rotate", {"text": following, "signatures": []}, "version 2"),
        ],
    )
    assert "erasing" in await ask(device, "factory-reset --yes")
    await device.expect("configuration and certificate are erased", START_S)
    await device.power_off()

    await tells(
        device,
        [
            ("old", signed(manifest(3), *KEYS[2:4]), r"counter 3: this device has 4 \(rollback\)"),
            ("revoked", signed(manifest(4), *KEYS[:2]), "0 of 2 signatures by root 2"),
            ("new", signed(manifest(4), *KEYS[3:]), r"version 1\.4\.0"),
        ],
    )
