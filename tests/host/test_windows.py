"""What runs on Windows, and what says that it does not: by a Python that lacks what it lacks there."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.host.cloud import support as raw
from tools.__main__ import NEED_UNIX, VERBS
from tools.cloud import Cloud

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-X", "warn_default_encoding", "tests/host/windows.py")
CONSOLE = {**os.environ, "PYTHONIOENCODING": "cp1252"}


async def run(*arguments: str) -> tuple[int | None, str]:
    """Run a verb to its end; returns its status and all it said."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, cwd=ROOT, env=CONSOLE, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode("cp1252")


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """A verb while it runs; Ctrl-C must end it with 0."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, cwd=ROOT, env=CONSOLE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
        process.send_signal(signal.SIGINT)
        await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def test_every_other_verb_finds_what_it_imports() -> None:
    modules = [module for verb, (module, _) in VERBS.items() if verb not in NEED_UNIX]
    program = f"from tests.host.windows import be_windows as be\nbe()\nimport {', '.join(modules)}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("verb", NEED_UNIX)
async def test_what_does_not_run_there_says_so(verb: str) -> None:
    status, output = await run(verb)
    assert status == 1, output
    assert output.strip() == f"{verb}: runs on Linux and macOS; on Windows in WSL (wsl --install)"


async def heard(output: asyncio.StreamReader, text: bytes) -> None:
    """Until the program prints it; its live page has a line, and a client, of its own."""
    while text not in (line := await output.readline()) or b"dashboard" in line:
        assert line, "the cloud ended"


async def test_the_local_cloud_runs(tmp_path: Path) -> None:
    state = tmp_path / "state"
    cloud = Cloud(state)
    identity, root_ca = cloud.create_identity(raw.ANYTHING), cloud.root_ca
    cloud._database.close()
    configuration = tmp_path / "board.json"
    options = ("--port", "0", "--state", str(state), "--wifi", "Home:", "--write-config", str(configuration))
    async with running("cloud", *options) as output:
        listens = re.search(rb"port (\d+)", await output.readline())
        assert listens
        while b"next: " not in (line := await output.readline()):
            assert line, "the cloud ended"
        status, refusal = await run("cloud", "--port", "0", "--state", str(state))
        assert status == 1 and "in use by another cloud" in refusal
        context = raw.client_context(root_ca, identity, tmp_path)
        peer = raw.Peer(*await asyncio.open_connection("localhost", int(listens[1]), ssl=context))
        await peer.connect("Lampe → ß")
        await heard(output, b" connected from")
        await peer.disconnect()
        await heard(output, b" disconnected")
    status, _ = await run("configure", "--check", str(configuration))
    assert status == 0


async def test_the_page_is_served() -> None:
    async with running("phone", "--port", "0") as output:
        url = re.search(rb"http://\S+", await output.readline())
        assert url
        async with aiohttp.ClientSession() as session, session.get(url[0].decode()) as response:
            assert response.status == 200
            assert "text/html" in response.headers["Content-Type"]
