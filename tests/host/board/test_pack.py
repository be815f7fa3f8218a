"""The file that holds all modules: what is put in is found again, also by the tool that compares it later."""

import binascii
import random
from pathlib import PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.host.board.packs import unpack
from tools.board import start
from tools.board.files import device_files, path_in_pack
from tools.board.pack import CONTENTS, Stored, deflated, in_a_start, inflated, pack, pieces, places

names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789.é", min_size=1).filter(lambda name: name.strip("."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
packs = st.dictionaries(paths, st.binary(max_size=300), max_size=20)


def folders(path: str) -> set[str]:
    return {str(folder) for folder in PurePosixPath(path).parents} - {"."}


def consistent(modules: dict[str, bytes]) -> bool:
    """Whether no path is a file and a folder, too."""
    return not {CONTENTS, *modules} & {folder for path in modules for folder in folders(path)}


def read_from(data: bytes) -> dict[str, Stored]:
    return places(lambda start, size: data[start : start + size], len(data))


@given(packs.filter(consistent))
def test_what_is_put_in_is_found_again(modules: dict[str, bytes]) -> None:
    assume(CONTENTS not in modules)
    data = pack(modules)
    assert unpack(data) == modules
    assert data == pack(dict(reversed(modules.items()))) == b"".join(pieces(modules))
    found = {path: data[at.start : at.start + at.size] for path, at in read_from(data).items()}
    assert found.pop(CONTENTS).decode().split("\n") == (sorted(modules) or [""])
    assert {path: inflated(module) for path, module in found.items()} == modules


@given(packs.filter(consistent), st.data())
def test_a_damaged_pack_has_nothing_or_what_was_put_in(
    modules: dict[str, bytes], draw: st.DataObject
) -> None:
    """Contents are compared by their hashes; what the head says must be as it was, or nobody relies on it."""
    assume(CONTENTS not in modules)
    data = bytearray(pack(modules))
    before = read_from(bytes(data))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    found = read_from(bytes(data))
    in_offsets = 8 <= at < 8 + int.from_bytes(data[4:8], "big") and (at - 8) % 7 >= 4
    assert found in ({}, before) or in_offsets
    cut = bytes(data[: draw.draw(st.integers(0, len(data) - 1))])
    assert all(place.start + place.size <= len(cut) for place in read_from(cut).values())


@given(st.binary(max_size=200))
def test_what_is_no_pack_has_nothing(data: bytes) -> None:
    assert read_from(data) == read_from(b"PACK" + data) == {}


@given(st.binary(max_size=2000), st.data())
def test_a_deflated_module_that_is_cut_off(module: bytes, data: st.DataObject) -> None:
    stored = deflated(module)
    assert inflated(stored) == module
    with pytest.raises(ValueError, match="it ends too early"):
        inflated(stored[: data.draw(st.integers(0, len(stored) - 1))])


def test_modules_lie_in_the_order_of_a_start() -> None:
    """Each that is loaded has its place there."""
    there = {path_in_pack(file.as_posix()) for file in device_files()}
    starting = in_a_start()
    assert len({*starting}) == len(starting) and there.issuperset(starting)
    loaded = {
        name.replace(".", "/") + ".mpy"
        for step in start.STEPS
        for verb, names in start.actions(step)
        for name in names
        if verb in ("import", "load", "borrow", "hold")
    }
    assert loaded & there <= {*starting, path_in_pack("lib/iot/console/status.py")}
    found = read_from(pack({path: path.encode() * 9 for path in there}))
    assert list(found)[: len(starting)] == starting
    assert {path for path, place in found.items() if place.is_deflated} == there


def test_two_paths_of_one_checksum() -> None:
    assert binascii.crc32(b"plumless") == binascii.crc32(b"buckeroo")
    with pytest.raises(
        ValueError, match="plumless: another path has the same checksum; give it another name"
    ):
        pack({"plumless": b"1", "buckeroo": b"2"})


@pytest.mark.parametrize("modules", [{"a": b"", "a/b": b""}, {CONTENTS: b""}], ids=["folder", "contents"])
def test_a_path_that_is_taken(modules: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="another path has the same checksum"):
        pack(modules)


def test_too_much() -> None:
    with pytest.raises(ValueError, match=r"\d+ bytes are more than a pack can have, 8388608"):
        pack({"a": random.Random(1).randbytes(1 << 23)})
