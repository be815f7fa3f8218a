"""Manifests and roots: the exact lines, or nothing."""

from check import raises
from iot.ota import forms
from updates import APP, BOARD, IMAGE, KEYS, LISTED, PRODUCT, SHA256, key_id, root_text, text


def refused(why, given):
    raises(ValueError, why, forms.manifest, given)


def test_an_application():
    found = forms.manifest(text())
    assert found["text"] == text().encode()
    assert (found["product"], found["kind"], found["version"]) == (PRODUCT, "app", "1.4.0")
    assert (found["counter"], found["size"], found["sha256"]) == (7, 97311, SHA256)
    assert found["expires"] == "2027-06-01T00:00:00Z"
    assert (found["chip"], found["board"]) == ("ESP32", ["Other board with ESP32", BOARD])
    assert (found["micropython"], found["mpy"]) == ([1, 25, 0], "6")
    assert forms.manifest(text(board=None))["board"] == []


def test_an_image():
    found = forms.manifest(text(IMAGE))
    assert (found["kind"], found["size"], found["blocks"]) == ("image", 1700000, "26 " + LISTED)


def test_each_value_that_it_may_not_have():
    for name, values in (
        ("iot-update", ("", "0", "2", "1 ", "01")),
        ("kind", ("", "App", "images", "app ", "application")),
        ("version", ("", "1 0", "1/0", "1,0", "a" * 33, "@", "[", "`", "{", ":", "\x7f")),
        ("counter", ("", "-1", "+7", "07", "7 ", " 7", "7.0", "1_0", "2147483648", "9" * 400, "x")),
        ("size", ("0", "196609", "-1", "0x10", "1e3")),
        ("sha256", ("", SHA256[1:], SHA256 + "0", SHA256.upper(), "g" + SHA256[1:], SHA256[:62] + " 1")),
        ("micropython", ("1.25", "1.25.0.0", "1.25.x", "1.25.00", "v1.25.0", "1..0", "-1.25.0")),
        ("mpy", ("",)),
        ("board", ("",)),
        ("chip", ("",)),
        ("product", ("",)),
    ):
        for value in values:
            why = "not lines of ASCII" if "\x7f" in value else name + ": not as it has to be"
            refused(why, text(**{name: value}))


def test_a_time_that_there_is_not():
    for value in (
        "2027-06-01", "2027-06-01T00:00:00", "2027-06-01 00:00:00Z", "2027-06-01T00:00:00Z ",
        "2027-06-01T00:00:00+00:00", "+027-06-01T00:00:00Z", "2027-6-01T00:00:00Z0", "2027-00-01T00:00:00Z",
        "2027-13-01T00:00:00Z", "2027-06-00T00:00:00Z", "2027-06-32T00:00:00Z", "2027-06-01T24:00:00Z",
        "2027-06-01T00:60:00Z", "2027-06-01T00:00:60Z", "never",
    ):  # fmt: skip
        refused("expires: not as it has to be", text(expires=value))
    for value in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert forms.manifest(text(expires=value))["expires"] == value


def test_the_numbers_at_their_ends():
    for name, value in (("counter", "0"), ("counter", "2147483647"), ("size", "1"), ("size", "196608")):
        assert forms.manifest(text(**{name: value}))[name] == int(value)
    assert forms.manifest(text(version="a" * 32))["version"] == "a" * 32
    assert forms.manifest(text(version="Zz09._+-"))["version"] == "Zz09._+-"


def test_boards_are_none_to_eight_and_of_an_image_at_least_one():
    one = tuple([line for line in APP if line != ("board", BOARD)])
    at = one.index(("board", "Other board with ESP32"))
    for count in range(11):
        lines = one[:at] + (("board", BOARD),) * count + one[at + 1 :]
        if count <= 8:
            assert len(forms.manifest(text(lines))["board"]) == count
        else:
            refused("board: not as it has to be", text(lines))
    refused("board: not as it has to be", text(IMAGE, board=None))


def test_an_image_s_blocks_are_as_many_as_its_size_has():
    block = 65536 + 32
    for count, size in ((1, 33), (1, block), (2, block + 33), (2, 2 * block), (63, 63 * block)):
        line = "{} {}".format(count, LISTED)
        assert forms.manifest(text(IMAGE, size=str(size), blocks=line))["size"] == size
    for count, size in ((1, 32), (1, block + 1), (2, block + 32), (2, 2 * block + 1), (0, 1), (65, 4194304)):
        refused("blocks", text(IMAGE, size=str(size), blocks="{} {}".format(count, LISTED)))
    refused("size", text(IMAGE, size="4194305", blocks="64 " + LISTED))
    for line in ("26", "26  " + LISTED, "026 " + LISTED, "26 " + LISTED[1:], LISTED, "26 " + LISTED.upper()):
        refused("blocks", text(IMAGE, blocks=line))


