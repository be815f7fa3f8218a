"""What is saved: refused with its line, brought, kept, or taken back; the device here is a dictionary."""

import asyncio
from collections.abc import Iterable

from tools.dev import loop as module
from tools.dev.loop import Loop
from tools.dev.versions import Files

APP = "/firmware/app.py"
GOOD, BETTER, WORSE = b"VERSION = 1\n", b"VERSION = 2\n", b"VERSION = 3\n"


class Device:
    """What it runs, by path; what it fails with."""

    def __init__(self) -> None:
        self.files: Files = {APP: GOOD}
        self.failure: Exception | None = None
        self.told: list[str] = []

    async def bring(self, files: Files, changed: Files, removed: Iterable[str]) -> None:
        if self.failure:
            raise self.failure
        self.files = {path: data for path, data in ({**self.files, **changed}).items() if path not in removed}
        assert self.files == files

    def say(self, text: str, _style: str) -> None:
        self.told.append(text)


class Bench:
    """A loop between a folder and a device, both dictionaries."""

    def __init__(self) -> None:
        self.device, self.saved = Device(), {APP: GOOD}
        self.gone = ""
        self.loop = Loop(self.device, self.device.say, self.here(), (OSError,), self.here)

    def here(self) -> Files:
        if self.gone:
            raise FileNotFoundError(f"{self.gone}: no such file")
        return dict(self.saved)

    async def save(self, **files: bytes | None) -> None:
        for name, data in files.items():
            path = f"/firmware/{name}.py"
            if data is None:
                del self.saved[path]
            else:
                self.saved[path] = data
        await self.loop.take()


async def test_only_what_compiles_comes_to_the_device() -> None:
    bench = Bench()
    await bench.save(app=b"x = 1\n\ndef f(:\n    pass\n", other=GOOD)
    assert bench.device.files == {APP: GOOD}
    complaint, kept = bench.device.told
    assert 'File "firmware/app.py", line 3' in complaint and "SyntaxError" in complaint
    assert kept.startswith("not brought")
    await bench.save(app=BETTER)
    assert bench.device.files == {APP: BETTER, "/firmware/other.py": GOOD}
    await bench.save(other=None)
    assert bench.device.files == {APP: BETTER}


async def test_what_was_saved_without_a_change_disturbs_nobody() -> None:
    bench = Bench()
    await bench.save(app=GOOD)
    assert bench.device.told == []


async def test_a_traceback_takes_back_what_has_not_proved_itself() -> None:
    bench = Bench()
    bench.loop._keep()  # ten seconds have passed
    await bench.save(app=WORSE)
    bench.loop.on_traceback()
    bench.loop.on_traceback()  # another of the same version
    await asyncio.gather(*bench.loop._tasks)
    assert bench.device.files == {APP: GOOD}
    assert sum(text.startswith("taken back") for text in bench.device.told) == 1
    await bench.save(app=WORSE)  # saved again: tried again
    assert bench.device.files == {APP: WORSE}


async def test_a_version_that_has_proved_itself_stays(monkeypatch) -> None:
    bench = Bench()
    bench.loop._keep()
    monkeypatch.setattr(module, "TRIAL_S", 0)
    await bench.save(app=BETTER)
    await asyncio.sleep(0.01)
    bench.loop.on_traceback()
    await asyncio.gather(*bench.loop._tasks)
    assert bench.device.files == {APP: BETTER}


async def test_a_device_that_does_not_take_it_is_told_of_and_tried_again() -> None:
    bench = Bench()
    bench.device.failure = OSError("the cable is out")
    await bench.save(app=BETTER)
    assert bench.device.told[-1] == "the cable is out"
    bench.device.failure = None
    await bench.save(other=GOOD)
    assert bench.device.files == {APP: BETTER, "/firmware/other.py": GOOD}


async def test_files_that_cannot_be_read_are_told_of_and_read_again() -> None:
    """As where one goes while all are read, in a checkout of another branch."""
    bench = Bench()
    bench.gone = "app.py"
    await bench.loop.take()
    assert bench.device.told == ["app.py: no such file"]
    bench.gone = ""
    await bench.save(app=BETTER)
    assert bench.device.files == {APP: BETTER}
