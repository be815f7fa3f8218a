"""Properties of patches: detools makes them, and any other bytes come, too: a ValueError, and no byte beyond.

What is wrong and is not told by the patch itself has another hash: a device compares that of the whole image.
"""

import io
from contextlib import suppress

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from iot.ota.delta import Patch
from patches import CRLE, HEATSHRINK, PLAIN, Image, crle, head, number, part

detools = pytest.importorskip(
    "detools", reason="detools is not installed: make setup, where there is a C++ compiler"
)
PACKINGS = {"none": PLAIN, "crle": CRLE, "heatshrink": HEATSHRINK}
pieces = st.binary(max_size=40) | st.builds(
    lambda byte, count: bytes((byte,)) * count, st.integers(0, 255), st.integers(1, 3000)
)
texts = st.lists(pieces, min_size=1, max_size=12).map(b"".join).filter(bool)
windows = st.sampled_from([(8, 7), (4, 3), (11, 10), (11, 5), (9, 8)])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A base, and an image that has much of it: moved, doubled, dropped, with bytes changed."""
    base = draw(texts)
    found = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(base)))
        kept = bytearray(base[start : draw(st.integers(start, len(base)))])
        for _ in range(draw(st.integers(0, 3))):
            if kept:
                kept[draw(st.integers(0, len(kept) - 1))] = draw(st.integers(0, 255))
        found += [bytes(kept), draw(st.binary(max_size=12))]
    return base, b"".join(found) or b"\0"


def made(base: bytes, new: bytes, packing: str, window: tuple[int, int] = (8, 7)) -> bytes:
    out = io.BytesIO()
    detools.create_patch(
        io.BytesIO(base),
        io.BytesIO(new),
        out,
        compression=packing,
        heatshrink_window_sz2=window[0],
        heatshrink_lookahead_sz2=window[1],
    )
    return out.getvalue()


def patched(base: bytes, size: int, *feeds: bytes) -> bytes:
    """What comes out; ValueError alone where anything is wrong, and by then not a byte too many."""
    image = Image(base)  # which insists on the base's bounds
    patch = Patch(image.read, image.write, len(base), size)
    try:
        for feed in feeds:
            patch.feed(feed)
        patch.finish()
    except ValueError as error:
        assert str(error).startswith("patch: ") and len(image.came) <= size
        raise
    assert len(image.came) == size
    return bytes(image.came)


@given(pairs(), st.sampled_from(list(PACKINGS)), windows, st.data())
def test_what_detools_makes_comes_out_whatever_the_pieces(
    pair: tuple[bytes, bytes], packing: str, window: tuple[int, int], data: st.DataObject
) -> None:
    base, new = pair
    patch = made(base, new, packing, window)
    assert patch[0] == PACKINGS[packing]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(patch)), max_size=8)))
    feeds = [patch[start:end] for start, end in zip([0, *cuts], [*cuts, len(patch)], strict=True)]
    assert patched(base, len(new), *feeds) == new
    assert patched(base, len(new), *(bytes((byte,)) for byte in patch)) == new


@given(pairs(), st.sampled_from(list(PACKINGS)), windows)
@settings(max_examples=30)
def test_every_patch_that_is_cut_off_is_refused(
    pair: tuple[bytes, bytes], packing: str, window: tuple[int, int]
) -> None:
    base, new = pair
    patch = made(base, new[:300], packing, window)
    for end in range(len(patch)):
        with pytest.raises(ValueError, match=r"it ends too early, behind \d+ bytes of it"):
            patched(base, len(new[:300]), patch[:end])


@given(pairs(), st.sampled_from(list(PACKINGS)), windows)
@settings(max_examples=30)
def test_every_bit_that_is_turned_is_refused_or_makes_another_image(
    pair: tuple[bytes, bytes], packing: str, window: tuple[int, int]
) -> None:
    """Of a short patch each; some say the same in other words, as the bits behind heatshrink's last."""
    base, new = pair[0][:2000], pair[1][:300]
    patch = bytearray(made(base, new, packing, window))
    for at in range(8 * min(len(patch), 400)):
        patch[at // 8] ^= 1 << at % 8
        with suppress(ValueError):  # anything else fails
            patched(base, len(new), bytes(patch))
        patch[at // 8] ^= 1 << at % 8
    assert patched(base, len(new), bytes(patch)) == new


@given(pairs(), st.sampled_from(list(PACKINGS)), st.binary(min_size=1, max_size=20))
def test_more_behind_it_is_refused(pair: tuple[bytes, bytes], packing: str, more: bytes) -> None:
    base, new = pair
    with pytest.raises(ValueError, match="patch: "):
        patched(base, len(new), made(base, new, packing) + more)


@given(texts, st.sampled_from(list(PACKINGS.values())), st.integers(1, 5000), st.binary(max_size=300))
@example(b"a", CRLE, 5000, crle(number(0) + part(b"", bytes(5000), 0)))
def test_any_bytes_behind_a_head_are_refused_or_make_as_many(
    base: bytes, way: int, size: int, junk: bytes
) -> None:
    with suppress(ValueError):
        patched(base, size, head(way, size) + junk)


@given(texts, st.integers(1, 5000), st.binary(max_size=300))
def test_any_bytes_at_all(base: bytes, size: int, junk: bytes) -> None:
    with suppress(ValueError):
        patched(base, size, junk)


@given(pairs(), st.sampled_from(list(PACKINGS)), st.integers(-3, 3).filter(bool))
def test_a_patch_for_another_size_is_refused(pair: tuple[bytes, bytes], packing: str, more: int) -> None:
    base, new = pair
    assume(len(new) + more > 0)
    with pytest.raises(ValueError, match=f"for an image of {len(new)} bytes"):
        patched(base, len(new) + more, made(base, new, packing))


@given(pairs(), pairs(), st.sampled_from(list(PACKINGS)))
def test_a_base_that_is_another_is_no_harm(
    pair: tuple[bytes, bytes], other: tuple[bytes, bytes], packing: str
) -> None:
    """It applies without a word, or is refused where it is too short: never is a byte read beside it."""
    base, new = pair
    patch = made(base, new, packing)
    try:
        patched(other[0], len(new), patch)
    except ValueError:
        assert len(other[0]) < len(base)
