"""Properties of manifests and roots: only what was signed gets through, all else is refused by ValueError.

`cryptography` makes keys and signatures and says how they stand: an independent judge.
"""

import base64
import re
from typing import Any

import pytest
from check import araises
from hypothesis import given, settings
from hypothesis import strategies as st
from iot.ota import forms, verify
from updates import APP, BOARD, COUNTER, IMAGE, LISTED, NOW, PRODUCT, SHA256, Python, root_text, text

from tests.signers import Signer, root_of

# All that a form that is wrong is called, by the line; a value of one that is not signed never.
FORM = re.compile(
    r"(iot-update|product|kind|version|counter|expires|chip|board|micropython|mpy|size|sha256|blocks|iot-root|"
    r"threshold|key|end|text): not as it has to be|"
    r"not lines of ASCII, of \d+ bytes at the most \(endless data\)"
)


KEYS = [Signer() for _ in range(5)]
ROOT = forms.root(root_of(PRODUCT, KEYS[:3], 2), PRODUCT)
texts = st.sampled_from([text(), text(IMAGE), text(board=None), root_text()])


async def judged(manifest: Any, signatures: Any, root: Any = ROOT) -> Any:
    return await verify.manifest(manifest, signatures, root, COUNTER, NOW, Python())


def read(what: Any) -> dict[str, Any]:
    return forms.root(what, PRODUCT) if str(what).startswith("iot-root") else forms.manifest(what)


def refused_by_its_form(what: Any) -> str:
    """Why; anything else than a refusal by the name of a line fails."""
    with pytest.raises(ValueError) as caught:
        read(what)
    assert FORM.fullmatch(str(caught.value)), caught.value
    return str(caught.value)


def formatted(found: dict[str, Any]) -> str:
    """What was read, written by another."""
    names = [*dict(IMAGE if found["kind"] == "image" else APP)]
    lines = []
    for name in names:
        value = found[name]
        values = value if name == "board" else [".".join(map(str, value)) if name == "micropython" else value]
        lines += [f"{name} {one}\n" for one in values]
    return "".join(lines)


words = st.text("abcXYZ019._-", min_size=1, max_size=32)
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
times = st.datetimes().map(lambda time: time.strftime("%Y").zfill(4) + time.strftime("-%m-%dT%H:%M:%SZ"))
common = {
    "iot-update": st.just("1"),
    "product": words,
    "version": st.text("abcXYZ019._+-", min_size=1, max_size=32),
    "counter": st.integers(0, 2**31 - 1).map(str),
    "expires": times,
    "chip": printable,
    "sha256": st.binary(min_size=32, max_size=32).map(bytes.hex),
}
apps = st.fixed_dictionaries(
    {
        **common,
        "kind": st.just("app"),
        "board": st.lists(printable, max_size=8),
        "micropython": st.tuples(*[st.integers(0, 300)] * 3).map(lambda three: ".".join(map(str, three))),
        "mpy": st.sampled_from(["6", "6 xtensawin", "7"]),
        "size": st.integers(1, 196608).map(str),
    }
)


def image(blocks: int, last: int, rest: dict[str, Any]) -> dict[str, Any]:
    size = (blocks - 1) * (65536 + 32) + 32 + last
    return {**rest, "size": f"{size}", "blocks": f"{blocks} {LISTED}"}


images = st.builds(
    image,
    st.integers(1, 63),
    st.integers(1, 65536),
    st.fixed_dictionaries(
        {**common, "kind": st.just("image"), "board": st.lists(printable, min_size=1, max_size=8)}
    ),
)


def lines_of(values: dict[str, Any]) -> list[str]:
    names = dict(IMAGE if values["kind"] == "image" else APP)
    found: list[str] = []
    for name in names:
        found += [f"{name} {one}\n" for one in (values[name] if name == "board" else [values[name]])]
    return found


@given(apps | images)
def test_what_has_the_form_is_read_as_it_stands(values: dict[str, Any]) -> None:
    whole = "".join(lines_of(values))
    found = forms.manifest(whole)
    assert found["text"] == whole.encode()
    assert formatted(found) == whole


@given(apps | images, st.data())
def test_a_line_dropped_doubled_or_swapped_is_refused(values: dict[str, Any], data: st.DataObject) -> None:
    lines = lines_of(values)
    places = [at for at, line in enumerate(lines) if not line.startswith("board ")]
    at = data.draw(st.sampled_from(places))
    refused_by_its_form("".join(lines[:at] + lines[at + 1 :]))
    refused_by_its_form("".join(lines[: at + 1] + lines[at:]))
    other = data.draw(st.sampled_from([place for place in places if lines[place] != lines[at]]))
    lines[at], lines[other] = lines[other], lines[at]
    refused_by_its_form("".join(lines))


@given(
    st.text()
    | st.text("iot-updaekncs 019.\n")
    | st.none()
    | st.integers()
    | st.binary()
    | st.lists(st.text())
)
def test_whatever_comes_is_refused(what: Any) -> None:
    refused_by_its_form(what)


