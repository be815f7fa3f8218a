"""Manifests, roots and signatures as a computer writes and reads them, held to docs/updates.md."""

import base64
import dataclasses
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from iot.crypto import p256  # the device's own

from tools.board.errors import BoardError
from tools.release import manifest, roots, signatures
from tools.release.keys import public_of
from tools.release.manifest import BLOCK_BYTES, FormError, Manifest
from tools.release.roots import Root, key_id
from tools.release.signatures import Signature, standing

PAGE = (Path(__file__).parents[3] / "docs/updates.md").read_text("utf-8")
EXAMPLE, *_ = (block.encode() for block in re.findall(r"(?ms)^```\n(.*?)^```", PAGE))
PRIVATE = [ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 22, 33)]
KEYS = tuple(public_of(key.public_key()) for key in PRIVATE)
ROOT = Root("esp32-iot", 1, 2, KEYS)
IMAGE = dataclasses.replace(
    manifest.read(EXAMPLE),
    kind="image",
    boards=("A board with ESP32", "Another with ESP32"),
    micropython="",
    mpy="",
    size=2 * 32 + BLOCK_BYTES + 1,
    blocks=(2, "ab" * 32),
)


def test_the_example_of_the_page_is_one() -> None:
    found = manifest.read(EXAMPLE)
    assert (found.product, found.kind, found.version, found.counter) == ("esp32-iot", "app", "1.4.0", 7)
    assert found.expires == datetime(2027, 6, 1, tzinfo=UTC)
    assert found.boards == ("Generic ESP32 module with ESP32",) and found.chip == "ESP32"
    assert (found.micropython, found.mpy, found.size) == ("1.25.0", "6", 97311)
    assert found.text() == EXAMPLE


def test_an_image_has_other_lines() -> None:
    text = IMAGE.text()
    assert manifest.read(text) == IMAGE
    names = [line.split()[0] for line in text.decode().splitlines()]
    assert names[6:] == ["chip", "board", "board", "size", "sha256", "blocks"]


def test_the_largest_are_those_of_the_page() -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith("| `size`")]
    assert [int(number.replace(",", "")) for number in re.findall(r"[\d,]{6,}", line)] == [
        *manifest.LARGEST.values()
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"product": "a lamp"}, "product"),
        ({"product": ""}, "product"),
        ({"product": "x" * 33}, "product"),
        ({"kind": "archive"}, "kind"),
        ({"version": "1.4.0\nsize 1"}, "version"),
        ({"counter": -1}, "counter"),
        ({"counter": 1 << 31}, "counter"),
        ({"chip": "ESP32\n"}, "chip"),
        ({"boards": tuple(f"board {n}" for n in range(9))}, "board"),
        ({"boards": ("x" * 2000,)}, "bytes"),
        ({"micropython": "1.25"}, "micropython"),
        ({"micropython": "1.025.0"}, "micropython"),
        ({"size": 0}, "size"),
        ({"size": 196_609}, "size"),
        ({"sha256": "AB" * 32}, "sha256"),
        ({"blocks": (1, "ab" * 32)}, "blocks"),
        ({"boards": ("Bœrd",)}, "board"),
    ],
)
def test_what_no_manifest_can_say(change: dict[str, object], told: str) -> None:
    with pytest.raises(FormError, match=told):
        dataclasses.replace(manifest.read(EXAMPLE), **change).text()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"boards": ()},
        {"blocks": None},
        {"blocks": (1, "ab" * 32)},
        {"blocks": (3, "ab" * 32)},
        {"size": 2 * 32 + BLOCK_BYTES},
        {"size": 4 * 1024 * 1024 + 1},
    ],
)
def test_what_no_manifest_of_an_image_can_say(change: dict[str, object]) -> None:
    with pytest.raises(FormError, match=r"board|blocks|size"):
        dataclasses.replace(IMAGE, **change).text()  # type: ignore[arg-type]


def refused(text: bytes, read: Callable[[bytes], object] = manifest.read) -> str:
    with pytest.raises(FormError) as error:
        read(text)
    return str(error.value)


LINES = EXAMPLE.splitlines(keepends=True)


