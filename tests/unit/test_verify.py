"""Whether an update is signed and for this device: TUF's attacks by name, as far as a manifest stops them."""

import asyncio

from check import araises
from iot.ota import forms, verify
from updates import (
    BOARD,
    COUNTER,
    IMAGE,
    KEYS,
    LISTED,
    NOW,
    PRODUCT,
    Python,
    key_id,
    root_text,
    sign,
    text,
)

ROOT = forms.root(root_text(), PRODUCT)


def judged(given, signatures, counter=COUNTER, now=NOW, python=None, root=ROOT):
    return verify.manifest(given, signatures, root, counter, now, python or Python())


async def refused(why, given, counter=COUNTER, now=NOW, python=None):
    """A manifest that is signed as it has to be."""
    error = await araises(ValueError, why, judged(given, await sign(given, 1, 2), counter, now, python))
    return str(error)


async def test_what_is_signed_and_for_this_device():
    for given in (text(), text(board=None), text(IMAGE)):
        for numbers in ((1, 2), (3, 1), (2, 3), (1, 2, 3)):
            found = await judged(given, await sign(given, *numbers))
            assert found == forms.manifest(given)


async def test_one_key_of_one():
    root = forms.root(root_text((5,), 1), PRODUCT)
    assert await judged(text(), await sign(text(), 5), root=root)
    await araises(ValueError, "0 of 1 signatures by root 1", judged(text(), await sign(text(), 1), root=root))


async def test_the_loop_gets_its_turns():
    turns = []

    async def count():
        while True:
            turns.append(1)
            await asyncio.sleep_ms(0)

    task = asyncio.create_task(count())
    await judged(text(), await sign(text(), 1, 2))
    task.cancel()
    assert len(turns) > 100


async def test_it_can_be_broken_off():
    task = asyncio.create_task(judged(text(), await sign(text(), 1, 2)))
    await asyncio.sleep_ms(0)
    task.cancel()
    try:
        await task
        raise AssertionError("went on")
    except asyncio.CancelledError:
        pass


async def test_arbitrary_software():
    for signatures in ([], await sign(text(), 4, 5, 6), await sign(text(version="1.3"), 1, 2, 3)):
        await araises(ValueError, "0 of 2 signatures by root 1", judged(text(), signatures))
        await araises(ValueError, "(arbitrary software)", judged(text(), signatures))


async def test_keys_below_the_threshold():
    one, two = await sign(text(), 1, 2)
    stranger = await sign(text(), 4)
    wrong = await sign(text(version="1.3"), 2, 3)
    for others, signatures in (
        (0, [one]),
        (1, [one, one]),
        (9, [one] * 10),
        (1, [two] + stranger),
        (0, [one] + wrong),
        (0, [one, key_id(2) + ":" + one.partition(":")[2]]),
        (2, [one] + stranger + [one]),
    ):
        why = "1 of 2 signatures by root 1, {} by others (keys below the threshold)".format(others)
        await araises(ValueError, why, judged(text(), signatures))


async def test_what_others_have_signed_beside_is_passed_over():
    good = await sign(text(), 3, 1)
    strangers = await sign(text(), 4, 5, 6)
    wrong = await sign(text(version="1.3"), 1, 3)
    assert await judged(text(), strangers + wrong + good)
    assert await judged(text(), good[:1] + strangers + good)


async def test_endless_data():
    good = await sign(text(), 1, 2)
    assert await judged(text(), ["00000000:AA=="] * 8 + good)
    why = "1 of 2 signatures by root 1, 9 by others"
    await araises(ValueError, why, judged(text(), ["00000000:AA=="] * 9 + good))
    await araises(ValueError, "endless data", judged(text() * 40, good))


async def test_signatures_that_are_none():
    name = key_id(1)
    good = (await sign(text(), 1))[0].partition(":")[2]
    for signature in (
        name, name + ":", name + ":!", name + ":AA==", ":" + good, name.upper() + ":" + good,
        " " + name + ":" + good, name + good, name + "::" + good[:-4], name + ":" + good[:-4],
        name + ":" + "A" * 3000, name + ":MAYCAQECAQE=",
        "", 5, None, True, {}, [name, good],
    ):  # fmt: skip
        await araises(ValueError, "0 of 2 signatures", judged(text(), [signature]))
    for signatures in (None, "", name + ":" + good, 5, {name: good}):
        await araises(ValueError, "signatures: not a list", judged(text(), signatures))


async def test_mix_and_match():
    """All that belongs together is in one text: a part of one release is none of another's."""
    other = text(version="1.5.0", sha256=LISTED)
    mixed = text(version="1.5.0")
    for signatures in (
        await sign(text(), 1, 2),
        await sign(other, 1, 2),
        await sign(text(), 1) + await sign(other, 2),
    ):
        await araises(ValueError, "(arbitrary software)", judged(mixed, signatures))


async def test_a_signed_root_is_no_update():
    await araises(ValueError, "iot-update", judged(root_text(), await sign(root_text(), 1, 2)))


