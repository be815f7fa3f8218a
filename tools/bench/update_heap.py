"""What installing an update takes of the heap in MicroPython's VM: the code that it loads, and what it holds.

What the chip has in C is stood in for, flash and TLS by files: so TLS's own memory, which is not of this heap
on the chip either, is not in it. Looked at whenever the loop turns: with each piece that comes, too.
"""

import itertools
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools import vm_heap
from tools.bench import update
from tools.board import files
from tools.board.start import modes
from tools.release.job import document
from tools.release.manifest import Manifest
from tools.updates import Product

MOST_BYTES = 24 * 1024  # issue 15's bound
_URL = "https://files.example.com/update"
_TIMEOUT_S = 120
_PAGE = 4096
_MACHINE = "JS with Emscripten"  # what the VM says that it is
_STAND_INS = {
    "esp32": """
class NVS:
    def __init__(self, name):
        self._numbers, self._blobs = {}, {}

    def get_i32(self, key):
        try:
            return self._numbers[key]
        except KeyError:
            raise OSError(-0x1102)

    def set_i32(self, key, value):
        self._numbers[key] = value

    def get_blob(self, key, buffer):
        try:
            value = self._blobs[key]
        except KeyError:
            raise OSError(-0x1102)
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        self._blobs[key] = bytes(value)

    def commit(self):
        pass


class Partition:
    RUNNING = 1

    def __init__(self, label):
        self._label = "ota_1" if label == "ota_1" else "ota_0"

    def info(self):
        return 0, 16, 0, 0x180000, self._label, False

    def get_next_update(self):
        return Partition("ota_1")

    def readblocks(self, number, view, offset=0):
        with open("/" + self._label, "rb") as file:
            file.seek(number * 4096 + offset)
            file.readinto(view)

    def writeblocks(self, number, page):
        with open("/" + self._label, "r+b") as file:
            file.seek(number * 4096)
            file.write(page)

    def set_boot(self):
        pass
""",
    "tls": """
PROTOCOL_TLS_CLIENT = CERT_REQUIRED = 0

class SSLContext:
    def __init__(self, kind):
        pass

    def load_verify_locations(self, root):
        pass

    def wrap_socket(self, sock, **options):
        return open("/answer", "rb")
""",
}
_MAIN = """
import asyncio
import gc
import json
import sys
import time

import binascii, errno, hashlib, io, os, random, re, struct  # built in: they cost no heap but an entry

import esp32
import micropython
import tls
from iot.memory import borrow, stay
from iot.events import within
from iot.log import Log
from firmware import settings

turns = 0
EVERY = 8


sleep_ms = asyncio.sleep_ms


async def used():
    for _ in range(5):
        gc.collect()
        await sleep_ms(1)  # the VM collects when all tasks wait
    return gc.mem_alloc()


async def look(what="look"):
    used_ = await used()
    print("USED", "at", what, used_)
    micropython.qstr_info()


class Stream:
    # What comes does so in pieces of TCP's, and while one is waited for there is time to look.
    def __init__(self, file, extra):
        self._file = file
        self.readinto = self._read

    def write(self, data):
        pass

    async def drain(self):
        pass

    async def _read(self, view):
        await look()
        return self._file.readinto(view)

    def close(self):
        self._file.close()

    async def wait_closed(self):
        await look("closed")


async def open_connection(host, port, ssl, server_hostname):
    ssl.wrap_socket(None, server_hostname=server_hostname)


class Store:
    def certificates(self):
        return {"root_ca": b"-"}


async def turn(_):
    # In place of asyncio.sleep_ms: device code lets the loop turn, and here one looks.
    global turns
    turns += 1
    if turns % EVERY == 1:
        await look()


async def ready():
    pass


async def main(_):
    asyncio.open_connection, asyncio.StreamReader, asyncio.sleep_ms = open_connection, Stream, turn
    nvs, log, over = esp32.NVS("iot"), Log("info"), []
    told = lambda *what: over.append(what)
    await look("bare")
    stay(("iot.memory", "iot.events", "iot.log") + STAYING)
    for name in STAYING:
        __import__(name)
    await look("there")
    from iot.ota.update import Update

    one = Update("", nvs, settings, log, Store, told, None)
    if await one.check():
        await look("judged")
        task = asyncio.create_task(one.run(ready))
        while not over:
            await sleep_ms(1)
    print(over)
    return 0
"""


def measure() -> dict[str, dict[str, int]] | None:
    """By kind: bytes of the code that is `there` for all of it, and at most while `judging`, `installing`,
    and `finishing`: reading it back, and before that, of a delta, making it.

    There is TLS only while it installs. None without the VM.
    """
    if not vm_heap.has_vm():
        return None
    product, found = Product(), {}
    of_kind: dict[str, tuple[Manifest, bytes, bytes]] = {
        kind: (*made, b"") for kind, made in update.files(product).items()
    }
    if update.has_deltas():
        of_kind[update.DELTA] = (*of_kind["app"][:2], product.build("1.0"))
    for kind, (about, file, base) in of_kind.items():
        here = replace(
            about, chip=_MACHINE.rpartition(" with ")[2], boards=(_MACHINE,) if about.boards else ()
        )
        with tempfile.TemporaryDirectory() as folder:
            found[kind] = _of_kind(product, here, file, base, Path(folder))
    return found


def _of_kind(product: Product, about: Manifest, file: bytes, base: bytes, folder: Path) -> dict[str, int]:
    flash = folder / "flash"
    for path, data in _flash(product, about, file, base).items():
        (flash / path).parent.mkdir(parents=True, exist_ok=True)
        (flash / path).write_bytes(data)
    script = folder / "installs.py"
    script.write_text(f"STAYING = {modes.STAYING['update']!r}\n" + _MAIN)
    command = ["node", str(vm_heap.VM / "run.mjs"), str(script), f"{flash}=/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    used = vm_heap.Run("the VM", done.stdout, 1).actions()
    if done.returncode or "is installed" not in done.stdout or not used:
        raise RuntimeError(f"no {about.kind} is installed in the VM: {done.stdout}{done.stderr}")
    names = [action.name for action in used]
    total = list(itertools.accumulate(action.bytes for action in used))
    bare, there, judged, closed = (names.index(name) for name in ("bare", "there", "judged", "closed"))
    return {
        "there": total[there] - total[bare],
        "judging": max(total[there:judged]) - total[bare],
        "installing": max(total[judged : closed + 1]) - total[bare],
        "finishing": max(total[closed:]) - total[bare],
    }


def _flash(product: Product, about: Manifest, file: bytes, base: bytes) -> dict[str, bytes]:
    """What the VM has in its flash: the modules as the pack has them, the order, and the server's answer.

    base: the pack that runs, of which the file comes as a delta; b"": as a whole.
    """
    _, found = files.compiled("xtensawin")
    for path, text in product.texts().items():
        found[files.path_in_pack(path)] = files.compile_for_chip(text.encode(), path)
    found |= {f"{name}.py": text.encode() for name, text in _STAND_INS.items()}
    told = json.loads(document(about.text(), [product.signed(about)], _URL))
    order: dict[str, Any] = {"url": _URL, "stream": None, "again": False, "job": "bench", "number": 1}
    order |= {"text": told["manifest"], "signatures": told["signatures"]}
    if base:
        order["delta"], file = update.patch(base, file, _URL)
        found["firmware.pack"] = base
    answer = f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{len(file) - 1}/{len(file)}\r\n\r\n"
    return found | {
        "update": json.dumps(order).encode(),
        "answer": answer.encode() + file,
        "ota_0": bytes(_PAGE),
        "ota_1": b"",
    }
