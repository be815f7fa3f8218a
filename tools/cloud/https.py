"""Messages by HTTPS: `POST /topics/TOPIC?qos=1` with a thing's certificate, as AWS takes them on port 8443.

Source: AWS IoT Developer Guide, "HTTPS publish"; API reference, Publish.
"""

import ssl
import uuid
from collections.abc import Callable

from aiohttp import web

from . import topics
from .authorization import Authorization, connection_variables
from .errors import (
    AwsError,
    ForbiddenException,
    InternalFailureException,
    InvalidRequestException,
    RequestEntityTooLargeException,
    ResourceNotFoundException,
)
from .events import Event
from .limits import Limits
from .listener import SHUTDOWN_S, Listener, address, identity, server_name
from .registry import Registry
from .router import Router

_QOS = {"0": 0, "1": 1}
_RETAIN = {"false": False, "true": True}


class HttpsPublish:
    """A port of its own beside the broker's.

    Args:
        context: for mutual TLS, the broker's.
        registry: certificates and policies.
        router: brings the messages to who subscribed.
        limits: for topics, payloads, connections and handshakes.
        tell: called with an Event for each request that is refused.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        registry: Registry,
        router: Router,
        limits: Limits,
        tell: Callable[[Event], None],
    ) -> None:
        self._registry = registry
        self._router = router
        self._limits = limits
        self._tell = tell
        app = web.Application(client_max_size=limits.payload_bytes, middlewares=[self._in_aws_words])
        app.router.add_post("/topics/{topic:.+}", self._publish)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._listener = Listener(runner, context, limits)

    async def start(self, listen: str, port: int) -> int:
        """Listen on an address; returns the port. Raises OSError."""
        return await self._listener.start(listen, port)

    async def stop(self) -> None:
        """End the connections and stop listening."""
        await self._listener.stop()

    async def _publish(self, request: web.Request) -> web.Response:
        topic = request.match_info["topic"]
        who, identifier = address(request), identity(request)
        qos = _QOS.get(request.query.get("qos", "0"))
        retain = _RETAIN.get(request.query.get("retain", "false"))
        if qos is None or retain is None:
            raise InvalidRequestException("qos must be 0 or 1, retain true or false")
        if topics.is_reserved(topic):
            raise InvalidRequestException(f"{topic}: reserved topics are not served by HTTPS here")
        if error := _topic_error(topic, self._limits):
            raise InvalidRequestException(f"topic: {error}")
        payload = await request.read()
        self._check_certificate(identifier)
        authorization = Authorization(
            self._registry, identifier, "", connection_variables(who, server_name(request))
        )
        for action in ("iot:Publish", "iot:RetainPublish") if retain else ("iot:Publish",):
            if not authorization.allows(action, f"topic/{topic}"):
                raise ForbiddenException(f"{action} on topic/{topic} is not allowed")
        self._router.publish(topic, payload, qos, retain, ("n/a", identifier))
        return _answer(200, "OK")

    def _check_certificate(self, identifier: str) -> None:
        try:
            certificate = self._registry.describe_certificate(certificateId=identifier)
            status = certificate["certificateDescription"]["status"]
        except ResourceNotFoundException:
            status = "not registered"
        if status != "ACTIVE":
            raise ForbiddenException(f"certificate {identifier[:12]}… is {status}")

    @web.middleware
    async def _in_aws_words(
        self, request: web.Request, handler: Callable[[web.Request], object]
    ) -> web.StreamResponse:
        error: AwsError
        try:
            return await handler(request)  # type: ignore[misc]
        except web.HTTPRequestEntityTooLarge:
            error = RequestEntityTooLargeException(f"payload larger than {self._limits.payload_bytes} bytes")
        except web.HTTPNotFound:
            error = ResourceNotFoundException(f"{request.path} is not served here")
        except web.HTTPMethodNotAllowed as refused:
            error = InvalidRequestException(f"{request.method} is not served here")
            error.status = refused.status
        except AwsError as refused_by_us:
            error = refused_by_us
        self._tell(Event("rejected", address(request), "", identity(request), error.code, f"HTTPS: {error}"))
        told = "" if isinstance(error, InternalFailureException | ForbiddenException) else str(error)
        return _answer(error.status, told or error.code.removesuffix("Exception"), error.code)


def _topic_error(topic: str, limits: Limits) -> str | None:
    try:
        topic.encode()
    except UnicodeEncodeError:  # bytes of the request line that were no UTF-8
        return "not UTF-8"
    return "U+0000" if "\0" in topic else topics.topic_error(topic, limits)


def _answer(status: int, message: str, code: str = "") -> web.Response:
    headers = {"x-amzn-ErrorType": code} if code else {}
    body = {"message": message, "traceId": str(uuid.uuid4())}
    return web.json_response(body, status=status, headers=headers)
