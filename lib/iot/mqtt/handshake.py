"""How a connection begins. Imported for each of them and forgotten again: some KB of heap less meanwhile."""

import asyncio

from micropython import const

from iot.memory import borrow
from iot.mqtt.packet import MQTTError, Refused, header, malformed, string

_CONNECT = const(0x10)
_CONNACK = const(0x20)


def connect(client_id, keep_alive_s, clean, will=None, login=None):
    """A CONNECT (3.1). `client_id` is UTF-8, and so are topic and payload of `will`: (both, qos, retain).

    login: user name and password in bytes, the latter None where the certificate says who it is.
    """
    flags = 2 if clean else 0
    strings = string(client_id)
    if will:
        topic, payload, qos, retain = will
        flags |= 0x04 | qos << 3 | (0x20 if retain else 0)
        strings += string(topic) + string(payload)
    if login:
        user, password = login
        flags |= 0x80 if password is None else 0xC0
        strings += string(user) + (b"" if password is None else string(password))
    body = b"\0\4MQTT\4" + bytes((flags,)) + keep_alive_s.to_bytes(2, "big") + strings
    return header(_CONNECT, len(body)) + body


def accepted(first, body):
    """Decode a CONNACK (3.2) to whether the broker had kept the session; raise Refused if it refuses."""
    present, code = body
    refused = borrow("iot.mqtt.failure").refused(code) if code else None
    if present > 1 or (code and (present or not refused)):
        raise malformed(first, "accepted", present, code)
    if refused:
        raise refused
    return bool(present)


async def begin(client):
    """Open a stream and have the broker accept it; returns that, and whether there is a session from before.

    What came behind the CONNACK waits in the inbox's framer. Raises Refused, Starved or another MQTTError.
    """
    timeout_ms = client.connect_timeout_ms
    stream = session = None
    try:
        stream = await asyncio.wait_for_ms(client.open_stream(), timeout_ms)
        session = await asyncio.wait_for_ms(_greet(client, stream), timeout_ms)
    except (asyncio.TimeoutError, OSError, ValueError, MemoryError, OverflowError, MQTTError) as caught:
        failure = borrow("iot.mqtt.failure")
        error: Exception = caught
        if isinstance(caught, asyncio.TimeoutError):  # TLS without memory may just be silent
            error = MQTTError("no answer within {} ms".format(timeout_ms))
        elif stream and isinstance(caught, OSError):
            error = await failure.told(stream) or caught
    finally:
        if stream and session is None:
            stream.close()
            await _closed(stream, timeout_ms)
    if session is None:
        raise failure.explained(client, error)
    return stream, session


def rewind(inbox, session_present):
    """Ask again what was not answered, and all that was granted if the broker has no session.

    What waits for somebody to take it comes again, if it is of QoS 1 and the broker has the session.
    """
    inbox.expire(0)
    for _, _, packet_id, _ in inbox.waiting:
        if not (session_present and packet_id):
            inbox.counts["unclaimed"] += 1
    inbox.waiting.clear()
    if not session_present:
        inbox.subscriptions = [living for living in inbox.subscriptions if not living.closed]
        for subscription in inbox.subscriptions:
            subscription.granted = subscription.granted and None  # a refusal stands


async def _closed(stream, timeout_ms):
    try:
        await asyncio.wait_for_ms(stream.wait_closed(), timeout_ms)
    except (OSError, asyncio.TimeoutError):
        pass  # it is gone either way


async def _greet(client, stream):
    framer = client.inbox.framer
    framer.reset()
    login = getattr(client, "login", None)  # of iot.clouds.client: as fresh as can be
    login = login and await login()
    stream.write(connect(client.client_id.encode(), client.keep_alive_s, client.clean, client.will, login))
    await stream.drain()
    while (first := framer.next()) is None:
        count = await stream.readinto(framer.room())
        if count:
            framer.fed(count)
        elif count is not None:  # None: a TLS record that is not complete yet
            raise Refused("closed by the broker")
    if first != _CONNACK:
        raise malformed(first, "before")
    session = accepted(first, framer.body)
    if session and client.clean:
        raise malformed(first, "session")  # 3.2.2.2
    return session
