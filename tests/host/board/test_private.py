"""Private names in compiled modules: in ROM where no other can mean them; tracebacks have them back."""

from pathlib import Path

import pytest

from tools import application
from tools.board import files
from tools.board.mpy import NOBODY, _number, table
from tools.board.private import _NUMBERS, in_rom, rom_names
from tools.board.tracebacks import readable
from tools.board.view import own_names

SOURCE = b"""
import _thread

_GROWS = [1]

class _Crate:
    def __init__(self, weight):
        self._weight = weight
        self._lid_is_open = _GROWS

    def _lift(self, crane):
        return crane._hook, self._lid_is_open, hasattr(self, "_text_of_it")

    def _text_of_it(self):
        return _thread, self.__dict__

def _shout():
    return _Crate(1)._weight
"""


def compiled(source: bytes, name: str = "lib/iot/crate.py") -> bytes:
    return files.compile_as_it_is(source, name)


def numbers(module: bytes) -> list[int]:
    """Of the names in an .mpy that are in ROM."""
    found = []
    count, at = _number(module, 4)
    _, at = _number(module, at)
    for _ in range(count):
        length, at = _number(module, at)
        if length & 1:
            found.append(length >> 1)
        else:
            at += (length >> 1) + 1
    return found


def test_what_is_the_module_s_alone_is_in_rom() -> None:
    names = table(in_rom(compiled(SOURCE), SOURCE))
    for name in (b"_GROWS", b"_Crate", b"_lid_is_open", b"_lift", b"_shout"):
        assert name in table(compiled(SOURCE)) and name not in names, name
    given = [*rom_names(compiled(SOURCE), SOURCE).values()]
    assert len(set(given)) == len(given) == 5


def test_what_an_application_takes_up_is_no_longer_the_module_s_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the module is the same, and was compiled before."""
    monkeypatch.setenv(application.SETTING, str(tmp_path))
    files.look_again()
    assert b"_shout" not in table(files.compile_for_chip(SOURCE, "lib/iot/crate.py"))
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware/app.py").write_text("async def main(thing):\n    thing._shout(weight=1)\n")
    files.look_again()
    names = table(files.compile_for_chip(SOURCE, "lib/iot/crate.py"))
    monkeypatch.undo()
    files.look_again()
    assert b"_shout" in names and b"_lift" not in names


def test_a_word_of_the_module_keeps_its_meaning_there() -> None:
    source = SOURCE.replace(b"import _thread", b"import _thread  # no ArithmeticError, or AssertionError")
    assert list(rom_names(compiled(SOURCE), SOURCE).values())[:2] == [b"ArithmeticError", b"AssertionError"]
    assert list(rom_names(compiled(source), source).values())[:2] == [b"AttributeError", b"BaseException"]


def test_the_numbers_are_mpy_cross_s() -> None:
    """A compiler makes the same of those words, and so MicroPython of the numbers."""
    for name, number in _NUMBERS.items():
        module = compiled(b"x." + name)
        assert number in numbers(module), name
    assert NOBODY in numbers(compiled(b"x._"))


def test_what_others_may_mean_stays() -> None:
    """Another object's attribute, a text, a module, what Python itself means."""
    names = table(in_rom(compiled(SOURCE), SOURCE))
    in_source = table(compiled(SOURCE))
    for name in (b"_hook", b"_text_of_it", b"_thread", b"_weight"):
        assert (name in names) == (name in in_source), name


def test_a_name_that_another_module_comes_to_mean_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the module itself is as it was."""
    name = "lib/iot/mqtt/connection.py"
    source = (files.ROOT / name).read_bytes()
    assert b"_packet" not in table(files.compile_for_chip(source, name))
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware/settings.py").write_text("")
    (tmp_path / "firmware/app.py").write_text("def own(connection):\n    return connection._packet\n")
    with monkeypatch.context() as patch:
        patch.setenv(application.SETTING, str(tmp_path))
        files.look_again()
        assert b"_packet" in table(files.compile_for_chip(source, name))
    files.look_again()
    assert b"_packet" not in table(files.compile_for_chip(source, name))


def test_the_library_has_fewer_names_and_none_twice() -> None:
    before, after = set(), set()
    for file in files.library_files():
        source = (files.ROOT / file).read_bytes()
        module = compiled(source, file.as_posix())
        names = table(in_rom(module, source))
        assert len(set(names)) == len(names), file
        assert len(table(module)) - len(names) == len(rom_names(module, source)), file
        before.update(table(module))
        after.update(names)
    assert len(before) - len(after) > 150


@pytest.mark.parametrize("place", ["iot.mqtt.connection", "/pack/iot/mqtt/connection.mpy"])
def test_a_traceback_has_its_functions_names(place: str) -> None:
    """By the module's name; by its path in a pack, as before."""
    file = "lib/iot/mqtt/connection.py"
    source = (files.ROOT / file).read_bytes()
    name = rom_names(compiled(source, file), source)[b"_packet"].decode()
    line = f'  File "{place}", line 1, in {name}'
    assert own_names(line) == f'  File "{place}", line 1, in _packet'


@pytest.mark.parametrize(
    "line",
    [
        "     1.234 I app: in _3",
        '  File "iot.mqtt.connection", line 1, in run',
        '  File "iot.nowhere", line 1, in _3',
        '  File "/pack/iot/nowhere.mpy", line 1, in _3',
        '  File "/pack/firmware/app.mpy", line 1, in KeyError',
        '  File "iot.mqtt.connection", line 1, in _Z',
    ],
)
def test_any_other_line_stays(line: str) -> None:
    assert own_names(line) == readable(line) == line
