"""docs/first-sensor.md, gone through: its application and its test as they stand there, and its mistake."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.dev import versions
from tools.dev.scene import Scene
from tools.new.project import make, source
from tools.sim.wiring import wire
from tools.testing import scene

__all__ = ["scene"]
PAGE = (Path(__file__).resolve().parents[2] / "docs/first-sensor.md").read_text("utf-8")
(SENSORS,) = re.findall(r"(?s)```json\n(.*?)```", PAGE)
APP, TEST = re.findall(r"(?s)```python\n(.*?)```", PAGE)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder, as the page has it in the end; it is the current one."""
    folder = tmp_path / "twilight"
    made = make(folder, source(None))
    assert f"{len(made)} files, among them firmware/app.py and tests/test_app.py" in PAGE
    (folder / "sensors.json").write_text(SENSORS)
    (folder / "firmware/app.py").write_text(APP)
    monkeypatch.setenv("IOT_APP", str(folder))
    monkeypatch.chdir(folder)
    yield folder


async def test_it_sends_what_the_page_shows(project: Path, scene: Scene) -> None:
    wire(scene.device.chip.peripherals.wiring, project / "sensors.json")
    (shown,) = re.findall(r"s  subscriber +telemetry/\S+ (.*)", PAGE)
    while (sent := await scene.message(f"telemetry/{scene.name}"))["volts"] == 0:  # before it was wired
        pass
    assert sent == json.loads(shown)


async def test_its_test_passes(project: Path, scene: Scene) -> None:
    found: dict[str, Any] = {}
    exec(compile(TEST, "docs/first-sensor.md", "exec"), found)
    await found["test_it_tells_when_it_is_dark"](scene)
    assert scene.name == "twilight-240ac4000001" and scene.name in PAGE
    assert not [line for line in scene.device.lines if " E " in line]


def test_its_mistake_is_told_as_it_says(project: Path) -> None:
    (project / "firmware/app.py").write_text(APP.replace("while True:", "while True"))
    (complaint,) = versions.complaints(["/firmware/app.py"], versions.here())
    for line in complaint.splitlines()[1:]:
        assert re.search(rf"s  dev +{re.escape(line.strip())}$", PAGE, re.MULTILINE), line
