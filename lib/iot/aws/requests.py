"""Requests to AWS IoT's services, each answered on …/accepted or …/rejected; here while some need them."""

import asyncio
import os

from micropython import const

from iot.aws.cloud import parsed
from iot.backoff import Backoff
from iot.events import within

_TIMEOUT_MS = const(10000)
_FIRST_MS = const(1000)
_MOST_MS = const(30000)
# The service may do it a moment later: AWS's codes of jobs, of shadows, and this module's own.
_PASSING = const(("RequestThrottled", "InternalError", 429, 500, "Timeout"))


class ServiceError(Exception):
    """A service has said no, or nothing.

    code: AWS's, such as "VersionMismatch" of jobs and 409 of shadows; "TooLarge" for an answer over the
        packet limit; "Timeout" where none came.
    answer: the whole of it, a dictionary; None without one.
    """

    def __init__(self, code, message, answer=None):
        super().__init__("{}: {}".format(code, message))
        self.code = code
        self.answer = answer


class Requests:
    """Asks services over a client, whose answers others subscribe to and `put`.

    Args:
        client: the thing's MQTT Client.
        log: a Log.

    Attributes:
        client: as given.
        Error: the ServiceError that it raises. Who lives for a moment catches this one: the module may have
            been loaded anew meanwhile.
    """

    Error = ServiceError

    def __init__(self, client, log):
        self.client = client
        self._log = log
        self._asked = {}  # by token: [topic, the Event of its answer, that, the Receipt of the request]
        # A kept session brings answers to what an earlier life has asked.
        self._last = int.from_bytes(os.urandom(3), "big")

    def put(self, topic, payload):
        """Whether a message is an answer to what was asked here, which then has it.

        payload: None for one over the packet limit.
        """
        request, _, kind = topic.rpartition("/")
        if kind not in ("accepted", "rejected"):
            return False
        document = parsed(payload)
        token = document and document.get("clientToken")
        for own, asked in self._asked.items():
            if own == token or (document is None and asked[0] == request):
                asked[2] = document
                if document is None:
                    asked[2] = ServiceError("TooLarge", topic)
                elif kind == "rejected":
                    asked[2] = ServiceError(document.get("code"), document.get("message"), document)
                asked[1].set()
                return True
        return False

    async def ask(self, topic, document, timeout_ms=_TIMEOUT_MS, tries=4):
        """Publishes a request and returns the answer's document.

        Args:
            topic: of the request, whose answers are listened to.
            document: a dictionary; a clientToken is added.
            timeout_ms: deadline of each try, from when the message is in the outbox.
            tries: how often it is sent where the service has no time or does not answer, with growing pauses.

        Raises:
            ServiceError: refused, or not answered.
        """
        self._last += 1
        token = "{:x}".format(self._last)
        asked = self._asked[token] = [topic, asyncio.Event(), None, None]
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        try:
            while True:
                answer = await self._try(asked, dict(document, clientToken=token), timeout_ms)
                tries -= 1
                if not isinstance(answer, ServiceError):
                    return answer
                if not tries or answer.code not in _PASSING:
                    raise answer
                await asyncio.sleep_ms(backoff.next_ms())
        finally:
            del self._asked[token]

    async def _try(self, asked, document, timeout_ms):
        """Sends it once; the answer's document, or a ServiceError."""
        asked[2] = None
        asked[1].clear()
        if not asked[3] or asked[3].done:  # while one waits for a connection, no second joins it
            asked[3] = self.client.publish(asked[0], document, qos=1)
        if asked[3]:
            await within(timeout_ms, asked[1].wait())
        return asked[2] or ServiceError("Timeout", asked[0])
