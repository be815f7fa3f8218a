"""The world around simulated chips: access points, names, time servers, and the network in between."""

import asyncio
import contextlib
import ipaddress
import json
from typing import TYPE_CHECKING

from tools.sim.ble import BleError
from tools.sim.buses import BusError
from tools.sim.chip import Chip
from tools.sim.ntp import NtpBehaviour, NtpServer
from tools.sim.radio import Air, RadioError
from tools.sim.relay import Relay

if TYPE_CHECKING:
    from tools.sim.ble.air import BleAir
    from tools.sim.ble.phone import Phone

EAI_FAIL = -202  # what lwIP's getaddrinfo answers without a network and for an unknown name
_NTP_PORT = 123


class UnknownName(Exception):
    """A name that does not resolve."""


class World:
    """Everything outside the chips, as an async context manager in the caller's event loop.

    access_points: name to password ("" is an open network). hosts: name to (address, port), the real place of
    a server; `localhost` and literal addresses need no entry, and any name is a time server on port 123.
    delay_ms: how late everything is each way on every TCP connection. ntp: how time servers behave;
    time_servers: those that behave otherwise, by name. dns_s: for how long looking a name up holds a chip, as
    lwIP's lookup does.
    """

    def __init__(self, access_points: dict[str, str] | None = None) -> None:
        self.air = Air(access_points if access_points is not None else {"Home": "correct horse"})
        self.hosts: dict[str, tuple[str, int]] = {}
        self.unknown_names: set[str] = set()
        self.ntp = NtpBehaviour()
        self.time_servers: dict[str, NtpBehaviour] = {}
        self.dns_s: dict[str, float] = {}
        self.delay_ms = 0.0
        self.port = 0
        self._air_ble: BleAir | None = None
        self._phones: list[Phone] = []
        self._chips: dict[str, Chip] = {}
        self._links: dict[tuple[str, str, str, int], tuple[Relay | NtpServer, int]] = {}
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "World":
        self._server = await asyncio.start_server(self._called, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        talks = list(self._talks)
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        for chip in self._chips.values():
            chip.silence()
        for phone in self._phones:
            phone.power_off()
        for link, _port in self._links.values():
            await link.stop()
        self._links.clear()

    @property
    def access_points(self) -> dict[str, str]:
        return self.air.access_points

    @property
    def air_ble(self) -> "BleAir":
        """The air of Bluetooth LE; it needs a running event loop."""
        if not self._air_ble:
            from tools.sim.ble.air import BleAir  # noqa: PLC0415  # bumble takes a while to import

            self._air_ble = BleAir()
        return self._air_ble

    async def phone(self, mtu: int = 247) -> "Phone":
        """A new phone with Bluetooth LE, switched on, that asks for this ATT MTU (23: does not ask)."""
        from tools.sim.ble.phone import Phone  # noqa: PLC0415  # as above

        phone = Phone(self.air_ble, len(self._phones) + 1, mtu)
        self._phones.append(phone)
        await phone.power_on()
        return phone

    def wifi_lost(self, lost: bool) -> None:
        """Take all access points off the air, or bring them back."""
        self.air.lost = lost
        for chip in self._chips.values():
            chip.station.air_changed()

    def chip(self, mac: str) -> Chip:
        """The chip with this MAC address, made at the first call."""
        if mac not in self._chips:
            self._chips[mac] = Chip(mac, self.air, lambda: self.air_ble)
        return self._chips[mac]

    def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not (mac := await reader.readline()):
                return
            try:
                chip = self._chips[json.loads(mac)]
            except (ValueError, KeyError, TypeError):  # a stranger, on a port that was another's before
                return
            boot = chip.boots
            while line := await reader.readline():
                operation, arguments = json.loads(line)
                if operation == "set":  # another program's, which may speak to a chip without power as well
                    writer.write(json.dumps(chip.set(*arguments) if arguments else "").encode() + b"\n")
                    await writer.drain()
                    continue
                if chip.boots != boot or chip.stopped.is_set():
                    return  # a program that was reset has no more say, and waits in vain until it is killed
                if operation == "ble_events":
                    await chip.ble.serve(reader, writer)
                    return
                if operation == "part_line":
                    await chip.peripherals.serve(arguments[0], reader, writer)
                    return
                reply = await self._reply(chip, operation, arguments)
                if not chip.stopped.is_set():
                    writer.write(json.dumps(reply).encode() + b"\n")
                    await writer.drain()
        except ConnectionError:
            return  # the program was killed in the middle of a sentence
        finally:
            writer.close()

    async def _reply(self, chip: Chip, operation: str, arguments: list) -> dict:
        try:
            if operation == "resolve":
                return {"value": await self._resolve(chip, *arguments)}
            return {"value": await chip.request(operation, arguments)}
        except RadioError as error:
            return {"error": [str(error)]}
        except (BleError, BusError) as error:
            return {"error": [error.number, str(error)]}  # CPython has no errno without a text
        except UnknownName:
            return {"error": [EAI_FAIL, "EAI_FAIL"]}

    async def _resolve(self, chip: Chip, host: str, port: int) -> tuple[str, int]:
        """The place of a relay to `host`, for this chip alone; UnknownName also without Wi-Fi."""
        await asyncio.sleep(self.dns_s.get(host, 0))
        if not chip.station.up.is_set() or host in self.unknown_names:
            raise UnknownName(host)
        ntp = host not in self.hosts and port == _NTP_PORT
        place = (host, port) if ntp else self._place(host, port)
        key = (chip.mac, host, *place)  # another place for the host is another link from now on
        if key not in self._links:
            link: Relay | NtpServer
            if ntp:
                link = NtpServer(self.time_servers.get(host, self.ntp), chip.station)
            else:
                link = Relay(place, chip.station, lambda: self.delay_ms / 1000, memory=chip.memory)
            self._links[key] = (link, await link.start())
        return "127.0.0.1", self._links[key][1]

    def _place(self, host: str, port: int) -> tuple[str, int]:
        if host in self.hosts:
            return self.hosts[host]
        if host == "localhost":
            return "127.0.0.1", port
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(host)), port
        raise UnknownName(host)
