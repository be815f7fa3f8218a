"""What the page says of certificates, keys and endpoints, against what a computer says of the same ones."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from documents import CLAIM, CLAIM_KEY, OWN_KEY, ROOT, claim, own
from documents import pem as wrapping
from iot import config

from tests.host import certificates as make
from tests.host.board.test_trust import ATS, amazons
from tools.board import document
from tools.board.errors import BoardError
from tools.board.trust import AMAZON_ROOTS

PAGE = Path(document.__file__).parents[1] / "phone/page/certificates.js"
PAST = datetime(2026, 6, 1, tzinfo=UTC)
SCRIPT = f"""
import fs from "node:fs";
import {{ AMAZON_ROOTS, looked }} from {json.dumps(PAGE.as_uri())};
const results = [];
for (const aws of JSON.parse(fs.readFileSync(0, "utf-8"))) {{
  try {{
    results.push({{ aws: await looked(aws) }});
  }} catch (error) {{
    results.push({{ member: error.member, text: error.message }});
  }}
}}
console.log(JSON.stringify({{ roots: AMAZON_ROOTS, results }}));
"""


def asked(sections: list[dict[str, Any]]) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [node, "--input-type=module", "-e", SCRIPT],
        input=json.dumps(sections),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def sections() -> list[dict[str, Any]]:
    """The section `aws` of documents, good ones and bad ones."""
    changes: list[dict[str, Any]] = [
        {},
        {
            "root_ca": "Certificate:\n  Data: é\n"
            + ROOT.replace("\n", " ")
            + "# more\n"
            + CLAIM.replace("\n", "")
        },
        {
            "claim_key": "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
            + CLAIM_KEY
        },
        {"claim_certificate": CLAIM.replace("\n", "\\n"), "claim_key": CLAIM + CLAIM_KEY},
        {"claim_key": OWN_KEY},
        {"claim_key": CLAIM},
        {"claim_key": make.key_pem("2048", password=b"hunter2")},
        {"claim_key": make.key_pem("2048", "PKCS8", b"hunter2")},
        {"claim_key": CLAIM_KEY + OWN_KEY},
        {"claim_key": wrapping("PUBLIC KEY")},
        {"claim_key": "hello"},
        {"claim_key": wrapping("SECRET hunter2")},
        {"claim_certificate": CLAIM + ROOT},
        {"claim_certificate": wrapping("CERTIFICATE REQUEST")},
        {"claim_certificate": wrapping()},
        {"claim_certificate": CLAIM.replace("MIIB", "MIIA")},
        {"claim_certificate": CLAIM[:-40]},
        {"root_ca": wrapping("TRUSTED CERTIFICATE")},
        {"root_ca": ROOT + wrapping("TRUSTED CERTIFICATE")},
        {"root_ca": make.pem(make.certificate("secp256r1", end=PAST))},
        {"root_ca": make.pem(make.certificate("secp256r1", end=PAST)) + ROOT},
        {"root_ca": ROOT, "endpoint": ATS},
        *({"root_ca": root, "endpoint": ATS} for root in amazons()),
        {"root_ca": make.pem(make.certificate("2048", "M01", "Amazon")), "endpoint": ATS},
        {"root_ca": amazons()[0], "endpoint": ATS.replace("-ats", "")},
        {"root_ca": amazons()[0], "endpoint": ATS, "port": 443},
        {"root_ca": make.pem(make.certificate("2048", pss=True))},
    ]
    for kind in ("secp256r1", "secp384r1", "secp521r1", "2048", "3072", "1024", "secp256k1", "ed25519"):
        signed = make.pem(make.certificate(kind, signer="secp256r1"))
        changes.append({"root_ca": ROOT + make.pem(make.certificate(kind))})
        changes.append({"claim_certificate": signed, "claim_key": CLAIM_KEY})
        for form in ("PKCS8",) if kind == "ed25519" else ("PKCS8", "TraditionalOpenSSL"):
            changes.append({"claim_certificate": signed, "claim_key": make.key_pem(kind, form)})
            changes.append({"claim_key": make.key_pem(kind, form)})
    late = make.pem(make.certificate("secp256r1", end=PAST))
    changes.append({"claim_certificate": late, "claim_key": make.key_pem("secp256r1")})
    made = [claim()["aws"] | change for change in changes]
    return [*made, own()["aws"], own()["aws"] | {"key": CLAIM_KEY}, claim()["aws"] | own()["aws"]]


def on_a_computer(aws: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What `python3 -m tools configure --check` says."""
    file = folder / "board.json"
    file.write_text(json.dumps(claim() | {"aws": aws}))
    try:
        return {"aws": document.load(file)["aws"]}
    except BoardError as error:
        place, _, text = error.text.removeprefix(f"{file}: aws.").partition(": ")
        return {"member": place, "text": text}


def test_the_page_and_a_computer_say_the_same(tmp_path: Path) -> None:
    given = sections()
    answer = asked(given)
    assert set(answer["roots"]) == AMAZON_ROOTS
    refused = 0
    for aws, told in zip(given, answer["results"], strict=True):
        expected = on_a_computer(aws, tmp_path)
        assert told.get("member") == expected.get("member"), (told, expected)
        assert told.get("aws") == expected.get("aws")
        if "text" in told:
            refused += 1
            assert "hunter2" not in told["text"]
            words = expected["text"].replace("the chip", "the device").partition(": ")
            shared = {"the", "key", "of", "a", "an", "no", "it"}
            heard = set(told["text"].replace(";", "").split()) - shared
            assert heard & set(" ".join(words).replace(";", "").split()), (told, expected)
        else:
            config.validate(claim() | {"aws": told["aws"]})  # and so does the device
    assert 20 < refused < len(given)
