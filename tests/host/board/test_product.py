"""`python3 -m tools product`, and who reads what it writes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from documents import CLAIM, CLAIM_KEY, OWN_KEY, ROOT, claim
from iot import config

from tests.host.board.support import run_verb
from tools.board import document
from tools.board.errors import BoardError
from tools.cloud import Cloud

HOST = "192.168.1.20"


@pytest.fixture
def pem(tmp_path: Path) -> list[str]:
    """The options that name what a product is made of."""
    files = {"root": ROOT, "claim": CLAIM, "key": CLAIM_KEY}
    for name, text in files.items():
        (tmp_path / name).write_text("Made by openssl\n" + text)  # a name without a dot, and text beside it
    root, certificate, key = (str(tmp_path / name) for name in files)
    return ["--endpoint", HOST, "--root", root, "--template", "Fleet", "--claim", certificate, key]


def product(file: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(file.read_text())
    return made


async def test_of_options(tmp_path: Path, pem: list[str]) -> None:
    out = tmp_path / "product.json"
    done = await run_verb("product", str(out), *pem, "--port", "8884", "--parameter", "SerialNumber=x-{id}")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"{out}: devices will call {HOST}",
        f"next: python3 -m tools phone --product {out}",
    ]
    assert os.stat(out).st_mode & 0o777 == 0o600
    assert [*tmp_path.glob("*.pem")] == []  # it is one file, for a web server or a phone
    made = product(out)
    assert [*made] == ["aws"]
    assert made["aws"]["port"] == 8884 and made["aws"]["parameters"] == {"SerialNumber": "x-{id}"}
    assert made["aws"]["claim_key"].startswith("-----BEGIN")
    config.validate({**made, "wifi": [{"ssid": "any"}]})  # as the device does with what the page sends


async def test_of_a_configuration(tmp_path: Path) -> None:
    async with Cloud(tmp_path / "cloud", hosts=("localhost", HOST)) as cloud:
        made = cloud.device_configuration([{"ssid": "Home", "password": "correct horse"}], HOST)
    document.save(tmp_path / "board.json", {**made, "app": {"every_s": 10}})
    out = tmp_path / "product.json"
    done = await run_verb("product", str(out), "--from", str(tmp_path / "board.json"))
    assert (done.status, done.err) == (0, "")
    assert "correct horse" not in out.read_text()
    assert product(out)["app"] == {"every_s": 10}
    assert document.load_product(out) == document.load_product(tmp_path / "board.json")


async def test_of_another_cloud_s_configuration_whose_certificate_and_key_are_files(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(ROOT)
    (tmp_path / "lamp.pem").write_text(claim()["aws"]["claim_key"])
    section = {"project": "p", "location": "l", "registry": "r", "root_ca": "root.pem", "key": "lamp.pem"}
    board, out, again = (tmp_path / name for name in ("board.json", "product.json", "again.json"))
    board.write_text(json.dumps({"wifi": [{"ssid": "Home"}], "clearblade": section}))
    done = await run_verb("product", str(out), "--from", str(board))
    assert (done.status, done.err) == (0, "")
    assert "devices will call us-central1-mqtt.clearblade.com\n" in done.out
    assert [*product(out)] == ["clearblade"] and product(out)["clearblade"]["key"].startswith("-----BEGIN")
    done = await run_verb("configure", "--check", str(out), "--wifi", "Home:correct horse")
    assert (done.status, done.out) == (0, f"{out}: valid\n")
    document.save(again, document.load(board))
    assert document.load(again) == document.load(board) and "BEGIN" not in again.read_text()
    (tmp_path / "lamp.pem").unlink()
    done = await run_verb("configure", "--check", str(board))
    assert done.status == 1 and f"{board}: clearblade.key: {tmp_path / 'lamp.pem'}" in done.err


async def test_whoever_configures_names_the_network(tmp_path: Path, pem: list[str]) -> None:
    out = tmp_path / "product.json"
    assert (await run_verb("product", str(out), *pem)).status == 0
    done = await run_verb("configure", "--check", str(out))
    assert (
        done.status == 1 and "wifi: missing\nName the network there, or by --wifi SSID:PASSWORD." in done.err
    )
    networks = ("--wifi", "Home:correct horse", "--wifi", "Open:")
    done = await run_verb("configure", "--check", str(out), *networks)
    assert (done.status, done.out) == (0, f"{out}: valid\n")
    given = [document.network(text) for text in networks[1::2]]
    assert document.load(out, given)["wifi"] == given
    done = await run_verb("configure", "--check", str(out), "--wifi", "Home:short")
    assert done.status == 1 and "wifi[0].password: 8 to 64 bytes" in done.err and "short" not in done.err
    done = await run_verb("configure", "--check", str(out), "--wifi", "Home")
    assert done.status == 2 and "must be SSID:PASSWORD" in done.err


async def test_an_address_that_no_device_reaches(tmp_path: Path, pem: list[str]) -> None:
    out = tmp_path / "product.json"
    for endpoint in ("localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3"):
        done = await run_verb("product", str(out), *["--endpoint", endpoint, *pem[2:]])
        assert done.status == 0, done.err
        assert f"warning: aws.endpoint: {endpoint} is the device itself" in done.err and "--host" in done.err
    for endpoint in (HOST, "localhost.example.com", "mylocalhost", "127.example.com"):
        assert document.product_warnings({"aws": claim()["aws"] | {"endpoint": endpoint}}) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give --from FILE, or also --endpoint, --root, --template, --claim"),
        (["--endpoint", HOST, "--template", "Fleet"], "or also --root, --claim"),
        (["--from", "board.json", "--endpoint", HOST], "leave out --endpoint"),
        (["--from", "board.json", "--port", "1"], "leave out --port"),
        (["--from", "board.json", "--parameter", "a=b"], "leave out --parameter"),
        (["--parameter", "a"], "must be NAME=VALUE"),
        (["--claim", "only.pem"], "expected 2 arguments"),
    ],
)
async def test_wrong_arguments(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    out = tmp_path / "product.json"
    done = await run_verb("product", str(out), *arguments)
    assert done.status == 2 and complaint in done.err and not out.exists()


@pytest.mark.parametrize(
    ("option", "file", "complaint"),
    [
        ("--root", CLAIM_KEY, "aws.root_ca: no certificate, but an ec private key"),
        ("--root", None, "no such file"),
        ("--key", OWN_KEY, "aws.claim_key: not the key of the certificate"),
        ("--key", "", "aws.claim_key: "),
    ],
)
async def test_what_can_never_work_is_refused(
    tmp_path: Path, pem: list[str], option: str, file: str | None, complaint: str
) -> None:
    wrong = tmp_path / "wrong.pem"
    if file is not None:
        wrong.write_text(file)
    pem[-1 if option == "--key" else 3] = str(wrong)
    out = tmp_path / "product.json"
    out.write_text("the old one")
    done = await run_verb("product", str(out), *pem)
    assert done.status == 1 and complaint in done.err and "PRIVATE KEY-" not in done.err
    assert out.read_text() == "the old one"


async def test_a_place_that_cannot_be_written(tmp_path: Path, pem: list[str]) -> None:
    done = await run_verb("product", str(tmp_path / "none/product.json"), *pem)
    assert done.status == 1 and "product.json: cannot be written" in done.err


def test_a_configuration_is_wrong_where_its_networks_are(tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    file.write_text(json.dumps({**claim(), "wifi": [{"ssid": ""}]}))
    with pytest.raises(BoardError, match=r"wifi\[0\].ssid"):
        document.load_product(file)
