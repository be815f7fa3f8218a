"""Deltas of a release: from images that devices have, the same bytes for each who builds, and proven."""

import dataclasses
import hashlib
import random
import sys
from pathlib import Path

import pytest

from tests.host.board.made_images import TWO_SLOTS, Made
from tests.host.board.products import Product
from tests.host.release.conftest import SETTINGS, Run
from tools.release import delta, folder

CODE = random.Random(1).randbytes(150_000)  # which nothing makes smaller
LATER = ("--expires", "2999-01-01")
IMAGE = Made(partitions=TWO_SLOTS)
OUT = Path("build/release")
pytestmark = pytest.mark.usefixtures("detools")


def program(code: bytes, version: str = "v1.25.0") -> Made:
    made = dataclasses.replace(IMAGE, version=version)
    return dataclasses.replace(made, application=made.micropython() + code)


OLD = program(CODE)
NEW = program(CODE[:70_000] + b"a line more" + CODE[70_000:], "v1.25.1")


def application(made: Made) -> bytes:
    return made.program(made.application or b"")


def delta_name(made: Made) -> str:
    return f"delta-{hashlib.sha256(application(made)).hexdigest()[:16]}.patch"


@pytest.fixture
def files(release: Run) -> None:
    """Files of MicroPython's: what devices have, and what they are to get."""
    for name, made in (("old", OLD), ("new", NEW)):
        Path(f"{name}.bin").write_bytes(made.image())
    Path("old.app-bin").write_bytes(application(OLD))


@pytest.fixture
def built(release: Run, root: dict[str, str], files: None) -> Path:
    return build(release, "--base", "old.bin")


def build(release: Run, *options: object) -> Path:
    done = release("build", *LATER, "--image", "new.bin", "--version", "1.25.1", *options, "--json")
    assert done.status == 0, done.err
    return Path(done.value["folder"])


def test_a_device_makes_the_image_of_it(built: Path) -> None:
    patch = (built / delta_name(OLD)).read_bytes()
    assert delta.applied(application(OLD), patch, len(application(NEW))) == application(NEW)
    assert 20 * len(patch) < len(application(NEW))
    assert [file.name for file in delta.there(built)] == [delta_name(OLD)]
    found = folder.load(built).manifest
    assert found.sha256 == hashlib.sha256((built / "firmware.bin").read_bytes()).hexdigest()


def test_the_base_may_be_any_form_of_the_image_and_gives_the_same_bytes(release: Run, built: Path) -> None:
    patch = (built / delta_name(OLD)).read_bytes()
    older = release("build", *LATER, "--image", "old.bin", "--version", "1.25.0", "--json").value["folder"]
    for base in ("old.app-bin", older):
        (built / delta_name(OLD)).unlink()
        assert build(release, "--base", base) == built
        assert (built / delta_name(OLD)).read_bytes() == patch


def test_it_tells_of_them(release: Run, built: Path) -> None:
    size = (built / delta_name(OLD)).stat().st_size
    assert f"{delta_name(OLD)}, {size:,} bytes, 1 in " in release("inspect", built).out
    told = [{"file": delta_name(OLD), "size": size}]
    assert release("inspect", built, "--json").value["deltas"] == told
    done = release(
        "build", *LATER, "--image", "new.bin", "--version", "1.25.1", "--base", "old.bin", "--json"
    )
    assert done.value["deltas"] == told


def test_those_of_another_build_go(release: Run, built: Path) -> None:
    Path("third.bin").write_bytes(program(CODE[1000:]).image())
    build(release, "--base", "third.bin", "--base", "old.bin")
    assert len(delta.there(built)) == 2
    build(release, "--base", "third.bin")
    assert [file.name for file in delta.there(built)] == [delta_name(program(CODE[1000:]))]
    build(release)
    assert not delta.there(built)


def test_who_signs_builds_them_again(release: Run, built: Path) -> None:
    source = ("--image", "new.bin")
    signed = release("sign", built, "--key", "anna", *source, "--base", "old.bin")
    assert signed.status == 0 and "not built again" not in signed.err
    signed = release("sign", built, "--key", "ben", *source)
    assert signed.status == 0 and f"not built again, without their --base: {delta_name(OLD)}" in signed.err
    path = built / delta_name(OLD)
    patch = path.read_bytes()
    path.write_bytes(patch[:-1] + bytes((patch[-1] ^ 1,)))
    signed = release("sign", built, "--key", "carla", *source, "--base", "old.bin", "--json")
    assert signed.status == 1 and f"{path}: built here it differs" in signed.failure["text"]
    path.unlink()
    signed = release("sign", built, "--key", "carla", *source, "--base", "old.bin", "--json")
    assert signed.status == 1 and f"{path}: No such file" in signed.failure["text"]


def test_what_is_no_base(release: Run, files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(base: object) -> str:
        done = release("build", *LATER, "--image", "new.bin", "--version", "1", "--base", base, "--json")
        assert done.status == 1 and not OUT.exists()
        return done.failure["text"]

    assert "none.bin: No such file" in refusal("none.bin")
    Path("text.bin").write_text("hello" * 100)
    assert "text.bin: no image for an ESP32" in refusal("text.bin")
    monkeypatch.setitem(sys.modules, "detools", None)
    assert "Python's package detools is missing" in refusal("old.bin")
    done = release("build", *LATER, "--packages", "packages", "--base", "old.bin", "--json")
    assert done.status == 1 and "old.bin: no pack" in done.failure["text"]


def test_an_update_of_the_application_is_no_base(release: Run, files: None) -> None:
    app = release("build", *LATER, "--packages", "packages", "--json").value["folder"]
    options = ("--image", "new.bin", "--version", "1", "--base", app)
    assert f"{app}: no image" in release("build", *LATER, *options, "--json").failure["text"]


def test_an_application_has_deltas_too(release: Run, root: dict[str, str], product: Product) -> None:
    """From a release's folder or its pack; the image is none of its bases."""

    def built(version: str, *options: object) -> Path:
        product.change("firmware/settings.py", SETTINGS.replace("1.4.0", version))
        done = release("build", *LATER, "--packages", "packages", *options, "--json")
        assert done.status == 0, done.err
        return Path(done.value["folder"])

    old = built("1.4.0")
    base = (old / "firmware.pack").read_bytes()
    for named in (old, old / "firmware.pack"):
        new = built("1.4.1", "--base", named)
        (file,) = delta.there(new)
        assert file.name == f"delta-{hashlib.sha256(base).hexdigest()[:16]}.patch"
        pack = (new / "firmware.pack").read_bytes()
        assert delta.applied(base, file.read_bytes(), len(pack)) == pack
    signed = release("sign", new, "--key", "anna", "--packages", "packages", "--base", old)
    assert signed.status == 0 and "not built again" not in signed.err


def test_a_patch_that_leads_elsewhere_is_told() -> None:
    base, new = application(OLD), application(NEW)
    patch, longer = delta.make(base, new), delta.make(base, new + bytes(1))
    for wrong, why in ((patch[:-1], "it ends too early"), (longer, "for an image of")):
        with pytest.raises(folder.BoardError, match=why):
            delta.check(base, wrong, new)
    with pytest.raises(folder.BoardError, match="another image comes out"):
        delta.check(base, patch, new[:-1] + b"!")
    with pytest.raises(folder.BoardError, match=r"a delta from .* has 1\d\d bytes, the whole 100"):
        delta.make(base, random.Random(2).randbytes(100))
