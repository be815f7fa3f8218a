"""Devices that are forked are as those with an interpreter of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S, block_until
from tools.sim import Device, forked

pytestmark = pytest.mark.skipif(not forked.AVAILABLE, reason="devices are not forked on this system")
ROOT = Path(__file__).resolve().parents[3]
Run = Callable[[str], Awaitable[list[str]]]

MODULES = """
import sys
for name in sorted(sys.modules):
    print(name)
"""
# The chip's `os` does not tell: CPython's own does, which is below that.
PROCESS = """
import posix, signal, sys

def lines(path):
    file = posix.open(path, 0)
    try:
        return posix.read(file, 65536).decode().splitlines()
    finally:
        posix.close(file)

print(posix.getcwdb(), posix.umask(0o077), posix.getsid(0) == posix.getpgid(0) == posix.getpid())
for pair in sorted(posix.environ.items()):
    print(pair)
for line in lines("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn", "SigCgt", "Threads")):
        print(line)
print(signal.set_wakeup_fd(-1), [(number, signal.getsignal(number)) for number in (2, 13, 15, 17)])
print(len(posix.listdir("/proc/self/fd")), sys.flags, sys.path, len(sys.argv))
for stream in sys.stdin, sys.stdout, sys.stderr:
    print(stream, stream.line_buffering, stream.write_through, stream.isatty())
print(sys.stdin.seekable(), sys.stdout.seekable())
"""
BUSY = """
import posix
print("pid", posix.getpid())
while True:
    pass
"""
LAUNCHER = """
import asyncio, os, sys
from pathlib import Path
from tools.sim import Device, World, forked

async def main():
    async with World() as world:
        device = Device(Path(sys.argv[1]), world)
        (device.files / "main.py").write_text(sys.argv[2])
        await device.power_on()
        pid = (await device.expect("^pid (.*)$"))[1]
        print(pid, forked._servers[0][0].pid, flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.fixture
def micropython() -> None:
    """CPython alone is forked."""


@pytest.mark.parametrize("program", [MODULES, PROCESS], ids=["modules", "process"])
async def test_a_program_finds_what_it_finds_unforked(
    monkeypatch: pytest.MonkeyPatch, run: Run, program: str
) -> None:
    monkeypatch.setenv("FRESH", "by now")
    printed = await run(program)
    monkeypatch.setattr(forked, "AVAILABLE", False)
    assert printed == await run(program)
    assert len(printed) > 20


async def test_each_has_random_numbers_of_its_own(run: Run) -> None:
    program = "import os, random\nprint(os.urandom(8), random.getrandbits(64))"
    assert await run(program) != await run(program)


async def test_the_next_one_starts_where_the_parent_was_killed(run: Run) -> None:
    assert await run("print(1)") == ["1"]
    server, _ = forked._servers[0]
    server.kill()
    server.wait()
    assert await run("print(2)") == ["2"]


async def test_power_that_goes_at_once_leaves_no_process(device: Device) -> None:
    server = forked._servers[0][0].pid if forked._servers else 0
    for _ in range(20):
        await device.power_on()
        await device.power_off()
    children = Path(f"/proc/{server}/task/{server}/children")
    if server:
        block_until(lambda: not children.read_text())


def test_all_end_with_the_launcher(tmp_path: Path) -> None:
    """However that ends; the device would not notice by itself."""
    command = [sys.executable, "-c", LAUNCHER, str(tmp_path / "device"), BUSY]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout
        pids = [int(pid) for pid in launcher.stdout.readline().split()]
        assert len(pids) == 2
        launcher.send_signal(signal.SIGKILL)
        launcher.wait(PATIENCE_S)
    block_until(lambda: not any(is_alive(pid) for pid in pids), "their end")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
