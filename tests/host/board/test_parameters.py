"""Names of parameters in compiled modules: gone where nobody passes by name, and nothing else is changed."""

import ast

import pytest

from tools.board import files, parameters
from tools.board.parameters import without_names

ROOT = files.ROOT
SOURCE = b"""

aloft = 3

class Crate:
    def __init__(self, weight_g, colour):
        self.colour = colour
        self._weight = weight_g

    def lifted(self, aloft, crane, topic_filter):
        return crane + topic_filter

def shout(enumerate, wording, text="text"):
    return lambda loudness: wording
"""


def compiled(source: bytes, name: str = "lib/iot/crate.py") -> bytes:
    module = files.compile_as_it_is(source, name)
    return without_names(module, source) if name.startswith("lib/") else module


def test_names_that_nobody_passes_are_gone_and_all_others_stay() -> None:
    module = compiled(SOURCE)
    for name in (b"weight_g", b"crane", b"wording", b"loudness"):
        assert name not in module, name
    # An attribute, a global, a keyword of a call elsewhere, a builtin, what is also a text.
    for name in (
        b"colour",
        b"aloft",
        b"topic_filter",
        b"enumerate",
        b"_weight",
        b"lifted",
        b"shout",
        b"Crate",
    ):
        assert name in module, name


def test_what_is_the_user_s_keeps_its_names() -> None:
    assert b"weight_g" in compiled(SOURCE, "firmware/crate.py")


@pytest.mark.parametrize("called", parameters._CALLED)
def test_what_an_application_calls_keeps_its_parameters(called: str) -> None:
    name = f"lib/iot/{called}.py"
    source = (ROOT / name).read_bytes()
    module = compiled(source, name)
    assert without_names(module, source) == module
    assert parameters._parameters_alone(ast.parse(source)) <= parameters.passed_by_name()


def test_a_module_without_such_parameters_is_the_same() -> None:
    source = b"def f():\n    return 1\n"
    module = compiled(source)
    assert without_names(module, source) == module


def test_every_device_module_keeps_what_it_is_made_of() -> None:
    shorter = 0
    for file in files.library_files():
        source = (ROOT / file).read_bytes()
        module = compiled(source, file.as_posix())
        assert without_names(module, source) == module, "what is nameless once is so for good"
        names = parameters._parameters_alone(ast.parse(source))
        shorter += any(name.encode() not in module for name in names)
    assert shorter > 20
