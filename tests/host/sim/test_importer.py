"""What a simulated device has compiled is there for the next import of that text, whatever has its name."""

import importlib.abc
from pathlib import Path
from typing import Any

import pytest

from tools.sim.cpython import importer

NAME = "/pack/module.mpy"  # as the pack calls each module that is borrowed


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts that were compiled, in order."""
    texts = []
    compiles = importlib.abc.SourceLoader.source_to_code

    def noted(self: Any, data: bytes, *more: Any, **options: Any) -> Any:
        texts.append(data)
        return compiles(self, data, *more, **options)

    monkeypatch.setattr(importer, "_COMPILED", tmp_path / "sim")
    monkeypatch.setattr(importlib.abc.SourceLoader, "source_to_code", noted)
    return texts


def code(text: bytes, name: str = NAME) -> Any:
    return importer._Loader(None, None, name, name).source_to_code(text, name)


def test_texts_of_one_name_are_compiled_once_each(compiled: list[bytes]) -> None:
    for _ in range(3):
        for text in (b"a = 1", b"b = 2"):
            assert code(text).co_names == (text[:1].decode(),)
    assert compiled == [b"a = 1", b"b = 2"]


def test_a_text_of_another_name_tells_that_in_tracebacks(compiled: list[bytes]) -> None:
    assert code(b"a = 1").co_filename == NAME
    assert code(b"a = 1", "/lib/a.py").co_filename == "/lib/a.py"
    assert len(compiled) == 2


@pytest.mark.parametrize("damaged", [b"", b"rubbish", b"\xe3"])
def test_what_is_damaged_is_compiled_anew(compiled: list[bytes], damaged: bytes, tmp_path: Path) -> None:
    code(b"a = 1")
    [kept] = (tmp_path / "sim").iterdir()
    kept.write_bytes(damaged)
    assert code(b"a = 1").co_names == ("a",)
    assert len(compiled) == 2
    assert code(b"a = 1").co_names == ("a",)
    assert len(compiled) == 2


def test_without_a_place_for_it_it_is_compiled_each_time(compiled: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "sim").write_bytes(b"a file")
    for _ in range(2):
        assert code(b"a = 1").co_names == ("a",)
    assert len(compiled) == 2
