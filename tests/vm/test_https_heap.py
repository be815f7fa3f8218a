"""What an upload by HTTPS takes of the heap in the real MicroPython VM: its code, and all that it holds."""

import hashlib
from pathlib import Path

import pytest

from tests.vm.test_pack import Flash
from tests.vm.test_vm import ROOT, VERSIONS
from tools.board.files import compile_for_chip

MOST_BYTES = 24 * 1024  # issue 17's bound
SIZE = 2_000_000
LIBRARY = ROOT / "lib"
MODULES = tuple(f"iot/{name}" for name in ("__init__", "memory", "events", "tls", "https"))
URL = "https://bucket.s3.eu-central-1.amazonaws.com/pictures/1.jpg?X-Amz-Security-Token=" + 1800 * "x"
CODE = """
from iot import events, tls  # which stay
digest, got = hashlib.sha256(), [0, b""]
answer = [b"HTTP/1.1 200 OK\\r\\nx-amz-request-id: 1\\r\\nETag: \\"1\\"\\r\\nContent-Length: 0\\r\\n\\r\\n"]

class Socket:
    def readinto(self, view):
        return None

class Stream:  # takes a third of what is written at once, as a TLS socket that is full; the rest is a copy
    s, rest = Socket(), b""

    def write(self, data):
        third = len(data) // 3
        self.take(data[:third])
        self.rest += data[third:]

    async def drain(self):
        await asyncio.sleep_ms(0)
        self.take(self.rest)
        self.rest = b""

    def take(self, data):
        if not got[0]:  # the head
            got[1] += data
            got[0] = got[1].endswith(b"\\r\\n\\r\\n")
        else:
            digest.update(data)
            got[0] += len(data)

    async def readinto(self, view):
        count = min(len(view), len(answer[0]), 40)
        view[:count], answer[0] = answer[0][:count], answer[0][count:]
        return count

    def close(self):
        pass

    async def wait_closed(self):
        pass

class Opener:
    def __init__(self, host, port, load):
        pass

    async def open(self):
        return Stream()

tls.Opener = Opener
most, pieces, sent = 0, 0, 0
before = await used()

async def picture(view):
    nonlocal most, pieces, sent
    count = min(len(view), {size} - sent)
    for i in range(0, count, 97):
        view[i] = sent + i & 255
    sent += count
    pieces += 1
    if pieces % 32 == 1:
        most = max(most, await used() - before)
    return count

from iot import https
headers = {{"ETag": None}}
status, found, text = await https.request(bytearray(4096), "PUT", {url!r}, None, picture, {size}, headers)
print(status, found, text, got[0] - 1)
print(most, pieces)
print(digest.digest())
"""


def picture() -> bytes:
    """What is brought: of each piece some bytes are new, the others those of the piece before."""
    found, view, sent = [], bytearray(4096), 0
    while sent < SIZE:
        count = min(4096, SIZE - sent)
        for i in range(0, count, 97):
            view[i] = sent + i & 255
        found.append(bytes(view[:count]))
        sent += count
    return b"".join(found)


@pytest.mark.parametrize("version", VERSIONS)
def test_two_megabytes_take_less_than_they_may(version: str, tmp_path: Path) -> None:
    flash = Flash(tmp_path)
    flash.put(
        {
            f"lib/{name}.mpy": compile_for_chip((LIBRARY / f"{name}.py").read_bytes(), f"lib/{name}.py")
            for name in MODULES
        }
    )
    told, figures, digest = flash.run("import hashlib\n" + CODE.format(size=SIZE, url=URL), version)
    assert told == f"200 {{'etag': '\"1\"'}} b'' {SIZE}"
    assert digest == f"{hashlib.sha256(picture()).digest()!r}"
    most, pieces = map(int, figures.split())
    assert pieces == -(-SIZE // 4096) and 4096 < most <= MOST_BYTES
    print(version, most)
