"""`release sign` and `release inspect`: several people one after the other, and what they refuse."""

import hashlib
import re
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.board.products import Product
from tests.host.release.conftest import SECRET, Run
from tools.board import pack
from tools.release import manifest

PACKAGES = ("--packages", "packages")


def test_two_of_three(release: Run, root: dict[str, str], built: Path) -> None:
    first = release("sign", built, "--key", "anna", *PACKAGES)
    assert first.status == 0 and "not a byte differs" in first.err
    assert re.search(r"^version +1\.4\.0$", first.out, re.MULTILINE), "it does not show what is signed"
    assert f"1 of 2 signatures; missing: 1 of {root['ben']}, {root['carla']}" in first.out
    value = release("sign", built, "--key", "carla", *PACKAGES, "--json").value
    good = {"good": [root["anna"], root["carla"]], "missing": [root["ben"]]}
    assert value == {"key": root["carla"], "new": True, "complete": True, "signatures": {"1": good}}
    lines = (built / "signatures").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == [root["anna"], root["carla"]]
    shown = release("inspect", built)
    assert shown.out.count(": good, of root 1") == 2 and "2 of 2 signatures" in shown.out
    assert release("inspect", built / "manifest").out == shown.out


def test_the_same_key_again(release: Run, root: dict[str, str], built: Path) -> None:
    release("sign", built, "--key", "anna", *PACKAGES)
    before = (built / "signatures").read_bytes()
    again = release("sign", built, "--key", "anna", "--no-compare", "--json")
    assert again.value["new"] is False and (built / "signatures").read_bytes() == before
    assert "has signed it before" in release("sign", built, "--key", "anna", "--no-compare").out


def test_a_bad_signature_makes_room_for_a_good_one(release: Run, root: dict[str, str], built: Path) -> None:
    release("sign", built, "--key", "anna", *PACKAGES)
    good = (built / "signatures").read_text()
    release("keygen", "dora")
    other = release("build", "--expires", "2998-01-01", *PACKAGES, "--out", "other", "--json").value["folder"]
    release("sign", other, "--key", "anna", *PACKAGES)
    (built / "signatures").write_text(Path(other, "signatures").read_text())
    assert f"{root['anna']}: bad" in release("inspect", built).out
    assert release("inspect", built, "--json").value["signatures"] == [{"key": root["anna"], "state": "bad"}]
    release("sign", built, "--key", "anna", *PACKAGES)
    assert (built / "signatures").read_text() == good


def test_who_is_not_of_the_root(release: Run, root: dict[str, str], built: Path) -> None:
    dora = release("keygen", "dora", "--json").value["id"]
    done = release("sign", built, "--key", "dora", "--no-compare", "--json")
    assert done.status == 1 and f"key {dora} is none of the root's" in done.failure["text"]
    assert not (built / "signatures").exists()
    assert release("root", "make", "--threshold", 1, "dora.pub", "--out", "dora.root.py").status == 0
    assert release("sign", built, "--key", "dora", "--no-compare", "--root", "dora.root.py").status == 0
    assert f"{dora}: by a key that no root here has" in release("inspect", built).out
    assert "1 of 1 signatures" in release("inspect", built, "--root", "dora.root.py").out


def test_what_was_not_built_of_this(
    release: Run, product: Product, root: dict[str, str], built: Path
) -> None:
    app = product.folder / "firmware/app.py"
    before = app.read_text()
    product.change("firmware/app.py", "def main(thing):\n    return steal(thing)\n")
    done = release("sign", built, "--key", "anna", *PACKAGES, "--json")
    assert done.status == 1
    assert done.failure["text"] == f"{built}/firmware.pack: built here it differs: in firmware/app.mpy"
    assert not (built / "signatures").exists()
    app.write_text(before)
    (Path("packages/aioble/core.py")).write_text("x = 2\n")
    assert (
        "in aioble/core.mpy" in release("sign", built, "--key", "anna", *PACKAGES, "--json").failure["text"]
    )
    done = release("sign", built, "--key", "anna", "--no-packages", "--json")
    assert "in aioble/__init__.mpy, aioble/core.mpy" in done.failure["text"]
    (Path("packages/aioble/core.py")).write_text("x = 1\n")
    bill = built / "sbom.json"
    bill.write_text(bill.read_text().replace("MIT", "GPL-3.0-only", 1))
    done = release("sign", built, "--key", "anna", *PACKAGES, "--json")
    assert done.failure["text"].startswith(f"{built}/sbom.json: built here it differs")


