"""An image out of a patch: whatever the pieces it comes in, the image; whatever else comes, a refusal."""

import binascii

from check import raises
from iot.ota.delta import Patch
from patches import CRLE, HEATSHRINK, PLAIN, Image, crle, expanded, head, heatshrink, number, part, segment

BASE = bytes(range(64)) * 4 + b"MicroPython v1.25.0 on 2025-04-15" + bytes(40)
NEW = BASE[:100] + b"a pear" + BASE[100:].replace(b"25.0", b"25.1")
# By detools 0.53.0.
MADE = (
    "028f05000300a401016400000a0661207065617200a50301ae0100000101013700000176",
    "048f0544806920265c706b0c82e165b0dca01a581bbff8016c046edaec",
)
SIZE = len(NEW)
FORMAT = number(0)
LONG = b"\x01" * 5000  # more than one piece has


def patched(patch, new=NEW, base=BASE, most=1 << 16):
    image = Image(base)
    made = Patch(image.read, image.write, len(base), len(new))
    for at in range(0, len(patch), most):
        made.feed(patch[at : at + most])
    made.finish()
    assert image.largest <= 2048
    return bytes(image.came)


def plain(*parts):
    return head(PLAIN, SIZE) + FORMAT + b"".join(parts)


def refused(why, patch, size=SIZE):
    image = Image(BASE)
    made = Patch(image.read, image.write, len(BASE), size)

    def feed():
        made.feed(patch)
        made.finish()

    error = raises(ValueError, "patch: " + why, feed)
    assert " of the image" in str(error)
    assert len(image.came) <= size


def test_what_detools_has_made_whatever_the_pieces():
    for text in MADE:
        for most in (1 << 16, 7, 2, 1):
            assert patched(binascii.unhexlify(text), most=most) == NEW


def test_parts_of_any_kind_in_each_packing():
    base = bytes(range(256)) * 30
    diff = bytes(3000) + b"\x07" + bytes(1000) + b"\xff\x01" * 500 + bytes(31) + b"\x80"
    parts = (
        part(diff, LONG, -5000) + part(b"", b"", 4000) + part(bytes(100), b"", -3000) + part(b"", b"pear", 0)
    )
    moved = len(diff) - 1000
    new = bytes([base[at] + diff[at] & 255 for at in range(len(diff))])
    new += LONG + base[moved : moved + 100] + b"pear"
    unpacked = FORMAT + parts
    literal = heatshrink(list(unpacked))
    for way, packed in ((PLAIN, unpacked), (CRLE, crle(unpacked)), (HEATSHRINK, literal)):
        for most in (1 << 16, 1000, 3):
            assert patched(head(way, len(new)) + packed, new, base, most) == new


