"""`release sbom`: a bill of materials that CycloneDX's own schema takes, and that says what is there."""

import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.host.board.made_images import DESCRIPTION, Made
from tests.host.board.packs import unpack
from tests.host.release.conftest import Run


def checked(data: bytes) -> dict:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    assert error is None, error
    bill: dict = json.loads(data)
    return bill


def test_the_validator_refuses_what_is_none(built: Path) -> None:
    bill = json.loads((built / "sbom.json").read_bytes())
    bill["components"][0]["type"] = "thing"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is not None


def test_of_an_app(built: Path) -> None:
    bill = checked((built / "sbom.json").read_bytes())
    assert bill["specVersion"] == "1.6" and "timestamp" not in bill["metadata"]
    content = (built / "firmware.pack").read_bytes()
    product = bill["metadata"]["component"]
    assert (product["name"], product["version"], product["type"]) == ("lamp", "1.4.0", "firmware")
    assert product["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}]
    parts = {part["name"]: part for part in bill["components"]}
    assert parts.keys() == {"esp32-aws-iot", "application", "aioble", "MicroPython"}
    assert parts["aioble"]["version"] == "0.6.2" and parts["aioble"]["purl"].endswith("/aioble@0.6.2")
    assert parts["MicroPython"]["version"] == "1.25.0"
    assert [part["name"] for part in parts["MicroPython"]["components"]] == ["umqtt.simple"]
    for name in ("esp32-aws-iot", "aioble", "MicroPython"):
        assert parts[name]["licenses"] == [{"license": {"id": "MIT"}}]
    assert "licenses" not in parts["application"], "whose it is, is for its maker to say"
    listed = {
        file["name"]: file["hashes"][0]["content"]
        for part in ("esp32-aws-iot", "application", "aioble")
        for file in parts[part]["components"]
    }
    assert listed == {path: hashlib.sha256(data).hexdigest() for path, data in unpack(content).items()}
    links = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert set(links[product["bom-ref"]]) == {part["bom-ref"] for part in bill["components"]}


def test_without_packages_none_is_told(release: Run) -> None:
    folder = release("build", "--expires", "2999-01-01", "--no-packages", "--json").value["folder"]
    bill = checked(Path(folder, "sbom.json").read_bytes())
    assert "aioble" not in {part["name"] for part in bill["components"]}


def test_of_an_image(release: Run) -> None:
    described = bytearray(DESCRIPTION)
    described[112:118] = b"v5.4.1"  # ESP-IDF's version, in esp_app_desc_t
    application = bytes(described) + b"MicroPython v1.25.0 on 2025-04-15\0; A board with ESP32\0"
    Path("image.bin").write_bytes(Made(application=application).image())
    done = release("build", "--image", "image.bin", "--version", "7", "--expires", "2999-01-01", "--json")
    [part] = checked(Path(done.value["folder"], "sbom.json").read_bytes())["components"]
    assert (part["name"], part["version"]) == ("MicroPython", "1.25.0")
    inner = {one["name"]: one.get("version") for one in part["components"]}
    assert inner == {"umqtt.simple": None, "ESP-IDF": "v5.4.1"}


def test_it_is_made_anew_from_the_release_alone(
    release: Run, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (built / "sbom.json").read_bytes()
    (built / "sbom.json").unlink()
    assert release("sbom", built, "--json").value == {"file": f"{built}/sbom.json"}
    assert (built / "sbom.json").read_bytes() == before
    assert release("sbom", built, "--out", "-").out.encode() == before
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    release("sbom", built, "--out", "other.json")
    bill = checked(Path("other.json").read_bytes())
    assert bill["metadata"]["timestamp"] == "2027-01-15T08:00:00+00:00"
    assert bill["serialNumber"] == json.loads(before)["serialNumber"]


def test_another_release_is_another_bill(release: Run, built: Path) -> None:
    release("build", "--expires", "2999-01-02", "--packages", "packages", "--out", "other")
    one, other = (json.loads(Path(it, "sbom.json").read_bytes()) for it in (built, "other/lamp-1.4.0"))
    assert one["serialNumber"] != other["serialNumber"]
    with pytest.raises(AssertionError):
        assert one == other