def test_modules_that_another_zlib_has_deflated(
    release: Run, root: dict[str, str], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def otherwise(module: bytes) -> bytes:
        deflate = zlib.compressobj(1, zlib.DEFLATED, -9)
        return deflate.compress(module) + deflate.flush()

    monkeypatch.setattr(pack, "deflated", otherwise)
    done = release("sign", built, "--key", "anna", *PACKAGES, "--json")
    told = f"{built}/firmware.pack: built here it differs: its modules are the same, deflated otherwise"
    assert done.status == 1 and done.failure["text"] == told


def test_a_manifest_that_says_what_the_build_does_not(
    release: Run, root: dict[str, str], built: Path
) -> None:
    """mpy is what the compiler makes: whoever writes another line is found out."""
    file = built / "manifest"
    file.write_text(file.read_text().replace("mpy 6\n", "mpy 6 xtensawin\n"))
    done = release("sign", built, "--key", "anna", *PACKAGES, "--json")
    assert done.failure["text"] == f"{built}/manifest: built here it differs: -mpy 6 xtensawin +mpy 6"


@pytest.mark.parametrize("change", [lambda it: it[:-1], lambda it: it + b"\0", lambda it: it[:-1] + b"!"])
def test_a_file_that_is_not_the_manifests(
    release: Run, root: dict[str, str], built: Path, change: "type"
) -> None:
    file = built / "firmware.pack"
    file.write_bytes(change(file.read_bytes()))
    done = release("sign", built, "--key", "anna", "--no-compare", "--json")
    assert done.status == 1 and "firmware.pack is not the file of the manifest" in done.failure["text"]
    assert "is not the file of the manifest" in release("inspect", built).out
    assert release("inspect", built, "--json").value["faults"]


def test_what_has_expired_is_not_signed(release: Run, root: dict[str, str]) -> None:
    old = release("build", "--expires", "2001-01-01", *PACKAGES, "--json").value["folder"]
    done = release("sign", old, "--key", "anna", *PACKAGES, "--json")
    assert done.status == 1 and "it has expired, at 2001-01-01 00:00:00 UTC" in done.failure["text"]
    assert "it has come" in release("inspect", old).out


def test_another_products_release(release: Run, root: dict[str, str]) -> None:
    door = release("build", "--product", "door", "--expires", "2999-01-01", *PACKAGES, "--json").value[
        "folder"
    ]
    done = release("sign", door, "--key", "anna", *PACKAGES, "--json")
    assert "for product door, the root is for lamp" in done.failure["text"]


def test_what_is_damaged(release: Run, root: dict[str, str], built: Path) -> None:
    assert "no such" in release("sign", "nowhere", "--key", "anna", "--json").failure["text"].lower()
    (built / "signatures").write_text("hello\n")
    assert "signature 1: not ID:BASE64" in release("inspect", built, "--json").failure["text"]
    (built / "signatures").write_bytes(b"\xff\n")
    assert release("inspect", built, "--json").status == 1
    (built / "manifest").write_text("hello\n")
    assert "iot-update: this line must come" in release("inspect", built, "--json").failure["text"]


def test_a_signature_made_elsewhere(release: Run, root: dict[str, str], built: Path) -> None:
    key = serialization.load_pem_private_key(Path("ben").read_bytes(), SECRET.encode())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    Path("ben.der").write_bytes(key.sign((built / "manifest").read_bytes(), ec.ECDSA(hashes.SHA256())))
    assert release("sign", built, "--signature", "ben.der", *PACKAGES, "--json").value["key"] == root["ben"]
    Path("bad.der").write_bytes(key.sign(b"something else", ec.ECDSA(hashes.SHA256())))
    done = release("sign", built, "--signature", "bad.der", "--no-compare", "--json")
    assert done.status == 1 and "no signature of" in done.failure["text"]
    assert release("sign", built, "--signature", "ben.der", "--key", "anna").status == 2
    assert release("sign", built).status == 2


def test_without_a_root(release: Run, product: Product) -> None:
    folder = release("build", "--expires", "2999-01-01", *PACKAGES, "--json").value["folder"]
    assert "this product has no root" in release("sign", folder, "--key", "anna", "--json").failure["text"]
    shown = release("inspect", folder)
    assert shown.status == 0 and "nobody can say whose signatures count" in shown.out
    assert release("inspect", folder, "--json").value["complete"] is False


def test_what_inspect_shows(release: Run, built: Path) -> None:
    value = release("inspect", built, "--json").value
    assert value["modules"].keys() == {
        *("iot/system.mpy", "iot/mqtt/client.mpy", "firmware/app.mpy", "firmware/settings.mpy"),
        *("firmware/update_root.mpy", "aioble/__init__.mpy", "aioble/core.mpy"),
    }
    assert value["signed"].encode() == (built / "manifest").read_bytes() and value["faults"] == []
    shown = release("inspect", built).out
    for path, size in value["modules"].items():
        assert re.search(rf"{size:,}  {path}$", shown, re.MULTILINE)
    (built / "firmware.pack").unlink()
    assert "firmware.pack is not here" in release("inspect", built).out


def test_in_what_two_differ(release: Run, product: Product, built: Path) -> None:
    product.change("firmware/settings.py", 'PRODUCT = "lamp"\nVERSION = "1.5.0"\n')
    product.change("lib/iot/new.py", "x = 1\n")
    product.remove("lib/iot/mqtt/client.py")
    after = release("build", "--expires", "2999-01-01", *PACKAGES, "--json").value["folder"]
    value = release("inspect", built, after, "--json").value
    assert "-version 1.4.0" in value["lines"] and "+version 1.5.0" in value["lines"]
    sizes = {it["path"]: (it["before"], it["after"]) for it in value["modules"]}
    assert sizes.keys() == {"firmware/settings.mpy", "iot/new.mpy", "iot/mqtt/client.mpy"}
    assert sizes["iot/new.mpy"][0] is None and sizes["iot/mqtt/client.mpy"][1] is None
    shown = release("inspect", built, after).out
    assert "iot/new.mpy is new" in shown and "iot/mqtt/client.mpy is gone" in shown
    assert release("inspect", built, built).out == "nothing differs\n"


def test_a_damaged_module_in_a_file_that_somebody_vouched_for(
    release: Run, root: dict[str, str], built: Path
) -> None:
    """The manifest may fit a file that holds rubbish."""
    file = built / "firmware.pack"
    data = file.read_bytes()
    start = pack.places(lambda at, size: data[at : at + size], len(data))["iot/system.mpy"].start
    data = data[:start] + b"\xff" + data[start + 1 :]
    file.write_bytes(data)
    text = (built / "manifest").read_text()
    old = manifest.read(text.encode()).sha256
    (built / "manifest").write_text(text.replace(old, hashlib.sha256(data).hexdigest()))
    for arguments in (("inspect", built), ("sign", built, "--key", "anna", *PACKAGES)):
        done = release(*arguments, "--json")
        assert done.status == 1 and "iot/system.mpy: damaged in the pack" in done.failure["text"]
