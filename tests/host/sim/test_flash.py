"""Flash: NVS with its sharp edges, files, and power cuts at every write."""

import os
from pathlib import Path

import pytest

from tools.sim import Device
from tools.sim.chip import OUTCOMES
from tools.sim.flash import CutFlash, PowerCut


async def test_nvs_gives_back_what_was_set(run) -> None:
    lines = await run(
        """
        import esp32
        nvs = esp32.NVS("iot")
        for value in (0, -1, 2147483647, -2147483648):
            nvs.set_i32("number", value)
            assert nvs.get_i32("number") == value
        nvs.set_blob("bytes", b"abc")
        nvs.commit()
        buffer = bytearray(5)
        assert esp32.NVS("iot").get_blob("bytes", buffer) == 3 and buffer == b"abc\\0\\0"
        nvs.erase_key("bytes")
        nvs.commit()
        def error(function, *arguments):
            try:
                function(*arguments)
            except (OSError, OverflowError) as error:
                print(error.errno if isinstance(error, OSError) else "overflow", error.args[-1])
        error(nvs.get_blob, "bytes", buffer)
        error(nvs.get_i32, "nothing")
        error(nvs.get_blob, "number", buffer)
        error(nvs.erase_key, "nothing")
        error(nvs.set_i32, "sixteen letters!", 1)
        error(esp32.NVS, "sixteen letters!")
        nvs.set_blob("bytes", bytes(6))
        error(nvs.get_blob, "bytes", buffer)
        error(nvs.set_i32, "number", 1 << 31)
        """
    )
    assert lines == [
        *["-4354 ESP_ERR_NVS_NOT_FOUND"] * 4,
        *["-4361 ESP_ERR_NVS_KEY_TOO_LONG"] * 2,
        "-4364 ESP_ERR_NVS_INVALID_LENGTH",
        "overflow overflow converting long int to machine word",
    ]


async def test_nvs_has_room_for_one_large_blob_but_not_to_replace_it(run) -> None:
    lines = await run(
        """
        import esp32
        nvs = esp32.NVS("iot")
        nvs.set_blob("large", bytes(7000))
        nvs.commit()
        for size in (7000, 12100):
            try:
                nvs.set_blob("large", bytes(size))
            except OSError as error:
                print(error.args[1])
        nvs.erase_key("large")
        nvs.set_blob("large", bytes(11900))
        """
    )
    assert lines == ["ESP_ERR_NVS_NOT_ENOUGH_SPACE"] * 2


async def test_what_is_not_committed_is_lost_at_a_reset(run) -> None:
    lines = await run(
        """
        import esp32, machine
        nvs = esp32.NVS("iot")
        if machine.reset_cause() == machine.PWRON_RESET:
            nvs.set_i32("kept", 1)
            nvs.commit()
            nvs.set_i32("lost", 1)
            nvs.set_i32("kept", 2)
            machine.reset()
        print(nvs.get_i32("kept"))
        try:
            nvs.get_i32("lost")
        except OSError:
            print("lost")
        """
    )
    assert lines == ["1", "lost"]


async def test_files_under_relative_and_absolute_paths(device: Device, run) -> None:
    lines = await run(
        """
        import os
        os.mkdir("folder")
        with open("/folder/one", "w") as file:
            assert file.write("grün") == 5  # bytes
            file.write("\\n2")
        with open("folder/one", "ab") as file:
            file.write(b"!")
        with open("folder/one") as file:
            assert [line for line in file] == ["grün\\n", "2!"]
        os.rename("folder/one", "/two")
        print(sorted(os.listdir()), os.listdir("/folder"), os.stat("two")[6])
        print([entry for entry in os.ilistdir("/") if entry[0] == "two"])
        os.rmdir("folder")
        os.remove("/two")
        for action in (os.remove, os.stat, open):
            try:
                action("two")
            except OSError as error:
                print(error.errno)
        """
    )
    assert lines == ["['folder', 'main.py', 'two'] [] 8", "[('two', 32768, 0, 8)]", "2", "2", "2"]
    # mkdir; open, 2 writes, close; write, close; rename, rmdir, remove
    assert device.chip.flash_writes == 10


REPLACE = """
    import os
    print("value", open("value").read())
    with open("value.new", "w") as file:
        file.write("new-")
        file.write("value")
    os.rename("value.new", "value")
    print("replaced")
"""


