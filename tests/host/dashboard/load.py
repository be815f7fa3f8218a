"""What the page's server takes with many devices: `python -m tests.host.dashboard.load --devices 200`.

A local cloud and the server are processes of their own; the devices are paho's clients in this one, with one
certificate. Told is what the server's process took of the processor, and its memory.
"""

import argparse
import asyncio
import json
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from tests.patience import PATIENCE_S
from tools.cloud.clients import make_client
from tools.thing.account import Account

ROOT = Path(__file__).parents[3]
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}'


def start(log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tools", *arguments]
    with log.open("wb") as file:  # a pipe that nobody reads would hold the cloud
        return subprocess.Popen(command, cwd=ROOT, stdout=file)


def found(log: Path, pattern: str) -> str:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if match := re.search(pattern, log.read_text()):
            return match[1]
        time.sleep(0.1)
    raise SystemExit(f"no {pattern} in {log}")


def connected(state: Path, count: int) -> list[mqtt.Client]:
    client = make_client(state, "load", POLICY)
    iot = Account.local(state).iot
    context = ssl.create_default_context(cafile=str(client.root_ca))
    context.load_cert_chain(client.certificate, client.key)
    made = []
    for number in range(count):
        name = f"load-{number:03}"
        iot.create_thing(thingName=name)
        one = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        one.tls_set_context(context)
        one.connect("localhost", client.endpoint.port, keepalive=600)
        while not one.is_connected():
            one.loop(0.1)
        made.append(one)
    return made


async def page(url: str, seconds: float, counts: list[int]) -> None:
    """One that is open, and reads."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}api/stream?device=load-000") as answer:
        end = time.monotonic() + seconds
        async for line in answer.content:
            if line.startswith(b"data: "):
                counts.append(len(line))
            if time.monotonic() > end:
                return


def publish(clients: list[mqtt.Client], seconds: int) -> None:
    started = time.monotonic()
    for turn in range(seconds):
        for number, client in enumerate(clients):
            due = started + turn + number / len(clients)
            time.sleep(max(0.0, due - time.monotonic()))
            reading = {
                "count": turn,
                "temperature": 20 + number / 10,
                "heap": 30000,
                "rssi": -60,
                "starts": 1,
            }
            client.publish(f"telemetry/load-{number:03}", json.dumps(reading))
            client.loop(0)


async def measure(
    url: str, server: psutil.Process, clients: list[mqtt.Client], args: argparse.Namespace
) -> None:
    counts: list[int] = []
    pages = [asyncio.create_task(page(url, args.seconds, counts)) for _ in range(args.pages)]
    before = server.cpu_times()
    started = time.monotonic()
    await asyncio.to_thread(publish, clients, args.seconds)
    took = time.monotonic() - started
    after = server.cpu_times()
    await asyncio.gather(*pages)
    cpu = after.user + after.system - before.user - before.system
    async with aiohttp.ClientSession() as session, session.get(f"{url}api/fleet") as answer:
        fleet = await answer.json()
    told = {
        "devices": args.devices,
        "messages_per_s": round(args.devices * args.seconds / took, 1),
        "server_cpu_percent": round(100 * cpu / took, 1),
        "server_rss_mb": round(server.memory_info().rss / 2**20, 1),
        "pages": args.pages,
        "batches_per_s_and_page": round(len(counts) / args.pages / took, 2) if args.pages else 0,
        "bytes_per_batch": round(sum(counts) / len(counts)) if counts else 0,
        "dropped": fleet["feed"]["dropped"],
        "online": sum(bool(device["connected"]) for device in fleet["devices"]),
    }
    print(json.dumps(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pages", type=int, default=2)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dashboard-load-"))
    processes = []
    try:
        logs = folder / "cloud.log", folder / "dashboard.log"
        processes.append(start(logs[0], "cloud", "--state", str(folder), "--port", "0", "--unthrottled"))
        found(logs[0], r"live page: (\S+)")
        clients = connected(folder, args.devices)
        processes.append(start(logs[1], "dashboard", "--state", str(folder), "--port", "0"))
        url = found(logs[1], r"Open (\S+)")
        asyncio.run(measure(url, psutil.Process(processes[1].pid), clients, args))
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
