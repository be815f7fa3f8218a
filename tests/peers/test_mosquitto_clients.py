"""The commands that `python3 -m tools cloud client` prints are run as they stand: mosquitto's own clients."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from tests.host.board.support import run_verb
from tests.patience import PATIENCE_S
from tools.cloud import Cloud

if not shutil.which("mosquitto_sub"):
    pytest.skip("mosquitto_sub is not installed (Debian: mosquitto-clients)", allow_module_level=True)


async def test_the_printed_lines_run_as_they_stand(tmp_path: Path) -> None:
    state = tmp_path / "it's here"  # what a shell must not take apart
    async with Cloud(state):
        done = await run_verb("cloud", "client", "laptop", "--state", str(state))
        assert done.status == 0, done.err
        receive, send = (re.findall(rf"(?m)^{word} +(.*)$", done.out)[0] for word in ("receive", "send"))
        assert (await run_verb("cloud", "send", "--state", str(state), "--retain", "first", "x")).status == 0
        receiver = await asyncio.create_subprocess_shell(
            f"exec {receive} -t first", stdout=asyncio.subprocess.PIPE, cwd="/"
        )
        assert receiver.stdout
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert await receiver.stdout.readline() == b"first x\n"  # retained: it has subscribed
                sender = await asyncio.create_subprocess_shell(send, cwd="/")
                assert await sender.wait() == 0
                assert await receiver.stdout.readline() == b"hello hi\n"
        finally:
            receiver.terminate()
            await receiver.wait()
