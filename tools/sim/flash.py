"""A chip's flash within the test's own process, to cut its power at every write of a piece of code."""

import builtins
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.sim.chip import OUTCOMES
from tools.sim.cpython import load_shim
from tools.sim.cpython.vfs import VfsPosix, file_calls

load_shim("_world")
_flash = load_shim("_flash")
_esp32 = load_shim("esp32")
del sys.modules["esp32"]  # there for whom it is mounted

PowerCut = _flash.PowerCut


class CutFlash:
    """Files in `folder`/files and NVS in `folder`/nvs; what a cut leaves is there for the next CutFlash.

    While `mounted`, `open` and the file calls of `os` see these files only, and `esp32.NVS` this NVS. With
    cut_at=n the n-th write, from 1, raises PowerCut, as does every write after it; outcome: what of that
    write is in flash, see `Device.cut_at_write`.
    """

    def __init__(self, folder: Path, cut_at: int = 0, outcome: str = "torn") -> None:
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome: one of {', '.join(OUTCOMES)}")
        self.writes = 0
        self._cut_at = cut_at
        self._outcome = outcome
        for part in ("files", "nvs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        files, nvs = (_flash.Folder(VfsPosix(), str(folder / part)) for part in ("files", "nvs"))
        self._flash = _flash.Flash(files, nvs, self._gate, self._cut)

    @property
    def was_cut(self) -> bool:
        return 0 < self._cut_at <= self.writes

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Be this process's file system and NVS; a power cut ends the block in peace."""
        root = _flash.FlashVfs(self._flash)
        calls = file_calls(root)
        before = {name: getattr(os, name) for name in calls}
        _flash.current[0] = self._flash
        sys.modules["esp32"] = _esp32
        try:
            vars(os).update(calls)
            builtins.open, open_before = root.open, builtins.open
            with contextlib.suppress(PowerCut):
                yield
        finally:
            builtins.open = open_before
            vars(os).update(before)
            del sys.modules["esp32"]

    def _gate(self) -> str | None:
        if self.was_cut:
            return "before"  # no power: nothing is written any more
        self.writes += 1
        return self._outcome if self.was_cut else None

    def _cut(self) -> None:
        raise PowerCut
