"""Registers the thing with Azure's Device Provisioning Service: once in a device's life, or in a hub's.

Source: "Communicate with DPS using the MQTT protocol". It asks, and asks again until it was assigned a hub.
"""

import asyncio
import gc
import time

from micropython import const

from iot import tls
from iot.backoff import Backoff
from iot.clouds.cloud import CloudClient
from iot.events import within
from iot.memory import borrow
from iot.mqtt.packet import Framer, MQTTError, Refused
from iot.mqtt.queues import Inbox, Outbox

_OUTBOX_BYTES = const(1024)
_PACKET_BYTES = const(4096)
_FIRST_MS = const(2000)
_MOST_MS = const(300000)
_ANSWER_MS = const(20000)
_POLLS = const(40)
_KEEP_ALIVE_S = const(60)
_PAUSE_S = const(3)  # where no answer says how long
_PAUSE_MOST_S = const(60)
_POLICY = const("registration")
_REGISTER = const("$dps/registrations/PUT/iotdps-register/?$rid=1")
_STATUS = const("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1&operationId=")
_ANSWERS = const("$dps/registrations/res/#")


class ClaimError(Exception):
    """DPS refuses, or does not answer; `pause_s`: it wants that much time before the next try."""

    def __init__(self, text, pause_s=0):
        super().__init__(text)
        self.pause_s = pause_s


async def run(system, tries=None):
    """Registers until it has worked, telling the system as iot.aws.claim does.

    Args:
        tries: after so many that failed it gives up; None: never.
    """
    log, notify = system.log, system.tell
    backoff = Backoff(_FIRST_MS, _MOST_MS)
    tried = 0
    while tried != tries:
        await system.clock.ready()
        pause_ms = backoff.next_ms()
        try:
            notify("connecting", True)
            name, hub = await Claim(system).run()
            system.store().save_assigned(name, hub)
            log.info("provisioning", 'this is device "{}" of {}', name, hub)
            notify("provisioned", name)
            return
        except (OSError, ValueError, MemoryError, MQTTError, ClaimError) as error:
            reason = str(error)
            if isinstance(error, Refused):
                reason += "; is {} the id scope, and the time?".format(
                    system.stored["config"]["azure"]["id_scope"]
                )
            borrow("iot.work.provisioning").failed(error, reason, log, notify)
            if isinstance(error, ClaimError):
                pause_ms = max(pause_ms, 1000 * error.pause_s)
        finally:
            notify("connecting", False)
        gc.collect()  # what the broken-off try took for TLS makes room for the next
        tried += 1
        await asyncio.sleep_ms(pause_ms)
    borrow("iot.work.provisioning").given_up(tried, log, notify)


class Claim:
    """One try. It owns a CloudClient, whose profile nobody asks: there is no application.

    Args:
        system: the System.
    """

    profile = "iot.azure.profile"
    wraps = False

    def __init__(self, system):
        self.section = system.stored["config"]["azure"]
        self.name = self.section["device_id"].replace("{id}", system.device_id)
        self._store = system.store
        self._log = system.log
        self._answer = None
        self._came = asyncio.Event()
        self._client = CloudClient(
            self,
            self.name,
            tls.Opener(self.section["endpoint"], self.section["port"], self._credentials).open,
            Outbox(_OUTBOX_BYTES, 1, system.counts),
            Inbox(Framer(_PACKET_BYTES), system.counts),
            system.log,
            self._on_client,
            None,
            _KEEP_ALIVE_S,
            True,
        )
        self._client.is_starved = tls.is_starved

    async def run(self):
        """The device's name and its hub's; raises ClaimError and what connections do."""
        client, section = self._client, self.section
        try:
            self._log.info("provisioning", "connecting to {} as {}", section["endpoint"], self.name)
            await client.connect()
            answers = client.inbox.subscribe(_ANSWERS, 1, 1, self._put)
            client.connection.wake.set()
            if not await answers.acknowledged(_ANSWER_MS):
                raise ClaimError("no answer to the subscription: " + (client.reason or "it was refused"))
            found = await self._ask(_REGISTER, {"registrationId": self.name})
            for _ in range(_POLLS):
                if found.get("status") not in ("assigning", "unassigned"):
                    return self._assigned(found)
                await asyncio.sleep(self._pause_s)
                found = await self._ask(_STATUS + str(found.get("operationId")), b"")
            raise ClaimError("it goes on assigning")
        finally:
            await client.disconnect()

    async def login(self):
        """As iot.clouds.cloud.Cloud's."""
        section, tokens = self.section, borrow("iot.azure.tokens")
        resource = "{}/registrations/{}".format(section["id_scope"], self.name)
        user = (resource + "/api-version=2019-03-31&ClientVersion=esp32-iot").encode()
        key = tokens.key(self._store().certificates(), self.name)
        return user, key and tokens.made(resource, key, time.time(), _POLICY)

    async def _ask(self, topic, payload):
        """The document that is the answer."""
        self._came.clear()
        self._client.post(topic, payload)
        if not await within(_ANSWER_MS, self._came.wait()):
            raise ClaimError("no answer to the registration")
        if self._answer is None:
            raise ClaimError("the connection ended: {}".format(self._client.reason))
        (topic, payload), self._answer = self._answer, None
        code = topic.split("/")[3]
        told = borrow("iot.azure.bag").properties(topic.replace("?", "")).get("retry-after")
        self._pause_s = min(int(told), _PAUSE_MOST_S) if (told or "").isdigit() else _PAUSE_S
        document = borrow("iot.clouds.documents").read(payload) or {}
        if code not in ("200", "202"):
            raise ClaimError(self._refusal(code, document), self._pause_s if code == "429" else 0)
        return document

    def _assigned(self, found):
        state, status = found.get("registrationState") or {}, found.get("status")
        name, hub = state.get("deviceId"), state.get("assignedHub")
        if status != "assigned" or not isinstance(name, str) or not isinstance(hub, str):
            why = state.get("errorMessage") or "its enrolment says so"
            raise ClaimError("DPS: {} is {}: {}".format(self.name, status, why))
        return name, hub

    def _refusal(self, code, document):
        text = "DPS: {} {} ({})".format(code, document.get("message", ""), document.get("errorCode", ""))
        if code == "401":
            now = "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*time.gmtime()[:6])
            text += "; is {} enrolled in {}, by this key or certificate, and is it {} there, too?"
            text = text.format(self.name, self.section["id_scope"], now)
        return text

    def _credentials(self):
        own = self._store().certificates()
        return own["root_ca"], own.get("certificate"), own.get("key")

    def _put(self, message):
        topic, payload = message
        self._answer = topic, bytes(payload or b"")
        self._came.set()

    def _on_client(self, event, detail):
        if event == "disconnected":
            self._came.set()
