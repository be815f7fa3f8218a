"""The file that holds all modules: what is put in is found again, also by the tool that compares it later."""

import binascii
import random
import struct
from pathlib import PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.host.board.packs import old_form, unpack
from tools.board import start
from tools.board.files import device_files, path_in_pack
from tools.board.pack import (
    CONTENTS,
    DICTIONARY,
    Stored,
    deflated,
    files,
    in_a_start,
    inflated,
    kept_dictionary,
    pack,
    pieces,
    places,
    unblocked,
)

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
    assume(not {CONTENTS, DICTIONARY} & modules.keys())
    data = pack(modules)
    assert unpack(data) == modules
    assert data == pack(dict(reversed(modules.items()))) == b"".join(pieces(modules))
    found = {path: data[at.start : at.start + at.size] for path, at in read_from(data).items()}
    contents = inflated(found.pop(CONTENTS), kept_dictionary()).decode().split("\n")
    at = contents.index(DICTIONARY)
    alone, refer = contents[:at], contents[at + 1 :]
    assert contents == list(found) == [*sorted(alone), DICTIONARY, *sorted(refer)]
    assert unblocked(found.pop(DICTIONARY)) == kept_dictionary()
    assert {path: inflated(module, kept_dictionary()) for path, module in found.items()} == modules
    assert {path: inflated(found[path]) for path in alone} == {path: modules[path] for path in alone}
    for path, module in modules.items():
        sizes = [len(deflated(module, dictionary)) for dictionary in (b"", kept_dictionary())]
        assert len(found[path]) == min(sizes) and (path in refer) == (sizes[1] < sizes[0])


@given(packs.filter(consistent), st.data())
def test_a_damaged_pack_has_nothing_or_what_was_put_in(
    modules: dict[str, bytes], draw: st.DataObject
) -> None:
    """Contents are compared by their hashes; what the head says must be as it was, or nobody relies on it."""
    assume(not {CONTENTS, DICTIONARY} & modules.keys())
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
    assert read_from(data) == read_from(b"PACK" + data) == read_from(b"PAC2" + data) == {}


@given(packs.filter(consistent), st.booleans())
def test_a_pack_as_it_was_before_is_read(modules: dict[str, bytes], deflates: bool) -> None:
    """A deployment takes from it what it has."""
    assume(not {CONTENTS, DICTIONARY} & modules.keys() and (deflates or all(modules.values())))
    data = old_form(modules, deflates)
    found = read_from(data)
    assert unpack(data) == modules
    assert [*found] == [*modules, CONTENTS] and not found.pop(CONTENTS).is_deflated
    for path, at in found.items():
        stored = data[at.start : at.start + at.size]
        assert at.is_deflated is deflates and (inflated(stored) if deflates else stored) == modules[path]


@given(st.binary(max_size=2000), st.binary(max_size=600), st.data())
def test_a_deflated_module_that_is_cut_off(module: bytes, dictionary: bytes, data: st.DataObject) -> None:
    stored = deflated(module, dictionary)
    assert inflated(stored, dictionary) == module
    with pytest.raises(ValueError, match="it ends too early"):
        inflated(stored[: data.draw(st.integers(0, len(stored) - 1))], dictionary)


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
    modules = {path: kept_dictionary()[:99] + path.encode() * 9 for path in there}
    found = read_from(pack(modules))
    assert list(found)[: len(starting)] == starting
    assert {path for path, place in found.items() if place.is_deflated} == there | {CONTENTS}
    assert [path for path, _ in files(modules, kept_dictionary())] == [
        *starting,  # which would be smaller with the dictionary, too
        DICTIONARY,
        *sorted(there - {*starting}),
    ]


def test_what_a_start_loads_is_deflated_only_where_that_takes_a_quarter_off() -> None:
    less, more = bytes(range(256)) + bytes(80), bytes(range(256)) + bytes(120)
    assert len(deflated(less)) * 4 > len(less) * 3 and len(deflated(more)) * 4 < len(more) * 3
    modules = {"iot/log.mpy": less, "iot/system.mpy": more, "iot/https.mpy": less}
    data = pack(modules)
    found = {path: data[at.start : at.start + at.size] for path, at in read_from(data).items()}
    assert found["iot/log.mpy"] == b"\x01" + struct.pack("<HH", len(less), len(less) ^ 0xFFFF) + less
    assert found["iot/system.mpy"] == deflated(more)
    assert len(found["iot/https.mpy"]) <= len(deflated(less))
    assert unpack(data) == modules


def test_two_paths_of_one_checksum() -> None:
    assert binascii.crc32(b"plumless") == binascii.crc32(b"buckeroo")
    with pytest.raises(
        ValueError, match="plumless: another path has the same checksum; give it another name"
    ):
        pack({"plumless": b"1", "buckeroo": b"2"})


@pytest.mark.parametrize(
    "modules",
    [{"a": b"", "a/b": b""}, {CONTENTS: b""}, {DICTIONARY: b""}],
    ids=["folder", "contents", "dictionary"],
)
def test_a_path_that_is_taken(modules: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="another path has the same checksum"):
        pack(modules)


def test_too_much() -> None:
    with pytest.raises(ValueError, match=r"\d+ bytes are more than a pack can have, 8388608"):
        pack({"a": random.Random(1).randbytes(1 << 23)})
    with pytest.raises(ValueError, match="9402 files and folders are more than a pack can have, 9362"):
        pack({f"{n}": b"" for n in range(9400)})
