"""A chip's flash within the test's own process, to cut its power at every write of a piece of code."""

import builtins
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.sim.chip import OUTCOMES
from tools.sim.cpython import load_shim
from tools.sim.cpython.lfs import Mapped, VfsLfs2
from tools.sim.cpython.vfs import VfsPosix, file_calls
from tools.sim.files import Image, flash_shim

load_shim("_world")
_esp32 = load_shim("esp32")
partition_shim = load_shim("_partition")
del sys.modules["esp32"]  # there for whom it is mounted

PowerCut = flash_shim.PowerCut


class CutFlash:
    """A littlefs in `folder`/vfs.bin, NVS in `folder`/nvs, images in `folder`/ota_0.bin and ota_1.bin.

    What a cut leaves, the next CutFlash finds: each is a start of the chip, the bootloader's work included.
    While `mounted`, `open` and the file calls of `os` see these files only, and `esp32` these partitions and
    this NVS. With cut_at=n the n-th write, from 1, raises PowerCut, as does every write after it; what a
    write is and outcome, what of it is in flash: see `Device.cut_at_write`.
    """

    def __init__(self, folder: Path, cut_at: int = 0, outcome: str = "torn") -> None:
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome: one of {', '.join(OUTCOMES)}")
        self.writes = 0
        self._started = False
        self._cut_at = cut_at
        self._outcome = outcome
        (folder / "nvs").mkdir(parents=True, exist_ok=True)
        self.image = Image(folder / "vfs.bin")
        nvs = flash_shim.Folder(VfsPosix(), str(folder / "nvs"))
        self._flash = flash_shim.Flash(nvs, self._gate, self._cut)
        beside = flash_shim.Folder(VfsPosix(), str(folder))
        self.partitions = partition_shim.Partitions(self._flash, beside)
        self._flash.partitions = self.partitions

    @property
    def was_cut(self) -> bool:
        return 0 < self._cut_at <= self.writes

    def start(self) -> bool:
        """Do what the bootloader does, which `mounted` else does; whether the power was there to its end."""
        self._started = True
        with contextlib.suppress(PowerCut):
            self.partitions.boot()
        return not self.was_cut

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Be this process's file system and NVS; a power cut ends the block in peace."""
        with open(self.image.file, "r+b", buffering=0) as whole, Mapped(whole.fileno(), 0) as file:
            root = VfsLfs2(flash_shim.Blocks(file, self._flash))
            calls = file_calls(root)
            before = {name: getattr(os, name) for name in calls}
            flash_shim.current[0] = self._flash
            sys.modules["esp32"] = _esp32
            try:
                vars(os).update(calls)
                open_before, vars(builtins)["open"] = builtins.open, root.open
                if not self._started:
                    self.start()
                with contextlib.suppress(PowerCut):
                    yield
            finally:
                vars(builtins)["open"] = open_before
                vars(os).update(before)
                del sys.modules["esp32"]

    def _gate(self) -> str | None:
        if self.was_cut:
            return "before"  # no power: nothing is written any more
        self.writes += 1
        return self._outcome if self.was_cut else None

    def _cut(self) -> None:
        raise PowerCut
