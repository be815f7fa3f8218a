"""A chip's clock, its flash and time servers, in a time that only the test moves."""

import asyncio
import struct
import sys

from fakes import FakeLog, FakeNVS, forget
from iot import events  # noqa: F401 - whose waits are in real time

UNIX_2000_S = 946684800
NTP_2000_S = 3155673600
DAY_S = 86400
YEAR_S = 365 * DAY_S
BUILT = (2026, 11, 20)
BUILT_S = 848448000  # since 2000
NOW_S = BUILT_S + 40 * DAY_S  # what the time is when a test begins
PERIOD_MS = 1 << 30
_SLEEPS_A_TURN = 8  # a day has as many sleeps as seconds, and each took a turn of the loop
_DAYS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


class Over(BaseException):
    """The time of the test is over."""


class Server:
    """A time server. offset_s: how far its clock is off; dns_ms: for how long its name holds the caller.

    packet: makes of an honest answer what is sent, None for nothing.
    """

    def __init__(self, offset_s=0, late_ms=10, dns_ms=0, packet=bytes, error=None):
        self.offset_s, self.late_ms, self.dns_ms, self.packet, self.error = (
            offset_s,
            late_ms,
            dns_ms,
            packet,
            error,
        )
        self.requests = 0

    def answer(self, request, now_s):
        self.requests += 1
        stamp = struct.pack(">II", (now_s + self.offset_s + NTP_2000_S) & 0xFFFFFFFF, 1)
        return self.packet(b"\x24\2\6\xec" + bytes(8) + b"SIM\0" + stamp + request[40:48] + stamp + stamp)


def silent(packet):
    return None


class Chip:
    """The modules `time`, `asyncio`, `machine` and `socket` of a chip, while in a `with`; NVS outlives it.

    servers: by name. chip_s: seconds since 2000 that its clock shows, as after a cut of power.
    """

    AF_INET = 2
    SOCK_DGRAM = 2

    def __init__(self, servers, nvs=None, chip_s=0, start_ms=0):
        self.servers = servers
        self.nvs = nvs or FakeNVS()
        self.rtc = b""
        self.log = FakeLog()
        self.start_ms = start_ms
        self.passed_ms = 0
        self.limit_ms = None
        self.hooks = []
        self.events = []  # (passed_ms, how)
        self.set_to = []
        self.faults = {}  # by the name of a call, what it raises
        self._chip_s = chip_s
        self._queue = []  # (due, packet)
        self._kept = {}
        self._sleeps = 0

    def __enter__(self):
        self._forget()
        for name in ("time", "asyncio", "machine", "socket"):
            self._kept[name] = sys.modules.get(name)
            sys.modules[name] = self
        return self

    def __exit__(self, *error):
        for name, module in self._kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
        self._forget()

    def _forget(self):
        forget("iot.clock.keeper", "iot.clock.adjust", "iot.clock.sntp")

    def clock(self, hosts=None, built=BUILT):
        from iot.clock.keeper import Clock

        async def online():
            pass

        def notify(event, how):
            self.events.append((self.passed_ms, how))

        made = Clock(hosts or sorted(self.servers), built, self.nvs, online, self.log, notify)
        self.made = made
        return made

    async def run(self, clock, limit_ms):
        """Lets the clock run until the time is over."""
        self.limit_ms = limit_ms
        try:
            await clock.run()
        except Over:
            pass

    def at(self, ms, call):
        """Has `call()` called when so much time has passed."""
        self.hooks.append((ms, call))

    def true_s(self):
        return NOW_S + self.passed_ms // 1000

    def off_s(self):
        """How far the chip's clock is off."""
        return self.time() - self.true_s()

    def _call(self, name):
        if name in self.faults:
            raise self.faults[name]

    def _pass(self, ms):
        end_ms = self.passed_ms + ms
        while True:
            due = sorted([hook for hook in self.hooks if hook[0] <= end_ms], key=lambda hook: hook[0])
            if not due:
                break
            self.hooks.remove(due[0])
            self.passed_ms = max(self.passed_ms, due[0][0])
            due[0][1]()
        self.passed_ms = end_ms
        if self.limit_ms is not None and self.passed_ms > self.limit_ms:
            raise Over

    # The module asyncio.

    Event = asyncio.Event

    async def sleep_ms(self, ms):
        assert 0 <= ms < PERIOD_MS // 2, "MicroPython raises OverflowError"
        self._pass(ms)
        self._sleeps += 1
        if not self._sleeps % _SLEEPS_A_TURN:
            await asyncio.sleep_ms(0)

    # The module time.

    def ticks_ms(self):
        return (self.start_ms + self.passed_ms) % PERIOD_MS

    def ticks_diff(self, end, start):
        half = PERIOD_MS // 2
        return (end - start + half) % PERIOD_MS - half

    def time(self):
        return self._chip_s + self.passed_ms // 1000

    def gmtime(self, seconds):
        if not -(1 << 31) <= seconds < 1 << 31:
            raise OverflowError("overflow converting long int to machine word")  # as on 32 bits
        return _date(seconds)  # an older VM's own stops in 2038

    def mktime(self, date):
        year, month, day, hour, minute, second = date[:6]
        leap = month > 2 and year % 4 == 0
        days = (year - 2000) * 365 + (year - 1997) // 4 + _DAYS[month - 1] + leap + day - 1
        return days * DAY_S + hour * 3600 + minute * 60 + second

    # The module machine.

    def RTC(self):
        return self

    def memory(self, *data):
        if data:
            self.rtc = bytes(data[0])
        return self.rtc

    def datetime(self, date):
        year, month, day, _, hour, minute, second, _ = date
        seconds = self.mktime((year, month, day, hour, minute, second))
        self._chip_s = seconds - self.passed_ms // 1000
        self.set_to.append(seconds)

    # The module socket, and a socket.

    def getaddrinfo(self, host, port):
        server = self.servers[host]
        self._pass(server.dns_ms)  # it holds the loop
        self._call("getaddrinfo")
        if server.error:
            raise server.error
        return [(2, 2, 0, "", (host, port))]

    def socket(self, family, kind):
        self._call("socket")
        return self

    def setblocking(self, flag):
        assert not flag
        self._call("setblocking")

    def sendto(self, data, address):
        self._call("sendto")
        assert len(data) == 48 and address[1] == 123
        server = self.servers[address[0]]
        packet = server.answer(data, self.true_s())
        if packet is not None:
            self._queue.append((self.passed_ms + server.late_ms, packet))

    def recv(self, size):
        self._call("recv")
        for due in self._queue:
            if due[0] <= self.passed_ms:
                self._queue.remove(due)
                return due[1][:size]
        raise OSError(11, "EAGAIN")

    def close(self):
        self._queue.clear()
        self._call("close")


def _date(seconds):
    """What gmtime() of the chip tells of seconds since 2000."""
    days, second = divmod(seconds, DAY_S)
    weekday = (days + 5) % 7
    year = 2000 + days // 366
    while days >= _year_days(year + 1):
        year += 1
    days -= _year_days(year)
    yearday = days + 1
    month = 12
    while days < _DAYS[month - 1] + (month > 2 and year % 4 == 0):
        month -= 1
    day = 1 + days - _DAYS[month - 1] - (month > 2 and year % 4 == 0)
    return year, month, day, second // 3600, second // 60 % 60, second % 60, weekday, yearday


def _year_days(year):
    """Days from 2000 to the start of a year; 2100 is out of a chip's reach."""
    return (year - 2000) * 365 + (year - 1997) // 4
