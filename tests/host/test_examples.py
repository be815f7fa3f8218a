"""firmware/examples: each an application as `tools new` makes one, and none of them a part of another."""

from pathlib import Path

import pytest

from tools import application
from tools.board import files

EXAMPLES = sorted(path for path in (files.ROOT / "firmware/examples").iterdir() if path.is_dir())
OF_ITS_OWN = {"FRAME_SIZE", "JPEG_QUALITY", "FRAMES_BEFORE", "CAMERA_PINS"}


def test_what_the_product_is_made_of_has_no_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(application.SETTING, raising=False)
    assert not [file for file in files.device_files() if "examples" in file.parts]
    assert files.ROOT / "firmware/app.py" in application.files(files.ROOT)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_an_application_with_all_of_the_settings(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(application.SETTING, str(example))
    assert application.is_own() and application.complaint() == ""
    settings = files.values(files.ROOT)
    assert files.values(example).keys() - OF_ITS_OWN == settings.keys()
    assert files.values(example)["PRODUCT"] == example.name
    own = [file for file in files.device_files() if file.parts[0] == "firmware"]
    assert Path("firmware/app.py") in own
    for file in own:
        files.compile_for_chip(files.located(file).read_bytes(), file.as_posix())
