"""Asks servers for the time by SNTP (RFC 4330), all at once and without blocking the loop."""

import asyncio
import os
import socket
import struct
import time

from micropython import const

_PORT = const(123)
_PACKET_SIZE = const(48)
_REQUEST = const(0x23)  # no leap warning, version 4, mode 3 (client)
_MODE_SERVER = const(4)
_UNSYNCHRONISED = const(3)
_EPOCH_2000 = const(3155673600)  # seconds from 1900 (NTP) to 2000
_EPOCH_1970 = const(2208988800)
_LIFE_S = const(30 * 365 * 86400)  # of a firmware, at most

_AGAIN_MS = const(2000)
_POLL_MS = const(10)
_PACKETS_A_TURN = const(8)


async def ask(hosts, built, wait_ms, accepted, log):
    """The time as each server tells it, {host: seconds since the port's epoch}; who does not is in the log.

    Args:
        hosts: names or addresses of NTP servers.
        built: seconds since the port's epoch: no time before it, and none 30 years after it, is believed.
        wait_ms: for the first answer; others are then awaited for 2 s.
        accepted: called with the answers so far; true ends it.
        log: a Log.

    Raises:
        OSError: no socket.
    """
    asking = _Asking(hosts, built)
    start_ms = last_ms = time.ticks_ms()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        todo = list(hosts)
        while True:
            now_ms = time.ticks_ms()
            passed_ms = time.ticks_diff(now_ms, start_ms)
            if asking.take(sock, passed_ms // 1000):
                last_ms = now_ms
                if accepted(asking.answers):
                    break
            if passed_ms >= wait_ms or len(asking.answers) == len(hosts):
                break
            if todo:
                asking.send(sock, todo.pop(0))  # one at a time: its lookup may hold the loop
            elif time.ticks_diff(now_ms, last_ms) >= _AGAIN_MS:
                if asking.answers:
                    break
                last_ms = now_ms
                todo = list(asking.due)
            await asyncio.sleep_ms(_POLL_MS)
    finally:
        sock.close()
    asking.tell(hosts, log)
    passed_s = time.ticks_diff(time.ticks_ms(), start_ms) // 1000
    return {host: asking.answers[host] + passed_s for host in asking.answers}


class _Asking:
    """answers: what the time was when the asking began. due: who may be asked (again)."""

    def __init__(self, hosts, built):
        self.answers = {}
        self._built = built
        self.due = list(hosts)
        self._hosts = {}  # by the transmit timestamp of a request: what an honest answer repeats
        self._reason = {}
        self._lost = 0

    def send(self, sock, host):
        """Asks one; whatever that raises, another server or the next try may do better."""
        try:
            stamp = os.urandom(8)  # nobody can guess it
            address = socket.getaddrinfo(host, _PORT)[0][-1]
            sock.sendto(bytes((_REQUEST,)) + bytes(39) + stamp, address)
            self._hosts[stamp] = host
        except Exception as error:
            self._reason[host] = error

    def take(self, sock, seconds):
        """Takes what has come; returns whether a time was among it."""
        count = len(self.answers)
        for _ in range(_PACKETS_A_TURN):
            try:
                packet = sock.recv(_PACKET_SIZE + 1)
            except OSError:  # nothing there, or an ICMP error that a retry may mend: the deadline decides
                break
            host = self._hosts.pop(packet[24:32], None)  # one answer to each request
            if host is None or host not in self.due:
                self._lost += 1
                continue
            try:
                self.answers[host] = _seconds(packet, self._built) - seconds
                self.due.remove(host)
            except ValueError as error:
                self._reason[host] = error
                if not packet[1]:
                    self.due.remove(host)  # a kiss: it does not want to be asked again
        return len(self.answers) > count

    def tell(self, hosts, log):
        """Logs who gave no time."""
        if self.answers:
            hosts = self._reason
        for host in hosts:
            if host not in self.answers:
                log.warning("clock", "{}: {}", host, self._reason.get(host, "no answer from it"))
        if self._lost:
            log.warning("clock", "{} packets that answer no request", self._lost)


def _seconds(answer, built):
    """The time that an answer tells; ValueError for one that RFC 4330 section 5 has a client throw away."""
    if len(answer) != _PACKET_SIZE:
        raise ValueError("an answer that has not 48 bytes")
    if not answer[1]:
        raise ValueError("it sends away: " + "".join([chr(c) for c in answer[12:16] if 64 < c < 91]))
    if answer[0] & 7 != _MODE_SERVER or answer[0] >> 6 == _UNSYNCHRONISED or answer[1] > 15:
        raise ValueError("an answer from no synchronised server")
    if answer[40:48] == bytes(8):
        raise ValueError("an answer without a time")
    epoch = _EPOCH_2000 if time.gmtime(0)[0] == 2000 else _EPOCH_1970
    seconds = struct.unpack(">I", answer[40:44])[0] - epoch
    if seconds < built:
        seconds += 1 << 32  # NTP's 32 bits wrap in 2036
    if seconds - built > 1 << 31:
        raise ValueError("an answer from before this firmware was built")
    if seconds - built > _LIFE_S:
        raise ValueError(
            "an answer {} years after this firmware was built".format((seconds - built) // 31557600)
        )
    return seconds