def test_any_line_that_is_missing_twice_or_elsewhere_is_refused():
    for lines in (APP, IMAGE):
        for at, line in enumerate(lines):
            if line[0] == "board":
                continue  # there may be none, or several
            refused(": not as it has to be", text(lines[:at] + lines[at + 1 :]))
            refused(": not as it has to be", text(lines[:at] + (line,) + lines[at:]))
            if at:
                refused(
                    ": not as it has to be", text(lines[: at - 1] + (line, lines[at - 1]) + lines[at + 1 :])
                )


def test_one_kind_has_no_line_of_the_other():
    refused("micropython", text(IMAGE, kind="app"))
    refused("end", text(APP + IMAGE[-1:]))
    refused("size", text(IMAGE[:-3] + APP[-4:-2] + IMAGE[-3:]))
    refused("size", text(kind="image"))


def test_what_stands_before_between_and_behind():
    whole = text()
    for given in (
        "", "\n", whole[:-1], whole + "\n", "\n" + whole, whole + "x", whole + "note x\n", " " + whole,
        whole.replace("\n", "\r\n"), whole.replace("\nkind", "\n\nkind"), whole.replace("kind ", "kind  "),
        whole.replace("kind ", "kind\t"), whole.replace("kind app", "kind app "), whole + "\0",
        "\ufeff" + whole, whole.replace("ESP32\n", "ESP3\u00b2\n"), whole.replace("lamp", "l\u0430mp"),
    ):  # fmt: skip
        refused("not", given)


def test_characters_that_are_none_of_a_line_s():
    for character in ("\0", "\t", "\r", "\x1f", "\x7f", "\x80", "\u20ac"):
        for name in ("chip", "board"):
            refused("not lines of ASCII", text(**{name: "ESP" + character + "32"}))


def test_no_more_is_looked_at_than_2048_bytes():
    longest = text(chip="x" * (2048 - len(text()) + len("ESP32")))
    assert len(longest) == 2048 and forms.manifest(longest)
    for given in (longest + "\n", "x" * 2049, "\u20ac" * 1000, text() * 50):
        refused("of 2048 bytes at the most (endless data)", given)


def test_what_is_no_text():
    for given in (None, 5, 1.5, True, b"iot-update 1\n", [text()], {"kind": "app"}):
        refused("text: not as it has to be", given)
        raises(ValueError, "text: not as it has to be", forms.root, given, PRODUCT)


def test_a_root():
    found = forms.root(root_text((4, 2, 6), 2, 5), PRODUCT)
    assert (found["version"], found["threshold"]) == (5, 2)
    assert sorted(found["keys"]) == sorted([key_id(number) for number in (2, 4, 6)])
    assert all([len(key) == 65 and key[0] == 4 for key in found["keys"].values()])
    assert found["text"] == root_text((4, 2, 6), 2, 5).encode()
    assert len(forms.root(root_text((1, 2, 3, 4, 5), 5, 2147483647), PRODUCT)["keys"]) == 5


def test_roots_that_are_none():
    key = KEYS[0]
    for why, given in (
        ("iot-root", root_text().replace("root 1", "root 2")),
        ("iot-root", text()),
        ("product", root_text(product="other")),
        ("version", root_text(version=0)),
        ("version", root_text(version=2147483648)),
        ("threshold", root_text(threshold=0)),
        ("threshold", root_text(threshold=4)),
        ("threshold", root_text((), 1)),
        ("key", root_text((1, 2, 1))),
        ("key", root_text((1, 2, 3, 4, 5, 6))),
        ("key", root_text().replace(key, key[:-4])),
        ("key", root_text().replace(key, key[:-1])),
        ("key", root_text().replace(key, key + "=")),
        ("key", root_text().replace(key, key[:-1] + "!=")),
        ("key", root_text().replace(key, key[:40] + " " + key[40:])),
        ("key", root_text().replace(key, key[:-3] + "Ea=")),
        ("key", root_text().replace(key, "")),
        ("end", root_text() + "note x\n"),
        ("endless data", root_text() + "x" * 1024),
    ):
        raises(ValueError, why, forms.root, given, PRODUCT)


def test_signed_one_thing_is_not_another():
    raises(ValueError, "iot-root", forms.root, text(), PRODUCT)
    refused("iot-update", root_text())