async def test_wrong_software():
    for name, given, python in (
        ("product lamp-2: this device has lamp-1", text(product="lamp-2"), None),
        ("product Lamp-1: this device has lamp-1", text(product="Lamp-1"), None),
        ("chip ESP32S3: this device has ESP32", text(chip="ESP32S3"), None),
        ("chip ESP32: this device has ESP32S3", text(board=None), Python("Lamp with ESP32S3")),
        ("board ", text(board="Another with ESP32"), None),
        ("board ", text(IMAGE, board=BOARD + "S"), None),
        (
            "micropython [1, 26, 0]: this device has [1, 25, 1]",
            text(micropython="1.26.0"),
            Python(version=(1, 25, 1)),
        ),
        ("micropython [2, 0, 0]", text(micropython="2.0.0"), None),
        ("micropython [1, 100, 0]", text(micropython="1.100.0"), None),
        ("mpy 5: this device has 6 xtensawin", text(mpy="5"), None),
        ("mpy 7", text(mpy="7"), None),
        ("mpy 06", text(mpy="06"), None),
        ("mpy 6 rv32imc: this device has 6 xtensawin", text(mpy="6 rv32imc"), None),
        ("mpy 6 xtensawin: this device has 6 rv32imc", text(mpy="6 xtensawin"), Python(architecture=11)),
        ("mpy 6 xtensawin: this device has 6 (", text(mpy="6 xtensawin"), Python(architecture=2)),
    ):
        assert (await refused(name, given, python=python)).endswith("(wrong software)")


async def test_what_runs_here_too():
    for given, python in (
        (text(micropython="1.9.9"), None),
        (text(), Python(version=(1, 25, 0, ""))),
        (text(micropython="1.25.3"), Python(version=(1, 100, 0, "preview"))),
        (text(mpy="6 xtensawin"), None),
        (text(mpy="6 rv32imc"), Python(architecture=11)),
        (text(), Python(architecture=0)),
        (text(chip="ESP32C3", board=None), Python("Lamp with two with ESP32C3", architecture=11)),
        (text(IMAGE), Python(version=(1, 2, 3), architecture=0)),
    ):
        assert await judged(given, await sign(given, 1, 2), python=python)


async def test_extraneous_dependency():
    """Nothing can be asked for beside what the form has, signed or not."""
    for line in ("needs other-1.0\n", "board x\n", "url https://example.com\n"):
        await refused("end: not as it has to be", text() + line)


async def test_rollback():
    assert await refused("counter 7: this device has 8 (rollback)", text(), counter=8)
    for counter in (0, 6, 7):
        assert await judged(text(), await sign(text(), 1, 2), counter)


async def test_freeze():
    given = text(expires="2026-11-28T12:30:59Z")
    assert await refused("expires 2026-11-28T12:30:59Z: this device has 2026-11-28T12:30:59Z (freeze)", given)
    assert await judged(given, await sign(given, 1, 2), now=(2026, 11, 28, 12, 30, 58))
    for now in (
        (2026, 11, 28, 12, 31, 0),
        (2026, 12, 1, 0, 0, 0),
        (2099, 1, 1, 0, 0, 0),
    ):
        await refused("(freeze)", given, now=now)


async def test_of_what_is_not_signed_nothing_is_told():
    """Neither its product nor that it has expired: whoever wrote it could have written anything."""
    given = text(product="other", chip="ESP8266", counter="0", expires="2001-01-01T00:00:00Z", version="9.9")
    error = str(await araises(ValueError, "(arbitrary software)", judged(given, await sign(given, 4, 5))))
    assert error == "0 of 2 signatures by root 1, 2 by others (arbitrary software)"


async def test_a_root_whose_keys_are_no_points():
    key = KEYS[0][:-4] + "AAA="
    root = forms.root(root_text().replace(KEYS[0], key), PRODUCT)
    await araises(
        ValueError, "public key: no point of P-256", judged(text(), await sign(text(), 2, 3), root=root)
    )


async def following(given, *numbers):
    return await verify.next_root(given, await sign(given, *numbers), ROOT)


async def test_a_root_follows_by_signatures_of_both():
    for given, numbers in (
        (root_text((3, 4, 5), 2, 2), (1, 3, 4)),  # one of them in both
        (root_text((4, 5, 6), 2, 2), (1, 2, 4, 6)),
        (root_text((1, 2, 3), 3, 2), (1, 2, 3)),
        (root_text((6,), 1, 2), (6, 2, 3)),
    ):
        found = await following(given, *numbers)
        assert found == forms.root(given, PRODUCT)


async def test_a_root_below_the_threshold_of_either():
    given = root_text((4, 5, 6), 2, 2)
    for numbers, why in (
        ((4, 5, 6), "0 of 2 signatures by root 1, 3 by others (arbitrary software)"),
        ((1, 4, 5), "1 of 2 signatures by root 1, 2 by others (keys below the threshold)"),
        ((1, 2, 3), "0 of 2 signatures by root 2, 3 by others (arbitrary software)"),
        ((1, 2, 6), "1 of 2 signatures by root 2, 2 by others (keys below the threshold)"),
    ):
        await araises(ValueError, why, following(given, *numbers))


async def test_rollback_and_fast_forward_of_roots():
    root = forms.root(root_text(version=3), PRODUCT)
    for version, why in (
        (1, "version 1: this device has 3 (rollback)"),
        (2, "version 2: this device has 3 (rollback)"),
        (3, "version 3: this device has 3 (rollback)"),
        (5, "version 5: this device has 3 (fast-forward)"),
        (2147483647, "(fast-forward)"),
    ):
        given = root_text((1, 2), version=version)
        await araises(ValueError, why, verify.next_root(given, await sign(given, 1, 2), root))


async def test_the_root_that_counts_already_is_no_fault():
    assert await verify.next_root(root_text(), [], ROOT) == ROOT


async def test_a_root_of_another_product():
    given = root_text(version=2, product="lamp-2")
    await araises(ValueError, "product: not as it has to be", following(given, 1, 2))
