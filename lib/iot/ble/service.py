"""The GATT service on aioble: advertises, takes one phone at a time, moves frames."""

import asyncio
import errno
import time

import aioble
import bluetooth
from micropython import const

from iot.ble.conversation import Ended
from iot.ble.frames import split
from iot.ble.requests import AUTH

_SERVICE = const("5704246a-5d4c-4f19-9b53-157d8824063d")
_CHARACTERISTICS = const(
    (
        "15ba8b82-df9a-46dc-865a-177a17ad9035",  # AUTH
        "20a62cd0-93ba-41e2-96b0-31b1aa131909",  # CONFIG
        "3a21768b-174a-41bc-8b25-b9c1ebfb7510",  # STATUS
        "43c5e37d-b664-4b4a-aa33-032bbaf7133f",  # DATA
    )
)

_MTU_LEAST = const(23)  # until another is agreed on
_MTU = const(247)  # a frame then fits one link layer packet (251 bytes)
_FRAME_MAX = const(244)
_INTERVAL_US = const(100000)
_QUEUE_MAX = const(32)
_QUEUE_BEFORE = const(8)  # frames, before the proof, and of each no more than shows that it is too long
_FRAME_BEFORE = const(69)
_POLL_MS = const(250)
_GREETING_MS = const(10000)
_SILENCE_MS = const(30000)
_SHARE = const(4)
_RETRY_MS = const(20)
_SEND_MS = const(5000)
_HANG_UP_MS = const(10000)  # where the phone is out of reach, until the link layer gives up
_GOODBYE_MS = const(300)  # what was sent last shall arrive
_LONGEST_MS = const(86400000)  # of a wait: MicroPython's have 6.2 days at the most
_FAILURES_MOST = const(10)  # in a row: then NimBLE needs a restart


