"""Flash: NVS with its sharp edges, files, and power cuts at every write."""

import contextlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.sim import Device
from tools.sim.chip import OUTCOMES
from tools.sim.device import ROOT
from tools.sim.files import Image, InUse
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


async def test_files_under_relative_and_absolute_paths(run) -> None:
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


REPLACE = """
    import os
    print("value", open("value").read())
    with open("value.new", "w") as file:
        file.write("new-")
        file.write(200 * "value")
    os.rename("value.new", "value")
    print("replaced")
"""


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_a_cut_kills_the_device_at_that_write(device: Device, load, outcome: str) -> None:
    """Replaced by a rename, the value is the old one up to the rename's last write, and then the new one."""
    load(REPLACE)
    (device.files / "value").write_text("old-value")
    image, seen = device.folder / "vfs.bin", []
    before = image.read_bytes()
    await device.power_on()
    await device.expect("^replaced$")
    writes = device.chip.flash_writes
    assert writes > 8, "a program or an erase is one each"
    for n in sorted({*range(1 + OUTCOMES.index(outcome), writes, 4), writes}):
        await device.power_off()
        image.write_bytes(before)
        device.cut_at_write(n, outcome)
        await device.power_on()
        await device.expect("^value old-value$")
        await device.power_lost()
        assert "end of main.py" not in device.lines[-1]
        seen.append((device.files / "value").read_text())
    last = "new-" + 200 * "value" if outcome == "after" else "old-value"
    assert seen == ["old-value"] * (len(seen) - 1) + [last]


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
        assert flash.writes == 4
        with open("/file", "wb") as file:
            file.write(bytes(5000))
        assert os.listdir("/") == ["file"]
    pieces = -(-5000 // 128)  # littlefs programs by the size of its cache
    assert flash.writes >= 4 + 2 + pieces and not flash.was_cut, "two blocks are erased, too"
    assert len((flash.image.root / "file").read_bytes()) == 5000
    assert "usr" in os.listdir("/")
    assert stored(tmp_path) == [2, b"new"]


def test_without_power_nothing_is_written_any_more(tmp_path) -> None:
    with CutFlash(tmp_path, cut_at=2).mounted():
        with pytest.raises(PowerCut), open("file", "wb") as file:
            file.write(bytes(5000))
        for action in (lambda: os.mkdir("folder"), lambda: os.remove("file"), lambda: open("new", "w")):  # noqa: SIM115
            with pytest.raises(PowerCut):
                action()
    assert [path.read_bytes() for path in CutFlash(tmp_path).image.root.rglob("*")] == [b""]


def longest(data: bytes, byte: bytes) -> int:
    return max(map(len, re.findall(byte + b"{2,}", data)), default=0)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_torn_block_is_half_written(tmp_path, outcome: str) -> None:
    """An entry of the folder, the erase of a block, and the first piece of what is in it."""
    CutFlash(tmp_path)
    with CutFlash(tmp_path, cut_at=3, outcome=outcome).mounted(), open("file", "wb") as file:
        file.write(b"x" * 200)
        file.write(b"y" * 200)
    after = (tmp_path / "vfs.bin").read_bytes()
    assert len(after) == 983_040
    assert {"before": 0, "torn": 64, "after": 128}[outcome] == longest(after, b"x")


def test_an_unknown_outcome_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="before, torn, after"):
        CutFlash(tmp_path, cut_at=1, outcome="burnt")


# What a computer's file system forgives, and the chip's does not.


async def test_what_is_moved_before_the_close_stays_empty(run) -> None:
    lines = await run(
        """
        import os
        file = open("new", "w")
        file.write("value")
        os.rename("new", "moved")
        print(os.stat("moved")[6])
        file.close()
        print(os.stat("moved")[6], os.listdir())
        """
    )
    assert lines == ["0", "0 ['main.py', 'moved']"]


async def test_what_nobody_closed_is_not_there(run) -> None:
    lines = await run(
        """
        import machine, os
        if machine.reset_cause() == machine.PWRON_RESET:
            kept, half = open("kept", "w"), open("half", "w")
            for file in (kept, half):
                file.write("value")
            kept.flush()
            kept.write("more")
            machine.reset()
        print(os.stat("kept")[6], os.stat("half")[6])
        """
    )
    assert lines == ["5 0"]


