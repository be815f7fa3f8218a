"""`release keygen`, and the keys that sign."""

import base64
import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.release.conftest import SECRET, Run
from tests.patience import PATIENCE_S
from tools.board.errors import BoardError
from tools.release.keys import PASSPHRASE, Keys, public_of
from tools.release.roots import key_id

ROOT = Path(__file__).parents[3]
_600_000 = bytes.fromhex("02030927c0")  # as DER has it


def opened(file: str, passphrase: str = SECRET) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(Path(file).read_bytes(), passphrase.encode())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def test_a_new_key(release: Run) -> None:
    os.umask(old := os.umask(0))
    done = release("keygen", "anna.pem", "--json")
    os.umask(old)
    public = public_of(opened("anna.pem").public_key())
    assert done.value["id"] == key_id(public) and base64.b64decode(done.value["key"]) == public
    assert stat.S_IMODE(Path("anna.pem").stat().st_mode) == 0o600
    assert (
        Keys().public("anna.pem.pub")
        == Keys().public("anna.pem")
        == Keys().public(done.value["key"])
        == public
    )
    assert SECRET not in done.out + done.err
    der = base64.b64decode("".join(Path("anna.pem").read_text().splitlines()[1:-1]))
    assert _600_000 in der, "a passphrase is guessed faster"


def test_no_key_is_overwritten(release: Run) -> None:
    release("keygen", "anna.pem")
    before = Path("anna.pem").read_bytes()
    done = release("keygen", "anna.pem", "--json")
    assert done.status == 1 and "anna.pem: is there already" in done.failure["text"]
    Path("ben.pem.pub").write_text("mine")
    assert release("keygen", "ben.pem").status == 1 and not Path("ben.pem").exists()
    Path("carla.pem").symlink_to("nowhere")
    assert release("keygen", "carla.pem").status == 1
    assert Path("anna.pem").read_bytes() == before and not Path("nowhere").exists()


def test_a_place_that_cannot_be_written(release: Run) -> None:
    assert (
        "no/such/folder/key: cannot be written"
        in release("keygen", "no/such/folder/key", "--json").failure["text"]
    )


def test_the_passphrase(release: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "short")
    assert "5 characters: at least 12" in release("keygen", "anna", "--json").failure["text"]
    monkeypatch.delenv(PASSPHRASE)
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    done = release("keygen", "anna", "--json")
    assert done.status == 1 and "no terminal" in done.failure["text"] and PASSPHRASE in done.failure["remedy"]
    assert not Path("anna").exists()


def test_a_wrong_passphrase(release: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    release("keygen", "anna")
    monkeypatch.setenv(PASSPHRASE, "another one that is wrong")
    with pytest.raises(BoardError, match="anna: does not open"):
        Keys().signer("anna")


def typed(folder: Path, *answers: str) -> tuple[int, str]:
    """`release keygen anna` at a terminal on which these are typed, one for each question."""
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "tools", "release", "keygen", str(folder / "anna")]
    environment = {name: value for name, value in os.environ.items() if name != PASSPHRASE}
    options = {"cwd": ROOT, "env": environment, "start_new_session": True}
    waiting, shown = list(answers), b""
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, **options) as process:  # type: ignore[call-overload]
        os.close(end)
        while data := read(terminal):
            shown += data
            if waiting and shown.endswith(b": "):
                os.write(terminal, waiting.pop(0).encode() + b"\n")
                shown += b"\n"
        status = process.wait(PATIENCE_S)
    os.close(terminal)
    return status, shown.decode()


def read(terminal: int) -> bytes:
    """What is shown next; nothing where its program has ended."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_it_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    status, shown = typed(tmp_path, SECRET, SECRET)
    assert status == 0 and SECRET not in shown and "Once more: " in shown
    assert key_id(public_of(opened(str(tmp_path / "anna")).public_key())) in shown


def test_two_that_differ(tmp_path: Path) -> None:
    status, shown = typed(tmp_path, SECRET, SECRET + "!")
    assert status == 1 and "the two passphrases differ" in shown
    assert not list(tmp_path.iterdir())


def test_what_is_no_key(release: Run, tmp_path: Path) -> None:
    p384 = ec.generate_private_key(ec.SECP384R1())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "p384").write_bytes(p384.private_bytes(*plain))
    (tmp_path / "text").write_text("a key, they said\n")
    pem = serialization.Encoding.PEM
    public = p384.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "p384.pub").write_bytes(public)
    for name in ("p384", "p384.pub", "text", "none", "Zm9v"):
        with pytest.raises(BoardError, match=f"^{name}: "):
            Keys().public(name)
    release("keygen", "anna")
    for name in ("p384", "text", "none", "anna.pub", "pkcs11:token=anna"):
        with pytest.raises(BoardError, match=f"^{name}: "):
            Keys().signer(name)


def test_a_signature_is_the_same_again(release: Run) -> None:
    release("keygen", "anna")
    signer = Keys().signer("anna")
    assert signer.sign(b"text") == signer.sign(b"text") != signer.sign(b"texts")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_openssl_opens_it(release: Run) -> None:
    release("keygen", "anna")
    command = ["openssl", "pkey", "-in", "anna", "-passin", f"env:{PASSPHRASE}", "-pubout"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert done.stdout == Path("anna.pub").read_text()
