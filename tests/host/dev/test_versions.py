"""What is watched: the application's firmware/ and the library's lib/, and of that not what editors leave."""

import asyncio
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools.application import SETTING
from tools.dev import versions


@pytest.mark.parametrize("saved", ["lamp/firmware/app.py", "checkout/lib/iot/thing.py"])
async def test_what_is_saved_is_seen(saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("lamp/firmware", "checkout/lib/iot"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv(SETTING, str(tmp_path / "lamp"))
    monkeypatch.setattr(versions, "ROOT", tmp_path / "checkout")
    notice = asyncio.ensure_future(anext(versions.saved()))
    async with asyncio.timeout(PATIENCE_S):
        while not notice.done():  # nothing says when the watch has begun
            (tmp_path / saved).write_text("x = 1\n")
            await asyncio.sleep(0.2)
    notice.result()


@pytest.mark.parametrize(
    ("name", "counts"),
    [("app.py", True), ("words.json", True), (".app.py", False), ("app.py~", False), ("app.pyc", False)],
)
def test_what_editors_and_compilers_leave_does_not_count(name: str, counts: bool) -> None:
    assert versions._counts(versions.Change.modified, f"/lamp/firmware/{name}") is counts