async def test_the_file_system_has_983_040_bytes(device: Device, run) -> None:
    (device.files / "ballast").write_bytes(bytes(900_000))
    lines = await run(
        """
        import os
        size, _, blocks, free = os.statvfs("/")[:4]
        print(size * blocks, 60_000 < size * free < 75_000)
        written = 0
        file = open("large", "wb")
        try:
            while True:
                file.write(bytes(4096))
                written += 4096
        except OSError as error:
            print(error.errno, written < size * free)
        file.close()  # says nothing, and keeps nothing
        print(os.stat("large")[6])
        os.remove("large")
        print(os.statvfs("/")[3] == free)
        """
    )
    assert lines == ["983040 True", "28 True", "0", "True"]


async def test_errors_are_littlefs_s(run) -> None:
    lines = await run(
        """
        import os
        os.mkdir("folder")
        os.mkdir("other")
        open("folder/file", "w").close()
        def error(function, *arguments):
            try:
                function(*arguments)
            except OSError as error:
                print(error.errno, end=" ")
        error(os.rmdir, "folder")  # not empty
        error(os.mkdir, "folder")  # is there
        error(open, "folder")  # is one
        error(open, "folder", "w")
        error(open, "folder/file", "x")
        error(open, "none/file", "w")
        error(open, "folder/file/none")
        error(os.rename, "folder/file", "other")
        error(os.rename, "none", "other")
        error(os.stat, 300 * "n")
        error(open, 256 * "n", "w")
        error(os.listdir, "folder/file")
        os.remove("other")  # a folder, too
        file = open("folder/file")
        file.close()
        try:
            file.read()
        except ValueError:
            print("closed")
        """
    )
    assert lines == ["39 17 21 21 17 2 20 21 2 2 36 20 closed"]


async def test_files_are_read_and_written_as_on_the_chip(run) -> None:
    await run(
        r"""
        with open("file", "w") as file:
            assert file.write("gr\u00fcn\r\n") == 7 and file.write(b"2") == 1
        with open("file") as file:
            assert file.read(3) == "gr\u00fc" and file.tell() == 4
            assert file.readline() == "n\r\n" and file.read() == "2" and file.read() == ""
            file.seek(0)
            assert file.readlines() == ["gr\u00fcn\r\n", "2"]
        with open("file", "r+b") as file:
            assert file.seek(-1, 2) == 7 and file.write("34") == 2
            file.seek(6)
            buffer = bytearray(5)
            assert file.readinto(buffer) == 3 and buffer == b"\n34\0\0"
        with open("file", "ab") as file:
            file.write(b"5")
        with open("file", "w+b") as file:
            file.write(b"anew")
            file.flush()
            file.seek(0)
            assert file.read() == b"anew"
        """
    )


# From outside.


async def test_an_image_is_the_same_file_system_for_every_interpreter(device: Device, run) -> None:
    """As on a chip: littlefs of version 2.1 in blocks of 4096 bytes, which MicroPython reads and writes."""
    (device.files / "from").mkdir()
    (device.files / "from/outside").write_bytes(bytes(range(256)) * 40)
    assert await run(
        """
        import os
        with open("from/outside", "rb") as file:
            assert file.read() == bytes(range(256)) * 40
        with open("from/inside", "wb") as file:
            file.write(bytes(range(255)) * 40)
        print(os.listdir("from"))
        """
    ) == ["['inside', 'outside']"]
    assert [path.name for path in (device.files / "from").iterdir()] == ["inside", "outside"]
    assert (device.files / "from/inside").read_bytes() == bytes(range(255)) * 40
    superblock = (device.folder / "vfs.bin").read_bytes()[:64]
    assert b"littlefs" in superblock and (2 << 16 | 1).to_bytes(4, "little") in superblock


async def test_files_are_not_changed_under_a_program(device: Device, load) -> None:
    load("import time\nprint('up')\ntime.sleep(60)")
    await device.power_on()
    await device.expect("^up$")
    assert (device.files / "main.py").exists()
    for action in (
        lambda: (device.files / "main.py").write_text("other"),
        (device.files / "main.py").unlink,
        (device.files / "folder").mkdir,
        device.install,
    ):
        with pytest.raises(InUse, match=r"vfs\.bin: in use by a device that has power"):
            action()
    with pytest.raises(InUse):
        await Device(device.folder, device.world, "24:0a:c4:00:00:02").power_on()
    await device.power_off()
    (device.files / "main.py").unlink()
    assert not list(device.files.iterdir())