@pytest.mark.parametrize("number", range(len(LINES)))
def test_a_line_dropped_doubled_or_changed_for_the_next(number: int) -> None:
    name = LINES[number].split()[0].decode()
    if name != "board":  # of which there may be none, and several
        dropped = refused(b"".join(LINES[:number] + LINES[number + 1 :]))
        assert f"{name}: this line must come" in dropped
        assert (
            "must come" in refused(b"".join(LINES[: number + 1] + LINES[number:])) or number == len(LINES) - 1
        )
    if number + 1 < len(LINES):
        swapped = [*LINES[:number], LINES[number + 1], LINES[number], *LINES[number + 2 :]]
        refused(b"".join(swapped))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        EXAMPLE[:-1],
        EXAMPLE + b"\n",
        EXAMPLE + b"more 1\n",
        b"\n" + EXAMPLE,
        EXAMPLE.replace(b"\n", b"\r\n"),
        EXAMPLE.replace(b"kind app", b"kind  app"),
        EXAMPLE.replace(b"kind app", b"kind app "),
        EXAMPLE.replace(b"kind app", b"kind"),
        EXAMPLE.replace(b"counter 7", b"counter 07"),
        EXAMPLE.replace(b"counter 7", b"counter +7"),
        EXAMPLE.replace(b"counter 7", b"counter 7_0"),
        EXAMPLE.replace(b"iot-update 1", b"iot-update 2"),
        EXAMPLE.replace(b"2027-06-01", b"2027-02-29"),
        EXAMPLE.replace(b"2027-06-01", b"2027-6-01"),
        EXAMPLE.replace(b"T00:", b"T24:"),
        EXAMPLE.replace(b"Z\n", b"+00:00\n"),
        EXAMPLE.replace(b"kind app", b"kind image"),
        EXAMPLE.replace(b"1.4.0", "1.4.\N{ARABIC-INDIC DIGIT ZERO}".encode()),
    ],
)
def test_what_is_not_written_as_a_manifest(text: bytes) -> None:
    refused(text)


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(1, 255))
def test_any_byte_that_is_changed_is_seen(at: int, change: int) -> None:
    other = bytearray(EXAMPLE)
    other[at] ^= change
    try:
        found = manifest.read(bytes(other))
    except FormError:
        return
    assert found != manifest.read(EXAMPLE) and found.text() == other


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    for read in (manifest.read, roots.read):
        with pytest.raises(FormError):
            read(text)
        with pytest.raises(FormError):
            read(EXAMPLE[:30] + text)


WORD = st.text("abcXYZ019._-", min_size=1, max_size=32)
MANIFESTS = st.builds(
    Manifest,
    product=WORD,
    kind=st.just("app"),
    version=WORD,
    counter=st.integers(0, (1 << 31) - 1),
    expires=st.datetimes(timezones=st.just(UTC)).map(lambda it: it.replace(microsecond=0)),
    chip=st.just("ESP32"),
    boards=st.lists(WORD, max_size=8).map(tuple),
    size=st.integers(1, 196_608),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    micropython=st.tuples(*[st.integers(0, 99)] * 3).map(lambda it: ".".join(map(str, it))),
    mpy=st.sampled_from(("6", "6 xtensawin")),
)


@given(MANIFESTS)
def test_what_is_written_is_read(one: Manifest) -> None:
    assert manifest.read(one.text()) == one


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    there = datetime.fromisoformat("2027-06-01T02:00:00+02:00")
    assert dataclasses.replace(manifest.read(EXAMPLE), expires=there).text() == EXAMPLE
    assert manifest.read(EXAMPLE).expires.utcoffset() == timedelta(0)


def test_a_root() -> None:
    text = ROOT.text()
    assert roots.read(text) == ROOT
    assert text.startswith(b"iot-root 1\nproduct esp32-iot\nversion 1\nthreshold 2\nkey B")
    assert ROOT.ids == [hashlib.sha256(key).hexdigest()[:8] for key in KEYS]


FIRST = base64.b64encode(KEYS[0])


