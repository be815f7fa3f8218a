"""A device's parts behind the radio, and a phone that writes frames to them."""

import asyncio
import json

from check import araises
from fakes import FakeDoor, FakeLog
from iot.ble.codes import NAMES
from iot.ble.conversation import Conversation, Ended
from iot.ble.packets import Packets
from iot.ble.requests import Requests
from iot.ble.session import Session
from iot.ble.setup import Setup
from phone import AUTH, CODE, DATA, DEVICE_PRIVATE, Keys, Phone, frames

FACTS = {"mode": "CONFIG", "id": "esp32-240ac4000001", "version": "0.1.0"}
OKM = bytes([i for i in range(192)])


class Bench:
    """`sent` holds the device's messages, `opened` counts its sessions."""

    def __init__(self, proven=False):
        self.log = FakeLog()
        self.door = FakeDoor()
        self.packets = Packets(self.log)
        self.join_result, self.save_error = "SUCCESS", None
        self.saved = []
        self.done = 0
        self.setup = Setup(FACTS, self._send, self._scan, self._join, self._save, self._done, self.log)
        self.sent = []
        self.slow = False
        self.opened = 0
        self.session = Session(CODE, self.door, lambda count: DEVICE_PRIVATE[:count])
        requests = Requests(self.setup, self.packets)
        self.conversation = Conversation(self.session, requests, self._transmit, self._opened)
        self.packets.proven = lambda: self.conversation.proven
        if proven:  # without a handshake, which takes its time
            self.session._keys, self.session.proven = OKM, True
            self.phone = Keys(OKM)

    async def write(self, channel, message, size=243):
        """A message of the phone; returns what the device sent since."""
        self.sent.clear()
        for frame in frames(message, size):
            await self.conversation.frame(channel, frame)
        return list(self.sent)

    async def ask(self, channel, plaintext):
        """A sealed request, and its opened answer."""
        sent = await self.write(channel, self.phone.seal(channel, plaintext))
        assert [number for number, _ in sent] == [channel], sent
        answer = self.phone.open(channel, sent[0][1])
        assert channel != DATA or answer[:1] == b"\0"
        return json.loads(answer[1:] if channel == DATA else answer)

    async def prove(self):
        """Phone and device prove themselves to each other."""
        self.phone = Phone()
        sent = await self.write(AUTH, await self.phone.hello())
        assert [number for number, _ in sent] == [AUTH]
        sent = await self.write(AUTH, await self.phone.proof_for(sent[0][1]))
        assert [number for number, _ in sent] == [AUTH]
        self.phone.check(sent[0][1])

    async def ended(self, channel, message, code):
        """A message after which the phone is told why, and is shown out."""
        self.sent.clear()
        parts = frames(message, 243)
        for frame in parts[:-1]:
            await self.conversation.frame(channel, frame)
        await araises(Ended, "", self.conversation.frame(channel, parts[-1]))
        assert self.sent == [(AUTH, bytes([0xFF, code]))], self.sent
        assert not self.conversation.proven

    async def _transmit(self, channel, message):
        if self.slow:
            await asyncio.sleep_ms(5)
        self.sent.append((channel, bytes(message)))
        await asyncio.sleep_ms(0)

    def _opened(self):
        self.opened += 1

    async def _send(self, channel, plaintext):
        await self.conversation.send(channel, plaintext)

    async def _scan(self):
        return [{"ssid": "Home", "rssi": -50, "security": "wpa2"}]

    async def _join(self, network):
        await asyncio.sleep_ms(1)
        return NAMES.index(self.join_result), 'network "{}": in words'.format(network["ssid"])

    def _save(self, document):
        if self.save_error:
            raise self.save_error
        self.saved.append(document)

    def _done(self):
        self.done += 1