async def test_the_flash_is_for_its_owner_s_eyes_only(device: Device, run) -> None:
    await run("import esp32\nesp32.NVS('iot').set_i32('a', 1)\nesp32.NVS('iot').commit()")
    paths = [device.folder, *device.folder.rglob("*")]
    assert len(paths) > 4
    assert not [path for path in paths if path.stat().st_mode & 0o077]


async def test_an_old_flash_is_closed_to_others(tmp_path, world) -> None:
    folder = tmp_path / "device"
    (folder / "nvs").mkdir(parents=True, mode=0o755)
    Image(folder / "vfs.bin").file.chmod(0o644)
    device = Device(folder, world)
    assert not [path for path in (folder / "nvs", folder / "vfs.bin") if path.stat().st_mode & 0o077]
    assert (device.files / "none").exists() is False


async def test_an_installation_writes_what_has_changed(device: Device) -> None:
    device.install()
    new = (device.folder / "vfs.bin").read_bytes()
    assert (device.files / "lib/iot/system.py").read_bytes() == (ROOT / "lib/iot/system.py").read_bytes()
    device.install()
    assert (device.folder / "vfs.bin").read_bytes() == new
    (device.files / "mine").write_text("stays")
    (device.files / "lib/iot/system.py").write_text("changed")
    device.install()
    assert (device.files / "lib/iot/system.py").read_bytes() == (ROOT / "lib/iot/system.py").read_bytes()
    assert (device.files / "mine").read_text() == "stays"


async def test_a_folder_for_debuggers(tmp_path, world, micropython) -> None:
    device = Device(tmp_path, world, micropython=micropython, flash="folder")
    device.install()
    (tmp_path / "files/main.py").write_text(
        "import os\nfrom firmware import settings\nos.mkdir('made')\nprint('main', settings.__file__)"
    )
    async with device:
        place = (await device.expect("^main (.*)$"))[1]
    assert (tmp_path / "files/made").is_dir()
    assert place == ("firmware/settings.py" if micropython else str(tmp_path / "files/firmware/settings.py"))
    with pytest.raises(ValueError, match="littlefs, folder"):
        Device(tmp_path, world, flash="fat")


NAMES = st.sampled_from(["a", "b", "folder/c"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from("wa"), NAMES, st.binary(max_size=5) | st.sampled_from([b"x" * 130, b"y" * 9000])
        ),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("rename"), st.just("a"), st.just("b")),
    ),
    max_size=8,
)


def changed(files: dict[str, bytes], change: tuple) -> dict[str, bytes]:
    """The files after a change; one that is not there can be neither moved nor removed."""
    kind, name = change[0], change[1]
    files = dict(files)
    if kind == "w":
        files[name] = change[2]
    elif kind == "a":
        files[name] = files.get(name, b"") + change[2]
    elif name in files:
        content = files.pop(name)
        if kind == "rename":
            files[change[2]] = content
    return files


def carry_out(change: tuple) -> None:
    kind, *arguments = change
    if kind in "wa":
        with open(arguments[0], kind + "b") as file:
            file.write(arguments[1])
    else:
        with contextlib.suppress(OSError):
            getattr(os, kind)(*arguments)


@given(changes=CHANGES, cut_at=st.integers(1, 60), outcome=st.sampled_from(OUTCOMES))
def test_a_cut_leaves_each_change_undone_or_done(
    tmp_path_factory, changes: list[tuple], cut_at: int, outcome: str
) -> None:
    """But for a new file, which is there, empty, once it was opened."""
    place = tmp_path_factory.mktemp("flash")
    Image(place / "vfs.bin").install({"/folder/kept": b"kept"})
    before: dict[str, bytes] = {"folder/kept": b"kept"}
    possible = [before]
    with CutFlash(place, cut_at, outcome).mounted():
        for change in changes:
            after = changed(before, change)
            possible = [before, after, {change[1]: b"", **before}]
            carry_out(change)
            before, possible = after, [after]
    files = Image(place / "vfs.bin").root.rglob("*")
    found = {str(path)[1:]: path.read_bytes() for path in files if not path.is_dir()}
    assert found in possible
