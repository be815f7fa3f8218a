"""thing.https of a simulated device: servers that misbehave, and MQTT that steps aside and loses nothing."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.patience import until
from tests.system.house import START_S, House, both_chains
from tools.cloud.ca import Authority
from tools.sim import Device

NAME = "esp32-240ac4000001"
FILES = "files.example.com"
SECRET = "pear"
LENGTH = 300_000
APP = """
    import asyncio
    import json

    async def count(thing):
        number = 0
        while True:
            if await thing.publish("telemetry/" + thing.name, {"count": number}, qos=1).wait():
                number += 1
            await asyncio.sleep_ms(100)

    async def restart(thing):
        await asyncio.sleep(2)
        thing.restart("told to")

    async def ask(thing, asked):
        if asked.get("restart"):
            thing.run(restart(thing))

        def body(view):
            for at in range(0, len(view), 64):
                view[at] = at & 255
            return len(view)

        try:
            call = thing.https(asked["method"], asked["url"], body, asked["length"], {}, asked.get("root"))
            answer = await asyncio.wait_for(call, asked.get("seconds", 3600))
        except Exception as error:
            answer = [type(error).__name__, str(error)]
        thing.publish("telemetry/" + thing.name + "/answer", [answer[0], str(answer[-1])], qos=1)

    async def main(thing):
        thing.run(count(thing))
        async for _, payload in thing.subscribe("cmd/" + thing.name):
            thing.run(ask(thing, json.loads(payload)))
"""


@asynccontextmanager
async def server(folder: Path, host: str) -> AsyncIterator[tuple[int, Authority]]:
    """One that does what the path says, with a CA of its own; its port."""
    folder.mkdir()
    authority = Authority(folder)
    context = authority.server_context((host,))
    context.verify_mode = ssl.CERT_NONE
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await BEHAVIOUR[head.split()[1].partition(b"?")[0].decode()](reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            writers.discard(writer)

    made = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield made.sockets[0].getsockname()[1], authority
    finally:
        made.close()
        for one in tuple(writers):
            one.transport.abort()
        await until(lambda: not writers)


def says(text: bytes, after: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(after)
        writer.write(text)
        if b"HTTP" in text:
            await reader.read(-1)  # as servers linger

    return behave


async def sleeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.CancelledError):  # with the loop's end
        while not writer.is_closing():
            await asyncio.sleep(0.1)


BEHAVIOUR = {
    "/good": says(b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", LENGTH),
    "/403": says(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 0),
    "/500": says(b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n3\r\noh!\r\n0\r\n\r\n", LENGTH),
    "/307": says(b"HTTP/1.1 307 There\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n", 5000),
    "/closes": says(b"", 10_000),
    "/bomb": says(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(50_000)), 10),
    "/smtp": says(b"220 mail\r\n\r\nHTTP\r\n", 0),
    "/sleeps": sleeps,
}


class Asker:
    """Has the device's application ask, and hears what it says."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.counts: list[int] = []
        self.answers: list[list[Any]] = []
        self.publish: Callable[[str, bytes], None]

    def heard(self, topic: str, payload: bytes) -> None:
        if topic == f"telemetry/{NAME}":
            self.counts.append(json.loads(payload)["count"])
        elif topic.endswith("/answer"):
            self.answers.append(json.loads(payload))

    def ask(self, path: str, host: str = FILES, **others: Any) -> None:
        url = f"https://{host}{path}?X-Amz-Signature={SECRET}"
        asked = {"method": "PUT", "url": url, "length": LENGTH, **others}
        self.publish(f"cmd/{NAME}", json.dumps(asked).encode())

    async def answer(self, path: str, host: str = FILES, **others: Any) -> list[Any]:
        before = len(self.answers)
        self.ask(path, host, **others)
        await until(lambda: len(self.answers) > before, path)
        return self.answers[-1]


@asynccontextmanager
async def asker(house: House, psram: int) -> AsyncIterator[tuple[Asker, Device, str]]:
    """A device with this application and a server beside its cloud; and that one's root."""
    device = house.device(APP)
    device.chip.memory.psram = psram
    async with server(house.folder / "server", FILES) as (port, authority):
        house.world.hosts[FILES] = house.world.hosts["other.example"] = ("127.0.0.1", port)
        made = Asker(house)
        async with house.subscriber(made.heard) as subscriber:
            made.publish = subscriber.publish
            await house.normal(device)
            await device.expect(r"cloud: connected", START_S)
            await until(lambda: made.counts)
            try:
                yield made, device, authority.root_pem
            finally:
                print("\n".join(device.lines[-60:]), made.answers)
    assert not [line for line in device.lines if SECRET in line or "Traceback" in line]


async def test_servers_that_misbehave_are_told_by_their_host_and_the_cause(house: House) -> None:
    async with asker(house, 4 << 20) as (asks, device, root):
        assert await asks.answer("/good", root=root) == [201, "b''"]
        assert await asks.answer("/403", root=root) == [403, "b'no'"]
        assert await asks.answer("/500", root=root) == [500, "b'oh!'"]
        assert await asks.answer("/307", root=root) == [307, "b''"]
        for path, kind, text in (
            ("/closes", "OSError", ""),
            ("/bomb", "ValueError", "an answer with a head of over 2048 bytes"),
            ("/smtp", "ValueError", "no answer of HTTP"),
            ("/sleeps", "OSError", "nothing came for "),
        ):
            found = await asks.answer(path, root=root)
            assert found[0] == kind and found[1].startswith(f"{FILES}: {text}") and SECRET not in found[1]
        for host, options in (
            ("other.example", {"root": root}),
            (FILES, {}),
        ):  # another's name, another's root
            found = await asks.answer("/good", host, **options)
            assert found[0] == "ValueError" and found[1].startswith(f"{host}: "), found
            assert "certificate" in found[1].lower()
        assert not [line for line in device.lines if "cloud: disconnected" in line], "with PSRAM MQTT stays"
        assert asks.counts == list(range(len(asks.counts)))


@both_chains
async def test_mqtt_steps_aside_and_no_message_is_lost(house: House) -> None:
    """One that is cancelled in the middle, and two who ask at once, one of them in vain."""
    async with asker(house, 0) as (asks, device, root):
        assert (await asks.answer("/sleeps", root=root, seconds=10))[0] == "TimeoutError"
        asks.ask("/closes", root=root)
        asks.ask("/good", root=root)
        await until(lambda: len(asks.answers) == 3, "both")
        assert [answer[0] for answer in asks.answers] == ["TimeoutError", "OSError", 201], "each once"
        before = len(asks.counts)
        await until(lambda: len(asks.counts) > before + 3, "messages as before")
        assert sorted(set(asks.counts)) == list(range(max(asks.counts) + 1)), "none is missing"
        leaves = [line for line in device.lines if "cloud: disconnected: disconnect asked" in line]
        assert len(leaves) == 3, "one connection at a time, and MQTT in between"
        asks.ask("/sleeps", root=root, restart=True)
        await device.expect(r"system: restarting: told to", START_S)
        await device.expect(r"cloud: connected", START_S)
        assert not [line for line in device.lines if "died" in line], (
            "its mode ends in the midst of a request"
        )