@given(st.text("key 0123456789\nabcdef=/+", max_size=1200))
def test_whatever_follows_the_start_of_a_root_is_refused(rest: str) -> None:
    refused_by_its_form("iot-root 1\nproduct " + PRODUCT + "\nversion 1\nthreshold 1\n" + rest)


@given(texts, st.data())
def test_a_changed_byte_is_never_read_as_what_was_signed(whole: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    character = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda other: other != whole[at]))
    changed = whole[:at] + character + whole[at + 1 :]
    try:
        found = read(changed)
    except ValueError as error:
        assert FORM.fullmatch(str(error)), error
    else:
        assert found["text"] == changed.encode() != whole.encode()


@given(st.sampled_from([text(), text(IMAGE)]), st.data())
@settings(max_examples=40)
async def test_a_changed_byte_is_refused_though_it_has_the_form(whole: str, data: st.DataObject) -> None:
    """Those changes that the form allows, and every other, with the signatures of what it was before."""
    signatures = [key.sign(whole) for key in KEYS[:3]]
    at = data.draw(st.integers(0, len(whole) - 1))
    character = data.draw(st.sampled_from("0123456789abcdefx.- \n").filter(lambda other: other != whole[at]))
    changed = whole[:at] + character + whole[at + 1 :]
    error = await araises(ValueError, "", judged(changed, signatures))
    assert (
        FORM.fullmatch(str(error))
        or str(error) == "0 of 2 signatures by root 1, 0 by others (arbitrary software)"
    )
    assert await judged(whole, signatures)


@given(
    st.lists(st.integers(0, 4), max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.integers(1, 3),
)
@settings(max_examples=40)
async def test_the_threshold_is_that_of_the_independent_judge(
    signers: list[int], is_good: list[bool], threshold: int
) -> None:
    """Any signatures, of members and strangers, good and bad, in any order."""
    root = forms.root(root_of(PRODUCT, KEYS[:3], threshold), PRODUCT)
    signed = [text() if good else text(version="other") for good in is_good]
    signatures = [KEYS[at].sign(what) for at, what in zip(signers, signed, strict=False)]
    count = sum(any(key.has_signed(text(), one) for one in signatures[:10]) for key in KEYS[:3])
    if count >= threshold:
        assert await judged(text(), signatures, root)
    else:
        attack = "keys below the threshold" if count else "arbitrary software"
        others = r"\d+ by others"
        error = await araises(ValueError, attack, judged(text(), signatures, root))
        assert re.fullmatch(
            rf"{count} of {threshold} signatures by root 1, {others} \({attack}\)", str(error)
        )


@given(st.binary(max_size=80) | st.binary(min_size=60, max_size=60))
@settings(max_examples=40)
async def test_any_bytes_as_a_signature_are_none(der: bytes) -> None:
    signature = f"{KEYS[0].name}:{base64.b64encode(der).decode()}"
    await araises(ValueError, "0 of 2 signatures", judged(text(), [signature, "junk"]))


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=12)))
async def test_whatever_comes_in_place_of_signatures_is_refused(signatures: Any) -> None:
    await araises(ValueError, "signatures", judged(text(), signatures))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=30)
async def test_a_root_needs_the_threshold_of_both(
    old: int, new: int, old_signed: int, new_signed: int
) -> None:
    """Of two roots without a key in common, as `cryptography` has signed them."""
    root = forms.root(root_of(PRODUCT, KEYS[:old], max(1, old - 1)), PRODUCT)
    keys = [Signer() for _ in range(new)]
    following = root_of(PRODUCT, keys, max(1, new - 1), 2)
    signatures = [key.sign(following) for key in KEYS[:old][:old_signed] + keys[:new_signed]]
    is_enough = min(old_signed, old) >= max(1, old - 1) and min(new_signed, new) >= max(1, new - 1)
    if is_enough:
        found = await verify.next_root(following, signatures, root)
        assert set(found["keys"]) == {key.name for key in keys}
        assert await judged(text(), [key.sign(text()) for key in keys], found)
    else:
        await araises(ValueError, " signatures by root ", verify.next_root(following, signatures, root))


async def test_the_keys_of_a_root_that_was_replaced_are_worth_nothing() -> None:
    following = root_of(PRODUCT, KEYS[2:], 2, 2)
    found = await verify.next_root(following, [key.sign(following) for key in KEYS], ROOT)
    await araises(
        ValueError,
        "0 of 2 signatures by root 2",
        judged(text(), [key.sign(text()) for key in KEYS[:2]], found),
    )
    assert await judged(text(), [key.sign(text()) for key in KEYS[3:]], found)


def test_the_names_of_keys_are_as_others_make_them() -> None:
    for key in KEYS[:3]:
        assert ROOT["keys"][key.name] == key.public
    assert len(SHA256) == 64 and BOARD.endswith("ESP32")