@pytest.mark.parametrize(
    "text",
    [
        ROOT.text().replace(b"version 1", b"version 0"),
        ROOT.text().replace(b"version 1", b"version 2147483648"),
        ROOT.text().replace(b"threshold 2", b"threshold 0"),
        ROOT.text().replace(b"threshold 2", b"threshold 4"),
        ROOT.text() + b"key " + FIRST + b"\n",
        ROOT.text().replace(FIRST, FIRST[:-1]),
        ROOT.text().replace(FIRST, FIRST[:-2] + b"==="),
        ROOT.text().replace(FIRST, base64.b64encode(KEYS[0][:-1] + b"\0")),
        ROOT.text().replace(FIRST, base64.b64encode(b"\x02" + KEYS[0][1:33])),
        ROOT.text().replace(b"iot-root", b"iot-boot"),
        ROOT.text()[:-1],
        ROOT.text() + b"\n",
        b"iot-root 1\nproduct esp32-iot\nversion 1\nthreshold 1\n",
        EXAMPLE,
    ],
)
def test_what_is_no_root(text: bytes) -> None:
    refused(text, roots.read)


def test_a_root_has_at_most_five_keys() -> None:
    keys = tuple(public_of(ec.derive_private_key(n, ec.SECP256R1()).public_key()) for n in range(1, 7))
    assert roots.read(Root("p", 1, 5, keys[:5]).text()).keys == keys[:5]
    with pytest.raises(FormError, match="1 to 5"):
        Root("p", 1, 5, keys).text()


def test_a_root_in_a_module_is_read_without_running_it(tmp_path: Path) -> None:
    file = tmp_path / "update_root.py"
    roots.save(file, ROOT)
    assert roots.load(file) == ROOT
    namespace: dict[str, str] = {}
    exec(file.read_text(), namespace)
    assert namespace["ROOT"].encode() == ROOT.text(), "a device would take another"
    file.write_text(file.read_text() + "raise SystemExit\n")
    assert roots.load(file) == ROOT
    for text in ("", "ROOT = 7\n", "ROOT = (\n", 'ROOT = "iot-root 1\\n"\n'):
        file.write_text(text)
        with pytest.raises(BoardError, match=r"update_root\.py: no root"):
            roots.load(file)
    with pytest.raises(BoardError, match="this product has no root"):
        roots.load(tmp_path / "none.py")


def signed(number: int, text: bytes) -> Signature:
    der = PRIVATE[number].sign(text, ec.ECDSA(hashes.SHA256()))
    return Signature(key_id(KEYS[number]), der)


def test_a_signature_as_text() -> None:
    one = signed(0, EXAMPLE)
    assert re.fullmatch(r"[0-9a-f]{8}:[A-Za-z0-9+/]+=*", str(one))
    assert signatures.read([str(one)]) == [one]
    for line in (
        "",
        "x",
        f"{one} ",
        str(one)[1:],
        str(one).rstrip("=")[:-1],
        f"{one.key_id}:",
        f"{one}\n{one}",
    ):
        with pytest.raises(FormError, match="signature 1"):
            signatures.read([line])
    with pytest.raises(FormError, match="11 signatures"):
        signatures.read([str(one)] * 11)


def test_who_counts() -> None:
    stranger = Signature(key_id(KEYS[1]), signed(0, EXAMPLE).der)
    assert standing(ROOT, EXAMPLE, []).good == []
    assert standing(ROOT, EXAMPLE, [signed(0, EXAMPLE), signed(0, EXAMPLE)]).good == [ROOT.ids[0]]
    assert standing(ROOT, EXAMPLE, [signed(0, EXAMPLE), stranger]).good == [ROOT.ids[0]]
    assert standing(ROOT, EXAMPLE, [signed(0, EXAMPLE + b"\n")]).good == []
    assert standing(ROOT, EXAMPLE, [Signature(ROOT.ids[0], b"no DER")]).good == []
    both = standing(ROOT, EXAMPLE, [signed(2, EXAMPLE), signed(0, EXAMPLE)])
    assert both.good == [ROOT.ids[0], ROOT.ids[2]] and both.missing == [ROOT.ids[1]] and both.is_complete
    one = standing(ROOT, EXAMPLE, [signed(1, EXAMPLE)])
    assert not one.is_complete
    assert str(one) == f"1 of 2 signatures; missing: 1 of {ROOT.ids[0]}, {ROOT.ids[2]}"


async def test_the_device_takes_the_signatures() -> None:
    digest = hashlib.sha256(EXAMPLE).digest()
    assert await p256.verify(KEYS[0], digest, signed(0, EXAMPLE).der)
    assert not await p256.verify(KEYS[0], digest, signed(1, EXAMPLE).der)
