"""`python3 -m tools sim`: the terminal is the console of a device that runs the real device code."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools.sim.device import ROOT
from tools.sim.files import Image


@pytest.mark.parametrize("arguments", [(), ("--packed",)], ids=["files", "packed"])
async def test_the_terminal_is_the_console_until_ctrl_c(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools", "sim", "--folder", str(tmp_path / "device"), *arguments),
        cwd=ROOT,
        env={**os.environ, "MICROPYTHON": ""},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdin and process.stdout
    try:
        async with asyncio.timeout(PATIENCE_S):
            while b"mode CONFIG" not in await process.stdout.readline():
                assert process.returncode is None
            process.stdin.write(b"status\n")
            while b'"mode": "CONFIG"' not in await process.stdout.readline():
                assert process.returncode is None
            process.send_signal(signal.SIGINT)
            assert b"power off" in await process.stdout.read()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    files = Image(tmp_path / "device" / "vfs.bin").root
    assert (files / "main.py").exists()
    assert (
        (files / "firmware.pack").exists() == (not (files / "firmware").exists()) == ("--packed" in arguments)
    )


async def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools", "sim", "--folder", str(tmp_path / "file" / "device")),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 1
    assert output.startswith(b"error: ") and b"Traceback" not in output