async def test_a_cut_kills_the_device_at_that_write(device: Device, load) -> None:
    """Replaced by a rename, the value is the old one up to the rename and the new one from then on."""
    load(REPLACE)
    (device.files / "value").write_text("old-value")
    await device.power_on()
    await device.expect("^replaced$")
    writes = device.chip.flash_writes
    assert writes == 5
    for n in range(1, writes + 1):
        for outcome in OUTCOMES:
            await device.power_off()
            (device.files / "value").write_text("old-value")
            device.cut_at_write(n, outcome)
            await device.power_on()
            await device.expect("^value old-value$")
            await device.power_lost()
            assert "end of main.py" not in device.lines[-1]
            replaced = n == writes and outcome == "after"
            assert (device.files / "value").read_text() == ("new-value" if replaced else "old-value")
    await device.power_off()
    (device.files / "value.new").unlink(missing_ok=True)
    device.cut_at_write(3, "torn")
    await device.power_on()
    await device.power_lost()
    assert (device.files / "value.new").read_text() == "new-va"


async def test_after_a_cut_the_device_starts_like_new(device: Device, load) -> None:
    load("import esp32, machine\nprint('cause', machine.reset_cause())\nesp32.NVS('a').set_i32('k', 1)")
    device.cut_at_write(1)
    await device.power_on()
    await device.power_lost()
    assert not device.running
    await device.power_on()
    await device.expect("cause 1")
    await device.expect("cause 1")
    await device.expect("^end of main.py$")


def set_two() -> None:
    """What is cut in the tests below; `esp32` is there while a flash is mounted."""
    import esp32  # noqa: PLC0415

    nvs = esp32.NVS("test")
    nvs.set_i32("one", 2)
    nvs.set_blob("two", b"new")
    nvs.commit()


def stored(folder: Path) -> list[object]:
    with CutFlash(folder).mounted():
        import esp32  # noqa: PLC0415

        nvs, buffer = esp32.NVS("test"), bytearray(3)
        found: list[object] = []
        for read in (lambda: nvs.get_i32("one"), lambda: nvs.get_blob("two", buffer) and bytes(buffer)):
            try:
                found.append(read())
            except OSError:
                found.append(None)
    return found


@pytest.mark.parametrize(
    ("n", "outcome", "left"),
    [
        (1, "before", [1, b"old"]), (1, "torn", [None, b"old"]), (1, "after", [2, b"old"]),
        (2, "before", [1, b"old"]), (2, "torn", [1, None]), (2, "after", [1, b"new"]),
        (3, "before", [1, b"old"]), (3, "torn", [None, b"old"]), (3, "after", [2, b"old"]),
        (4, "before", [2, b"old"]), (4, "torn", [2, None]), (4, "after", [2, b"new"]),
    ],
)  # fmt: skip
def test_a_cut_in_nvs_spares_all_but_the_key_that_is_written(tmp_path, n, outcome, left) -> None:
    with CutFlash(tmp_path).mounted():
        import esp32  # noqa: PLC0415

        nvs = esp32.NVS("test")
        nvs.set_i32("one", 1)
        nvs.set_blob("two", b"old")
        nvs.commit()
    flash = CutFlash(tmp_path, cut_at=n, outcome=outcome)
    with flash.mounted():
        set_two()
        pytest.fail("not cut")
    assert flash.was_cut and flash.writes == n
    assert stored(tmp_path) == left


def test_a_mounted_flash_counts_writes_and_hides_the_host(tmp_path) -> None:
    flash = CutFlash(tmp_path)
    with flash.mounted():
        set_two()
        with open("/file", "wb") as file:
            file.write(bytes(5000))  # two blocks
        assert os.listdir("/") == ["file"]
    assert flash.writes == 8 and not flash.was_cut
    assert (tmp_path / "files" / "file").stat().st_size == 5000
    assert "usr" in os.listdir("/")
    assert stored(tmp_path) == [2, b"new"]


def test_without_power_nothing_is_written_any_more(tmp_path) -> None:
    with CutFlash(tmp_path, cut_at=2).mounted():
        with pytest.raises(PowerCut), open("file", "wb") as file:
            file.write(b"12345678")  # torn
        for action in (lambda: os.mkdir("folder"), lambda: os.remove("file"), lambda: open("new", "w")):  # noqa: SIM115
            with pytest.raises(PowerCut):
                action()
    assert os.listdir(tmp_path / "files") == ["file"]
    assert (tmp_path / "files" / "file").read_bytes() == b"1234"


def test_an_unknown_outcome_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="before, torn, after"):
        CutFlash(tmp_path, cut_at=1, outcome="burnt")