def test_what_lies_back_in_heatshrink_s_window():
    """Nearest and farthest, overlapping itself, over the ring's end, and before all that came."""
    for back, long in ((4, 3), (8, 7), (11, 10), (11, 5)):
        far, most = 1 << back, 1 << long
        tokens = [(far, 2), 1, 2, 3, (1, most), (2, most), (3, most - 1), (far, most), (far - 1, 1)]
        tokens += [9] * 10 + [(11, 5), 8, (far, most), 7, (far // 2 + 1, most), (5, most), 6]
        for turn in range(100):
            tokens += [turn, (1 + turn * 37 % far, 1 + turn * 11 % most)]
        told = FORMAT + number(0) + number(len(expanded(tokens, far)))
        tokens = list(told) + tokens + [0]
        new = expanded(tokens, far)[len(told) : -1]
        patch = head(HEATSHRINK, len(new)) + heatshrink(tokens, back, long)
        for pieces in (1 << 16, 5, 1):
            assert patched(patch, new, BASE, pieces) == new


def test_a_few_bytes_that_make_all_do_so_in_steps():
    """Of a run: in between the caller may do something else."""
    size = 1 << 16
    base = bytes([1, 2, 3, 4]) * (size // 4)
    image = Image(base)
    unpacked = segment(False, 4, FORMAT + number(size)) + segment(True, size + 2, b"\0")
    patch = memoryview(head(CRLE, size) + unpacked)
    made = Patch(image.read, image.write, size, size)
    count = 0
    while patch or made.is_busy:
        before = len(image.came)
        patch = patch[made.step(patch) :]
        assert len(image.came) - before <= 1024
        count += 1
    made.finish()
    assert image.came == base and count > 64


def test_a_patch_that_is_not_in_its_form_is_refused_and_says_where():
    for patch, why in (
        (b"", "it ends too early, behind 0 bytes of it and 0 of 335 of the image"),
        (head(PLAIN, SIZE)[:1], "it ends too early, behind 1 bytes"),
        (head(PLAIN, SIZE), "it ends too early, behind 3 bytes"),
        (head(CRLE, SIZE), "it ends too early"),
        (head(HEATSHRINK, SIZE), "it ends too early"),
        (head(PLAIN, SIZE, kind=1), "type 1, compression 0"),
        (head(1, SIZE), "type 0, compression 1"),
        (head(15, SIZE), "type 0, compression 15"),
        (head(PLAIN, SIZE - 1), "for an image of 334 bytes"),
        (head(PLAIN, SIZE + 1), "for an image of 336 bytes"),
        (head(PLAIN, -SIZE), "for an image of -335 bytes"),
        (head(PLAIN, 1 << 40), "a number of more than 4 bytes"),
        (head(PLAIN, SIZE) + b"\xff" * 100, "a number of more than 4 bytes"),
        (head(CRLE, SIZE) + segment(True, 1 << 30, b"\0"), "a number of more than 4 bytes"),
        (head(CRLE, SIZE) + b"\2", "a segment of kind 2"),
        (head(CRLE, SIZE) + b"\xff", "a segment of kind 255"),
        (head(HEATSHRINK, SIZE) + b"\x80", "a window of 12 bits, and 3"),
        (head(HEATSHRINK, SIZE) + b"\x01", "a window of 4 bits, and 4"),
        (head(HEATSHRINK, SIZE) + b"\x4f", "a window of 8 bits, and 18"),
        (head(PLAIN, SIZE) + number(3), "of a data format"),
    ):
        refused(why, patch)


def test_nothing_beside_the_base_and_beyond_the_image():
    all_new = part(b"", NEW, 0)
    for patch, why in (
        (plain(part(bytes(len(BASE) + 1), b"", 0)), "a part of 330 bytes, 329 may be"),
        (plain(number(-1)), "a part of -1 bytes, 329 may be"),
        (plain(number(0), number(-1)), "a part of -1 bytes, 335 may be"),
        (plain(number(0), number(336)), "a part of 336 bytes, 335 may be"),
        (plain(part(bytes(300), bytes(35), 0) + b"\0"), "it goes on behind its end"),
        (plain(part(b"", b"", -1)), "part 1 goes on at -1 of the base"),
        (plain(part(b"", b"", 330)), "part 1 goes on at 330 of the base"),
        (plain(part(bytes(5), b"", 325)), "part 1 goes on at 330 of the base"),
        (plain(part(b"", b"", 300), number(30)), "a part of 30 bytes, 29 may be"),
        (plain(all_new, b"\0"), "it goes on behind its end"),
        (plain(all_new, all_new), "it goes on behind its end"),
        (plain(all_new)[:-1], "it ends too early"),
        (plain(part(b"", NEW[1:], 0)), "it ends too early"),
        (plain(part(b"", NEW[1:], 0), part(b"", b"", 0)), "it ends too early"),
    ):
        refused(why, patch)
    assert patched(plain(all_new)) == NEW


def test_more_behind_the_end_of_what_is_packed():
    unpacked = FORMAT + part(b"", NEW, 0)
    packed = head(CRLE, len(NEW)) + crle(unpacked)
    for more in (b"\0", b"\1", segment(False, 1, b""), segment(True, 3, b"")):
        refused("it ends too early", packed + more)
    refused("it goes on behind its end", packed + segment(False, 1, b"\0"))
    packed = head(HEATSHRINK, len(NEW)) + heatshrink(list(unpacked))
    for more in (b"\0", b"\0\0"):
        refused("it", packed + more)
    assert patched(packed) == NEW


def test_a_trap_that_makes_next_to_nothing_for_ever_ends():
    """Parts of no byte, out of one run of zeros; and of one byte each, out of what repeats itself."""
    size = 1 << 18
    nothing = segment(True, 1 << 27, b"\0")
    refused("part 30001 goes on at 0 of the base", head(CRLE, size) + nothing, size)
    one_each = [0] + list(part(b"", b"7", 0)) + [(4, 256)] * 500
    refused("part 30001 goes on at 0 of the base", head(HEATSHRINK, size) + heatshrink(one_each, 9, 8), size)


def test_errors_of_who_reads_and_writes_are_theirs():
    def fail(*what):
        raise OSError(5)

    image = Image(BASE)
    for read, write in ((fail, image.write), (image.read, fail)):
        made = Patch(read, write, len(BASE), len(NEW))
        raises(OSError, "5", made.feed, binascii.unhexlify(MADE[0]))
