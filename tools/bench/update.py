"""How long a simulated device takes to install an update, beside merely reading and writing the same bytes.

Both run in turns in one program on one device, over the same kind of TLS link, with its server verified. What
installs is the class of the mode OTA: form, signature, download, hashes, all of it read back, and the trial
begun. The lives before and after are not counted, nor is Wi-Fi: they are the same for all kinds of updates.
An update of the application comes as a delta, too, of a line that is new.
"""

import hashlib
import importlib.util
import json
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tools.cloud import Cloud
from tools.cloud.misbehaviour import Misbehaviour
from tools.release import delta
from tools.release.job import EXPIRES_S, LOCAL_BUCKET, document, url
from tools.release.manifest import Manifest
from tools.sim import Device, World
from tools.sim.device import ROOT
from tools.sim.flash import partition_shim
from tools.updates import Product

MOST_RATIO = 1.1  # issue 15's bounds
LEAST_TIMES = 15
IMAGE_BYTES = 1_429_744  # what goes into a partition of MicroPython 1.25, ESP32_GENERIC-OTA
BOARD = "Generic ESP32 module with ESP32"
CHIP_RATE = 100_000  # bytes a second by HTTPS, as the chip was measured: 95 to 101 KB
_WIFI = {"ssid": "Home", "password": "correct horse"}
_TIMEOUT_S = 200
_VERSION = "2.0"
KINDS = ("app", "image")
DELTA = "delta"  # of the app; nothing is read plainly beside it
_LINE = "CHANGED = 1\n"
# Device code. Flash is as it was before once a run is over.
_MAIN = '''
import asyncio
import json
import os
import socket
import sys
import time

import esp32
import network
import ntptime

from iot import memory, modes, trust
from iot.log import Log
from iot.ota import download, partitions, pending, request, slots, update
from firmware import settings

FOLDER = "/bench"
BUFFER_BYTES = 4096
GET = "GET {} HTTP/1.1\\r\\nHost: {}:{}\\r\\nConnection: close\\r\\n\\r\\n"

with open("/bench.json") as file:
    TOLD = json.load(file)
nvs = esp32.NVS("bench")
log = Log("warning")
buffer = bytearray(BUFFER_BYTES)
memory.stay(modes.STAYING["update"])  # what it borrows is loaded while the clock runs, as in the mode OTA


class Store:
    def certificates(self):
        return {"root_ca": TOLD["root_ca"].encode()}


def opened(name):
    """A blocking TLS stream behind an answer's head, and what came with that."""
    host, port, path = download.split(TOLD[name]["url"])
    context = trust.context(TOLD["root_ca"].encode())
    plain = socket.socket()
    plain.connect(socket.getaddrinfo(host, port)[0][-1])
    stream = context.wrap_socket(plain, server_hostname=host)
    request_ = GET.format(path, host, port).encode()
    while request_:
        request_ = request_[stream.write(request_) :]
    at = end = 0
    room = memoryview(buffer)
    while not end:
        at += stream.readinto(room[at:])
        end = buffer.find(b"\\r\\n\\r\\n", 0, at) + 1
    if not buffer.startswith(b"HTTP/1.1 200"):
        raise OSError("not the file")
    return stream, bytes(room[end + 3 : at])


def read_app(name):
    stream, first = opened(name)
    room = memoryview(buffer)
    with open("/plain", "wb") as file:
        file.write(first)
        while count := stream.readinto(room):
            file.write(room[:count])
    stream.close()
    size = os.stat("/plain")[6]
    os.remove("/plain")
    return size


def read_image(name):
    """In pages, which is how an image is written."""
    partition = partitions.other()
    stream, first = opened(name)
    room = memoryview(buffer)
    room[: len(first)] = first
    at, page, count = len(first), 0, 1
    while count:
        while at < BUFFER_BYTES and count:
            count = stream.readinto(room[at:])
            at += count
        if at:
            partition.writeblocks(page, buffer)
            page, at, size = page + 1, 0, page * BUFFER_BYTES + at
    stream.close()
    return size


async def install(name):
    over = []

    async def ready():
        pass

    order = request.order(json.loads(TOLD[name]["document"]))
    pending.store(FOLDER, {"job": "bench", "number": 1, **order})
    start_us = time.ticks_us()
    one = update.Update(FOLDER, nvs, settings, log, Store, lambda *what: over.append(what), None)
    assert await one.check()
    task = asyncio.create_task(one.run(ready))
    while not over:
        await asyncio.sleep_ms(0)
    took_us = time.ticks_diff(time.ticks_us(), start_us)
    task.cancel()
    assert "is installed" in over[0][1], over
    esp32.Partition(esp32.Partition.RUNNING).set_boot()
    partitions.end_trial(nvs, False)
    slots.end_trial(nvs, False)
    slots.clear(1)
    return took_us


async def run(what, name):
    if what == "install":
        return await install(name)
    start_us = time.ticks_us()
    size = (read_app if name == "app" else read_image)(name)
    took_us = time.ticks_diff(time.ticks_us(), start_us)
    assert size == TOLD[name]["size"], size
    return took_us


async def main():
    print("bench: ready")
    while True:
        words = sys.stdin.readline().split()
        print("bench: took", await run(*words), "us")


try:
    os.mkdir(FOLDER)
except OSError:
    pass
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect(TOLD["ssid"], TOLD["password"])
while not wlan.isconnected():
    time.sleep_ms(10)
ntptime.settime()
asyncio.run(main())
'''


