"""What a device accepts leads to telemetry, in every form that it takes; of what it refuses nothing stays."""

from typing import Any

import pytest
from documents import OWN_KEY

from tests.system.house import START_S, House, ask, send_configuration
from tests.system.stranger import name_of
from tests.system.test_setup_over_ble import CODE_LINE, started
from tools.ble.errors import BleError
from tools.ble.phone import set_up
from tools.configure import ConfigureError, configure

SMILE = "\U0001f600"


def mangled(document: dict[str, Any], form: str) -> dict[str, Any]:
    """The document with its certificates and keys in another form."""
    aws = document["aws"]
    for member in ("root_ca", "claim_certificate", "claim_key"):
        text = aws[member]
        aws[member] = {
            "blanks": text.replace("\n", " "),
            "lost": text.replace("\n", ""),
            "indented": text.replace("\n", "\n    "),
            "tabs": text.replace("\n", "\n\t"),
            "text": "\ufeff# é\nCertificate:\n    Data: (0x2)\n"
            + text
            + "Bag Attributes\n    friendlyName: lamp\n",
        }[form]
    return document


@pytest.mark.parametrize("form", ["blanks", "lost", "indented", "tabs", "text"])
async def test_certificates_in_every_form_lead_to_telemetry(house: House, form: str) -> None:
    await house.telemetry(house.device(), mangled(house.configuration(), form))


@pytest.mark.parametrize("way", ["cable", "phone"])
async def test_names_above_the_first_plane_are_found_on_the_air(house: House, way: str) -> None:
    house.world.air.access_points[f"{SMILE} Café"] = "correct horse"
    device = house.device()
    document = house.configuration()
    document["wifi"] = [{"ssid": f"{SMILE} Café", "password": "correct horse"}]
    document["app"] = {"note": "ü" * 600 + SMILE}  # more than there is room for, counted in escapes
    if way == "cable":
        await house.normal(device, document)
    else:
        await set_up(house.world, name_of(device), await started(device), document)
    await device.expect(rf'wifi: connected to "{SMILE} Café"', START_S)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)


async def test_of_what_is_refused_nothing_stays(house: House) -> None:
    device = house.device()
    await device.power_on()
    code = (await device.expect(CODE_LINE, START_S))[1]
    good = house.configuration()
    document = house.configuration(claim_key=OWN_KEY)
    with pytest.raises(ConfigureError, match=r"aws\.claim_key: not the key of the certificate"):
        await send_configuration(device, document)
    with pytest.raises(BleError) as refused:
        await set_up(house.world, name_of(device), code, document)
    assert refused.value.name == "INVALID_VALUE" and "not the key of the certificate" in str(refused.value)
    lines: list[str] = []

    async def loses_one(line: str) -> str:
        lines.append(line)
        return await ask(device, line) if len(lines) != 4 else "ok"

    with pytest.raises(ConfigureError, match=r"came, not .*; send it again"):
        await configure(loses_one, good)
    certs = device.files / "certs"
    assert not certs.exists() or not list(certs.iterdir())
    await send_configuration(device, good)
    await device.expect(r"app: telemetry \d+ acknowledged", 2 * START_S)
