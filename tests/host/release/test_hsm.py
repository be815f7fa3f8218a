"""Keys in a token that PKCS#11 speaks to, here SoftHSM's: they sign as those in files do."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.release.conftest import Run
from tests.programs import find
from tools.release import hsm
from tools.release.roots import key_id

pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: make setup")
PIN_TEXT = "73501984"
LIBRARIES = [
    Path(folder) / "softhsm/libsofthsm2.so"
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib", "/usr/lib/pkcs11")
]
LIBRARY = next(filter(Path.exists, LIBRARIES), None)
pytestmark = pytest.mark.skipif(
    not LIBRARY or not find("SoftHSM"), reason="SoftHSM is not installed: make packages brings it"
)
KEY = "pkcs11:token=ben%20b;object=release"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token, as softhsm2-util makes it."""
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "conf").write_text(f"directories.tokendir = {folder}\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "conf"))
        init = ("--init-token", "--free", "--label", "ben b", "--so-pin", "12345678", "--pin", PIN_TEXT)
        subprocess.run(["softhsm2-util", *init], check=True, capture_output=True)
        patch.setenv(hsm.MODULE, str(LIBRARY))
        yield


@pytest.fixture
def pin(tokens: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hsm.PIN, PIN_TEXT)


def test_a_key_in_a_token_signs_a_release(release: Run, pin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = release("keygen", KEY, "--json").value
    assert key_id(base64.b64decode(made["key"])) == made["id"] and not list(Path().glob("*.pub"))
    again = release("keygen", KEY, "--json")
    assert again.status == 1 and "is there already" in again.failure["text"]
    monkeypatch.delenv(hsm.PIN)  # a public key is for everybody
    assert release("root", "make", KEY, "--threshold", "1").status == 0
    built = release("build", "--expires", "2999-01-01", "--packages", "packages", "--json").value["folder"]
    asked = release("sign", built, "--key", KEY, "--no-compare", "--json")
    assert (
        asked.status == 1
        and "a PIN is needed" in asked.failure["text"]
        and hsm.PIN in asked.failure["remedy"]
    )
    monkeypatch.setenv(hsm.PIN, PIN_TEXT[::-1])
    wrong = release("sign", built, "--key", KEY, "--no-compare", "--json")
    assert wrong.status == 1 and "locks itself" in wrong.failure["remedy"]
    assert PIN_TEXT[::-1] not in wrong.out + wrong.err
    monkeypatch.setenv(hsm.PIN, PIN_TEXT)
    signed = release("sign", built, "--key", KEY, "--packages", "packages", "--json")
    assert signed.status == 0 and signed.value["complete"] and signed.value["key"] == made["id"]
    assert PIN_TEXT not in signed.out + signed.err


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("pkcs11:token=ben%20b;object=other", "the token has no such key"),
        ("pkcs11:token=anna;object=release", "there is no such token"),
        ("pkcs11:object=release", "names no token"),
        ("pkcs11:token=ben%20b", "names no key"),
        (f"{KEY}?pin-value=1234", "others see"),
        (f"{KEY};color=red", "color: not known"),
        (f"{KEY}?module-path=/etc/passwd", "/etc/passwd"),
    ],
)
def test_what_names_no_key(release: Run, pin: None, name: str, why: str) -> None:
    done = release("root", "make", name, "--threshold", "1", "--json")
    assert done.status == 1 and done.failure["remedy"] and "1234" not in done.failure["text"]
    assert why in done.failure["text"]
