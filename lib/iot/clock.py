"""Sets the clock by SNTP (RFC 4330) without blocking the loop, and never lets TLS start in the year 2000."""

import asyncio
import os
import socket
import struct
import time

from micropython import const

_NTP_PORT = const(123)
_PACKET_SIZE = const(48)
_REQUEST = const(0x23)  # no leap warning, version 4, mode 3 (client)
_MODE_SERVER = const(4)
_UNSYNCHRONISED = const(3)

_ANSWER_MS = const(2000)
_POLL_MS = const(20)
_ESTIMATE_MS = const(8000)  # without an answer for so long, an estimate has to do
_RETRY_UNSET_MS = const(1000)
_RETRY_MS = const(15000)
_RESYNC_MS = const(6 * 3600 * 1000)  # the chip's crystal drifts by seconds a day
_KEY = "last_time"

_EPOCH_2000 = const(3155673600)  # seconds from 1900 (NTP) to 2000
_EPOCH_1970 = const(2208988800)

UNSET = "unset"
ESTIMATE = "estimate"
SNTP = "sntp"


class Clock:
    """Keeps the chip's clock right.

    Args:
        rtc: a machine.RTC.
        nvs: an esp32.NVS, where the last time known is kept for a start without an answer from SNTP.
        hosts: names or addresses of NTP servers, asked one after another.
        built: (year, month, day) of the build: no time before it is believed.
        log: a Log.
        notify: called with ("clock_set", how).
    """

    def __init__(self, rtc, nvs, hosts, built, log, notify):
        self._rtc = rtc
        self._nvs = nvs
        self._hosts = hosts
        self._built = time.mktime((built[0], built[1], built[2], 0, 0, 0, 0, 0, 0))
        self._epoch = _EPOCH_2000 if time.gmtime(0)[0] == 2000 else _EPOCH_1970
        self._log = log
        self._notify = notify
        self._set = asyncio.Event()
        self.state = UNSET

    async def ready(self):
        """Returns once the time is right or as good as it gets: only then certificates can be judged."""
        await self._set.wait()

    async def run(self):
        """Asks the servers, for ever: until one answers, then a few times a day."""
        start_ms = time.ticks_ms()
        while True:
            if await self._ask_any():
                self._remember()
                await asyncio.sleep_ms(_RESYNC_MS)
                continue
            if self.state == UNSET and time.ticks_diff(time.ticks_ms(), start_ms) > _ESTIMATE_MS:
                self._estimate()
            await asyncio.sleep_ms(_RETRY_UNSET_MS if self.state == UNSET else _RETRY_MS)

    async def _ask_any(self):
        for host in self._hosts:
            try:
                seconds = await self._ask(host)
            except (OSError, ValueError) as error:
                self._log.warning("clock", "{}: {}", host, error)
                continue
            self._set_to(seconds, SNTP)
            return True
        return False

    async def _ask(self, host):
        """Seconds since the port's epoch, as `host` tells them; OSError or ValueError say why not."""
        address = socket.getaddrinfo(host, _NTP_PORT)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.connect(address)  # answers of others are not heard
            stamp = os.urandom(8)  # the transmit timestamp: what an honest answer repeats nobody can guess
            sock.send(bytes((_REQUEST,)) + bytes(39) + stamp)
            start_ms = time.ticks_ms()
            answer = None
            while not answer:
                if time.ticks_diff(time.ticks_ms(), start_ms) > _ANSWER_MS:
                    raise ValueError("no answer within {} ms".format(_ANSWER_MS))
                await asyncio.sleep_ms(_POLL_MS)
                answer = _receive(sock)
        finally:
            sock.close()
        return self._seconds(answer, stamp)

    def _seconds(self, answer, stamp):
        """The time in `answer`, checked as RFC 4330 section 5 asks."""
        if len(answer) != _PACKET_SIZE:
            raise ValueError("an answer of {} bytes".format(len(answer)))
        if answer[0] & 7 != _MODE_SERVER or answer[0] >> 6 == _UNSYNCHRONISED or not 1 <= answer[1] <= 15:
            raise ValueError("an answer from no synchronised server")
        if answer[24:32] != stamp:
            raise ValueError("an answer to another request")
        seconds = struct.unpack(">I", answer[40:44])[0] - self._epoch
        if seconds < self._built:
            seconds += 1 << 32  # NTP's 32 bits wrap in 2036
        if seconds - self._built > 1 << 31:
            raise ValueError("an answer from before this firmware was built")
        return seconds

    def _estimate(self):
        """Sets the latest of the chip's clock, the last time known and the time of the build."""
        try:
            known = self._nvs.get_i32(_KEY)
        except OSError:  # never stored
            known = 0
        self._set_to(max(int(time.time()), known, self._built), ESTIMATE)

    def _set_to(self, seconds, state):
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)[:8]
        self._rtc.datetime((year, month, day, weekday, hour, minute, second, 0))
        if self.state != state:
            self.state = state
            self._notify("clock_set", state)
        self._set.set()

    def _remember(self):
        try:
            self._nvs.set_i32(_KEY, int(time.time()))
            self._nvs.commit()
        except OSError as error:
            self._log.warning("clock", "the time is not remembered: {}", error)


def _receive(sock):
    try:
        return sock.recv(_PACKET_SIZE)
    except OSError:  # nothing yet, or an ICMP error that a retry may mend: the deadline decides
        return None
