"""Why a connection did not come about: imported when that has to be said."""

import asyncio

from micropython import const

from iot.mqtt.packet import MQTTError, Refused, Starved

_REFUSALS = const(
    (
        None,
        "unacceptable protocol version",
        "identifier rejected",
        "server unavailable",
        "bad user name or password",
        "not authorized",
    )
)
# How a broker hangs up in the handshake: mbedTLS's fatal alert, close notify and end of file. A reset is not
# among them: that is what lwIP makes of a broker that is down.
_HUNG_UP = const((-0x7780, -0x7880, -0x7280))
_ALERT = const(21)  # RFC 5246, 6.2.1
_FIRST_ALERT = const(40)  # below are a goodbye, and what a cipher finds amiss
_INTERNAL_ERROR = const(80)  # the first of those that say nothing of the client
_ALERTS = const(
    (
        "bad certificate",
        "unsupported certificate",
        "certificate revoked",
        "certificate expired",
        "certificate unknown",
        "illegal parameter",
        "unknown CA",
        "access denied",
    )
)


def refused(code):
    """The Refused for a CONNACK's return code (3.2.2.3); None for a code that there is not."""
    if code >= len(_REFUSALS):
        return None
    return _refused("refused by the broker: " + _REFUSALS[code], code)


def _refused(text, code):
    error = Refused(text)
    error.code = code
    return error


async def told(stream):
    """Refused by the alert that the server sent before it hung up in the middle of a write; None without one.

    A server refuses a certificate while the client still writes. That write then fails, with EPIPE or
    ECONNRESET, and TLS reads nothing any more: the alert lies in the socket below it.
    """
    try:
        socket = stream.get_extra_info("socket")
        for _ in range(10):
            record = socket.read(7)
            if record is not None:
                break
            await asyncio.sleep_ms(20)
    except (OSError, KeyError, AttributeError):
        return None
    if not record or len(record) < 7 or record[0] != _ALERT:
        return None
    if record[4] != 2:  # it is encrypted: the handshake was done, and then the server took leave
        return Refused("closed by the broker")
    number = record[6]
    if record[5] != 2 or not _FIRST_ALERT <= number < _INTERNAL_ERROR:  # not fatal, or none of the client's
        return None
    name = _ALERTS[number - 42] if 42 <= number < 42 + len(_ALERTS) else "alert number {}".format(number)
    return _refused("closed by the broker: TLS alert, " + name, number)


def explained(client, error):
    """The MQTTError for what went wrong with a connection that is closed again."""
    if isinstance(error, Refused) and error.code is not None:
        return error
    text = " ".join(str(error).split())  # mbedTLS writes a line for each reason
    if client.is_starved(error) if client.is_starved else isinstance(error, MemoryError):
        return Starved("no memory for TLS: " + text)
    if isinstance(error, MQTTError):
        return error
    if not isinstance(error, OSError):  # how MicroPython says that a certificate is bad
        return MQTTError("TLS: " + text)
    if error.errno in _HUNG_UP:
        return Refused("closed by the broker: " + text)
    return MQTTError("connection broken off: errno " + text if text.lstrip("-").isdigit() else text)