class Service:
    """Runs Bluetooth LE, once in the life of a program: NimBLE gives its memory back only by a reset.

    Args:
        name: what the device calls itself, up to 28 bytes (iot.identity.on_air).
        info: bytes that reading AUTH gives.
        converse: called with a coroutine function (channel, message) that sends; returns a Conversation.
        pause: coroutine function that returns when the next phone is welcome.
        log: a Log.
        notify: called with ("ble_up", address) and ("ble_down", reason).
    """

    def __init__(self, name, info, converse, pause, log, notify):
        self._name = name
        self._info = info
        self._converse = converse
        self._pause = pause
        self._log = log
        self._notify = notify
        self._frames = []
        self._news = asyncio.Event()
        self._connection = self._conversation = None

    async def run(self, limit_ms, busy):
        """Returns when it has advertised for `limit_ms` and no phone has proved itself.

        Args:
            busy: whether the device has something else to do: then a quarter of the time that others take up
                counts as well. Else strangers near the device could keep it here for ever.
        """
        aioble.config(mtu=_MTU, gap_name=self._name)
        service = aioble.Service(bluetooth.UUID(_SERVICE))
        self._characteristics = [
            aioble.BufferedCharacteristic(
                service,
                bluetooth.UUID(uuid),
                read=True,
                write=True,
                notify=True,
                capture=True,
                max_len=_FRAME_MAX,
            )
            for uuid in _CHARACTERISTICS
        ]
        aioble.register_services(service)
        for channel in range(1, 5):
            self._hide_frames(channel)
        self._readers = [asyncio.create_task(self._read(channel)) for channel in range(1, 5)]
        try:
            await self._welcome(limit_ms, busy)
        finally:
            for reader in self._readers:
                reader.cancel()
            if self._connection:
                await self._hang_up(self._connection)
            aioble.stop()

    def proven(self):
        """Whether a phone is there that has proved itself, which its session alone knows."""
        return self._conversation is not None and self._conversation.proven

    async def send(self, channel, plaintext):
        """Seals and sends, for the phone that is there; nothing without a session. Errors as `_send`."""
        if self._conversation:
            await self._conversation.send(channel, plaintext)

    async def _welcome(self, limit_ms, busy):
        left_ms, end_ms = limit_ms, time.ticks_ms()
        failures = 0
        while left_ms > 0:
            await self._pause()
            start_ms = time.ticks_ms()
            if busy:
                left_ms -= time.ticks_diff(start_ms, end_ms) // _SHARE
            connection = None
            try:
                connection = await aioble.advertise(
                    _INTERVAL_US,
                    name=self._name,
                    services=[bluetooth.UUID(_SERVICE)],
                    timeout_ms=max(1, min(left_ms, _LONGEST_MS)),
                )
                if connection is None:  # what aioble makes of a cancellation
                    raise asyncio.CancelledError
                failures = 0
            except asyncio.TimeoutError:
                pass
            except (OSError, MemoryError) as error:
                failures += 1
                if failures == _FAILURES_MOST:
                    raise
                self._log.warning("ble", "does not advertise: {}", error)
                await asyncio.sleep_ms(_POLL_MS)
            end_ms = time.ticks_ms()
            left_ms -= time.ticks_diff(end_ms, start_ms)
            if connection and await self._serve(connection):
                left_ms, end_ms = limit_ms, time.ticks_ms()

    async def _serve(self, connection):
        """Talks with one phone until it goes or has to; returns whether it had proved itself."""
        self._connection = connection
        self._frames.clear()
        address = connection.device.addr_hex()
        self._log.info("ble", "{} connected", address)
        self._notify("ble_up", address)
        reason = "it disconnected"
        try:
            self._conversation = self._converse(
                lambda channel, message: self._send(connection, channel, message)
            )
            await self._talk(connection, self._conversation)
        except (Ended, OSError) as error:
            reason = str(error)
        except Exception as error:  # e.g. no memory: whatever a phone brings about ends its connection alone
            self._log.exception("ble", "a connection failed", error)
            reason = type(error).__name__
        proven = self.proven()
        self._conversation = None  # its buffer makes room for the next one's
        await self._hang_up(connection)
        self._connection = None
        self._log.info("ble", "{} gone: {}", address, reason)
        self._notify("ble_down", reason)
        return proven

    async def _talk(self, connection, conversation):
        start_ms = frame_ms = time.ticks_ms()
        while connection.is_connected():
            if self._frames:
                frame_ms = time.ticks_ms()
                if conversation.proven:
                    start_ms = frame_ms  # a HELLO that begins anew has its time for a proof, too
                await conversation.frame(*self._frames.pop(0))
            else:
                self._news.clear()
                try:
                    await asyncio.wait_for_ms(self._news.wait(), _POLL_MS)
                except asyncio.TimeoutError:
                    pass
            for channel in range(1, 5):
                reader = self._readers[channel - 1]
                if reader.done():
                    self._readers[channel - 1] = asyncio.create_task(self._read(channel))
                    await reader  # raises what it died of
            silent_ms = time.ticks_diff(time.ticks_ms(), frame_ms if conversation.proven else start_ms)
            if silent_ms > _GREETING_MS and not conversation.greeted:
                raise Ended("no hello")
            if silent_ms > _SILENCE_MS:
                raise Ended("no frame" if conversation.proven else "no proof")

    async def _read(self, channel):
        """Moves what is written to a characteristic into the queue of frames, in the order of all four."""
        characteristic = self._characteristics[channel - 1]
        while True:
            connection, frame = await characteristic.written()
            if connection is not self._connection:
                continue
            limit = _QUEUE_MAX
            if not self.proven():
                limit, frame = _QUEUE_BEFORE, frame[:_FRAME_BEFORE]
            if len(self._frames) < limit:
                self._frames.append((channel, frame))  # a lost one is missed by its sequence number
                self._news.set()

    def _hide_frames(self, channel):
        """Has a read give what it shall, not what was written.

        The value is set for each read, when a phone that waits for its answer writes nothing. Set after each
        write, it would now and then take the place of the next frame before aioble has that.
        """
        characteristic = self._characteristics[channel - 1]

        def on_read(connection):
            characteristic.write(self._info if channel == AUTH else b"")
            return 0

        characteristic.on_read = on_read

    async def _send(self, connection, channel, message):
        """Sends a message in frames. OSError where the phone is gone or takes none."""
        start_ms = time.ticks_ms()
        characteristic = self._characteristics[channel - 1]
        for frame in split(message, connection.mtu or _MTU_LEAST):
            while not self._notified(characteristic, connection, frame):
                if time.ticks_diff(time.ticks_ms(), start_ms) > _SEND_MS:
                    raise OSError("the phone takes no frames")
                await asyncio.sleep_ms(_RETRY_MS)
            await asyncio.sleep_ms(0)

    def _notified(self, characteristic, connection, frame):
        """Whether NimBLE had memory for a frame; OSError where the phone is gone."""
        if not connection.is_connected():
            raise OSError("it disconnected")
        try:
            characteristic.notify(connection, frame)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
            return False
        return True

    async def _hang_up(self, connection):
        if connection.is_connected():
            await asyncio.sleep_ms(_GOODBYE_MS)
            try:
                await connection.disconnect(_HANG_UP_MS)
            except (asyncio.TimeoutError, OSError):  # after which aioble does not learn of the end any more
                self._log.warning("ble", "the phone does not let go")
