"""`python3 -m tools sim files`: what is in a simulated device's flash, and copies from and to it."""

import argparse
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from littlefs import lfs

from tools.sim import Device, World, cli
from tools.sim.cpython.lfs import Memory, VfsLfs2
from tools.sim.files import Image, blocks

SECRET = bytes(range(256)) * 30


def sim(folder: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.main(parser.parse_args(["--folder", str(folder), "files", *arguments]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a flash with some files."""
    folder = tmp_path / "device"
    folder.mkdir()
    Image(folder / "vfs.bin").install({"/main.py": b"print()\n", "/certs/deep/thing": SECRET})
    return folder


def test_all_is_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim(folder) == sim(folder, "ls", ":") == 0
    lines = capsys.readouterr().out.splitlines()
    first, second = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    assert first == second
    assert [line.strip() for line in first[:-1]] == [
        ":/certs/", ":/certs/deep/", "7680 :/certs/deep/thing", "8 :/main.py",
    ]  # fmt: skip
    assert first[-1].endswith(" bytes of 983040 are free") and int(first[-1].split()[0]) > 940_000
    assert sim(folder, "ls", ":certs/deep/thing") == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["7680", ":/certs/deep/thing"]


def test_copies_there_and_back(folder: Path, tmp_path: Path) -> None:
    assert sim(folder, "cp", ":certs", str(tmp_path / "out")) == 0
    assert (tmp_path / "out/deep/thing").read_bytes() == SECRET
    (tmp_path / "out/new").write_text("new")
    assert sim(folder, "cp", str(tmp_path / "out"), ":/copy/of") == 0
    assert sim(folder, "cp", ":copy/of/new", str(tmp_path / "new")) == 0
    assert (tmp_path / "new").read_text() == "new"
    assert sim(folder, "cp", str(tmp_path / "new"), ":main.py") == 0
    files = Image(folder / "vfs.bin").root
    assert (files / "main.py").read_text() == "new" and (files / "copy/of/deep/thing").read_bytes() == SECRET


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ls", "lib"], "lib: a path on the device begins with a colon"),
        (["cp", "here", "there"], "one of the two paths is on the device"),
        (["cp", ":main.py", ":there"], "one of the two paths is on the device"),
        (["cp", ":none", "there"], ":/none: no such file or folder"),
        (["cp", "{}/none", ":there"], "none"),
        (["cp", "{}/large", ":large"], ":/large: No space left on device"),
        (["cp", "{}/large", ":certs"], ":/certs: Is a directory"),
        (["ls", ":none"], "none"),
    ],
)
def test_errors_name_the_path_and_nothing_is_changed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "large").write_bytes(bytes(1_000_000))
    before = (folder / "vfs.bin").read_bytes()
    assert sim(folder, *(argument.format(tmp_path) for argument in arguments)) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error
    assert (folder / "vfs.bin").read_bytes() == before


def test_without_a_flash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim(tmp_path / "none") == 1
    assert "there is no flash" in capsys.readouterr().err and not os.listdir(tmp_path)


async def test_a_device_with_power_is_not_written_to(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").write_text("new")
    async with World() as world, Device(folder, world):
        assert sim(folder, "cp", str(tmp_path / "new"), ":main.py") == 1
        assert "in use by a device that has power" in capsys.readouterr().err
        assert sim(folder, "cp", ":main.py", str(tmp_path / "out")) == 0
    assert (tmp_path / "out").read_bytes() == b"print()\n"


@pytest.mark.parametrize("name, path", [("file_open", "/new"), ("dir_open", "/")])
def test_ctrl_c_in_the_midst_of_littlefs_leaves_it_whole(
    monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    """On the chip it comes between two bytecodes; littlefs never loses what it has open."""
    real: Callable[..., Any] = getattr(lfs, name)

    def interrupted(*arguments: object) -> object:
        opened = real(*arguments)
        signal.raise_signal(signal.SIGINT)
        return opened

    device = blocks(Memory(b"\xff" * 4096 * 8))
    VfsLfs2.mkfs(device)
    vfs = VfsLfs2(device)
    for _ in range(20):  # what littlefs had lost, one of the next had the place of
        monkeypatch.setattr(lfs, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(vfs.ilistdir(path)) if name == "dir_open" else vfs.open(path, "wb")
        monkeypatch.setattr(lfs, name, real)
        with vfs.open("/kept", "wb") as file:
            file.write(b"all")
        assert ("kept", 0x8000, 0, 3) in list(vfs.ilistdir("/"))
