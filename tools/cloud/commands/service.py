"""Commands on MQTT: `$aws/commands/things|clients/ID/executions/EXECUTION/response/json` and its answers."""

import json
import re
from collections.abc import Callable

from ..client import Client
from ..database import Database
from ..errors import InternalFailureException
from ..events import Event
from ..registry import Registry
from . import update
from .executions import Executions, Publish

_RESPONSE = re.compile(r"\$aws/commands/((?:things|clients)/.+)/executions/([^/]+)/response/json", re.DOTALL)


class Commands(Executions):
    """All of AWS IoT Commands: what boto3 calls, and what devices answer.

    A device's word is answered on `…/response/accepted/json` or `…/response/rejected/json`, to whoever
    subscribed. Who may speak for a thing is its policy's: iot:Publish on the topic.

    Args:
        database: each request is one transaction in it.
        registry: the things.
        publish: a message to whoever subscribed.
        tell: called with an Event for each answer that is refused.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        publish: Publish,
        tell: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(database, registry, publish, clock)
        self._tell = tell

    def claims(self, topic: str) -> bool:
        return _RESPONSE.fullmatch(topic) is not None

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        found = _RESPONSE.fullmatch(topic)
        if found is None:
            return
        target, execution_id = found.groups()
        try:
            self.sweep()
            with self._db.transaction():
                if not self._update(execution_id, target, update.parse(payload)):
                    raise update.Refused("ResourceNotFound", f"there is no such execution for {target}")
        except update.Refused as error:
            self._reject(client, topic, execution_id, error.code, str(error))
        except InternalFailureException as error:
            self._reject(client, topic, execution_id, "InternalError", str(error))
        else:
            self._answer(topic, "accepted", {"executionId": execution_id})

    def _reject(self, client: Client, topic: str, execution_id: str, code: str, message: str) -> None:
        detail = f"{topic}: {message}"
        self._tell(Event("rejected", client.address, client.client_id, client.certificate_id, code, detail))
        answer = {"error": code, "errorMessage": message, "executionId": execution_id}
        self._answer(topic, "rejected", answer)

    def _answer(self, topic: str, verdict: str, answer: dict[str, str]) -> None:
        self._publish(f"{topic.removesuffix('/json')}/{verdict}/json", json.dumps(answer).encode())
