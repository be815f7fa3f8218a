"""`python3 -m tools dashboard`, and the page of `python3 -m tools cloud`."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[3]
LISTEN = "127.0.0.1"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "dashboard", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


async def started(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """A verb that goes on, and the address of its page."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tools", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    assert process.stdout
    async with asyncio.timeout(PATIENCE_S):
        while line := (await process.stdout.readline()).decode():
            if line.startswith(("the live page: ", "Open ")):
                return process, next(word for word in line.split() if word.startswith("http"))
    raise AssertionError((await process.communicate())[1].decode())


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE_S):
        _, err = await process.communicate()
    return process.returncode, err.decode()


def fetched(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        found: dict[str, object] = json.load(answer)
    return found


async def test_a_cloud_has_a_page_and_another_beside_it(tmp_path: Path) -> None:
    cloud, url = await started("cloud", "--port", "0", "--state", str(tmp_path))
    fleet = await asyncio.to_thread(fetched, f"{url}api/fleet")
    assert (fleet["devices"], fleet["simulation"], fleet["writable"]) == ([], False, True)
    other, url = await started("dashboard", "--port", "0", "--state", str(tmp_path))
    assert (await asyncio.to_thread(fetched, f"{url}api/fleet"))["where"] == fleet["where"]
    status, said = await ended(other)
    assert status == 0 and said.startswith(f"another page keeps its history in {tmp_path}")
    assert await ended(cloud) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("--write",), 2, "go with --aws"),
        (("--aws", "--releases", "build/release"), 2, "needs --bucket and --role"),
        (("--port", "65536"), 2, "0 to 65535"),
        (("--state", "/no/such/state"), 1, "Start it: python3 -m tools cloud"),
        (("--aws", "--profile", "no-such-profile"), 1, "no-such-profile"),
    ],
)
def test_what_cannot_start_says_why(arguments: tuple[str, ...], status: int, text: str) -> None:
    done = run(*arguments)
    assert done.returncode == status and text in done.stderr, done
    assert "Traceback" not in done.stderr


async def test_a_port_that_is_taken_is_no_reason_for_a_cloud_to_end(tmp_path: Path) -> None:
    with socket.create_server((LISTEN, 0)) as taken:
        port = taken.getsockname()[1]
        pipe = asyncio.subprocess.PIPE
        command = ("-m", "tools", "cloud", "--port", "0", "--state", str(tmp_path), "--page-port", str(port))
        cloud = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, stdout=pipe, stderr=pipe
        )
        assert cloud.stderr
        async with asyncio.timeout(PATIENCE_S):
            line = (await cloud.stderr.readline()).decode()
        assert line.startswith("no live page: cannot listen on localhost port") and "--page-port" in line
        assert await ended(cloud) == (0, "")


def test_nothing_of_it_is_imported_before_it_is_needed() -> None:
    program = "import sys, tools.run, tools.cloud.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not [name for name in done.stdout.split() if "dashboard" in name or name.startswith("boto")]