async def measure(runs: int, rate: int = CHIP_RATE, link_runs: int = 3) -> dict[str, Any]:
    """By kind of update, seconds and their ratios: `fast`, as this machine can, and over a `link`.

    Args:
        runs: the median of so many counts.
        rate: bytes a second over the link, where nearly all is waiting.
        link_runs: the same as runs, there.
    """
    product = Product()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Cloud(Path(folder) / "cloud", files_port=0) as cloud,
            World({_WIFI["ssid"]: _WIFI["password"]}) as world,
        ):
            device = Device(Path(folder) / "device", world, speed=1)
            device.deploy(product.texts())
            made = files(product)
            base = (device.files / "firmware.pack").read_bytes()
            told = {"root_ca": cloud.root_ca, **_WIFI, **_told(cloud, product, made, base)}
            (device.files / "bench.json").write_text(json.dumps(told))
            (device.files / "main.py").write_text(_MAIN)
            async with device:
                await device.expect("bench: ready", _TIMEOUT_S)
                fast = await _of_all(device, runs)
                cloud.gate.rules.append(Misbehaviour("trickle", amount=rate))
                link = await _of_all(device, link_runs)
    sizes = {kind: told[kind]["size"] for kind in link}
    over = {
        f"image_over_{kind}": link["image"]["install_s"] / took["install_s"]
        for kind, took in link.items()
        if kind != "image"
    }
    return {"bytes": sizes, "rate": rate, "fast": fast, "link": link, **over}


async def _of_all(device: Device, runs: int) -> dict[str, dict[str, float]]:
    """By kind: seconds to install and to read plainly, medians, and the median of their ratios."""
    figures = {}
    for kind in KINDS:
        took = [await _in_turn(device, kind, turn % 2) for turn in range(runs)]
        installed, plain = (statistics.median(column) for column in zip(*took, strict=True))
        ratio = statistics.median(one / other for one, other in took)
        figures[kind] = {"install_s": installed, "plain_s": plain, "ratio": ratio}
    if has_deltas():
        took_s = [await _done(device, f"install {DELTA}") for _ in range(runs)]
        figures[DELTA] = {"install_s": statistics.median(took_s)}
    return figures


async def _in_turn(device: Device, kind: str, first: int) -> tuple[float, float]:
    """Seconds of an installation and of a plain read, one a moment after the other; first: which begins."""
    took = [0.0, 0.0]
    for number in (first, 1 - first):
        took[number] = await _done(device, f"{('install', 'read')[number]} {kind}")
    return took[0], took[1]


async def _done(device: Device, order: str) -> float:
    """The seconds that an order took the device."""
    await device.send(order)
    return int((await device.expect(r"bench: took (\d+) us", _TIMEOUT_S))[1]) / 1e6


def files(product: Product) -> dict[str, tuple[Manifest, bytes]]:
    """By kind, what is signed, and the file that travels: a version of this checkout, and any image."""
    pack = product.build(_VERSION, (ROOT / "firmware/app.py").read_text("utf-8") + _LINE)
    image: bytes = partition_shim.image(random.Random(1).randbytes(IMAGE_BYTES))  # noqa: S311 - no secret
    return {
        "app": (product.about_app(_VERSION, pack), pack),
        "image": product.about_image(_VERSION, image, BOARD),
    }


def has_deltas() -> bool:
    """Whether what makes them is installed."""
    return bool(importlib.util.find_spec(delta.PACKAGE))


def patch(base: bytes, new: bytes, url_: str) -> tuple[dict[str, Any], bytes]:
    """What a job says of a delta that a device gets at a URL, and that delta."""
    made = delta.make(base, new)
    return {"base": hashlib.sha256(base).hexdigest(), "size": len(made), "url": url_}, made


def _told(
    cloud: Cloud, product: Product, of_kind: dict[str, tuple[Manifest, bytes]], base: bytes
) -> dict[str, Any]:
    """By kind, the job's document as a device gets it, the file's URL, and its bytes."""
    cloud.s3.objects.create_bucket(LOCAL_BUCKET)

    def signed(kind: str) -> str:
        return cloud.s3.presign(url(LOCAL_BUCKET, kind, "us-east-1"), EXPIRES_S)

    told = {}
    for kind, (about, file) in of_kind.items():
        cloud.s3.objects.put(LOCAL_BUCKET, kind, file)
        text = json.loads(document(about.text(), [product.signed(about)], signed(kind)))
        text["url"] = signed(kind)
        told[kind] = {"document": json.dumps(text), "url": text["url"], "size": len(file)}
    if not has_deltas():
        return told
    about_patch, made = patch(base, of_kind["app"][1], signed(DELTA))
    cloud.s3.objects.put(LOCAL_BUCKET, DELTA, made)
    text = json.loads(told["app"]["document"]) | {"delta": about_patch}
    return told | {DELTA: {"document": json.dumps(text), "url": about_patch["url"], "size": len(made)}}
