"""What the mode OTA has of the cloud: a connection as the thing, for as long as something is asked for."""

from micropython import const

from iot import memory, tls
from iot.memory import borrow
from iot.mqtt.client import Client
from iot.mqtt.packet import Framer, MQTTError
from iot.mqtt.queues import Inbox, Outbox

_OUTBOX_BYTES = const(1024)
_WINDOW = const(4)
_PACKET_BYTES = const(6144)  # of a job's document: here is more room than beside an application
_BYE_MS = const(2000)
_OVER = const("the job is over")
_ENDED = const(("ResourceNotFound", "TerminalStateReached"))


class Line:
    """A connection of the System's thing to its cloud. `System.line` makes one.

    Attributes:
        client: the MQTT Client, from `open` on.
        prefix: of the thing's topics.
    """

    def __init__(self, system):
        self._system = system
        self._name = system.store().thing()[0]
        self.prefix = "$aws/things/" + self._name + "/"
        self.client = None

    async def open(self, packet_bytes=_PACKET_BYTES):
        """Connects, for messages of at most `packet_bytes`; OSError where that fails."""
        system = self._system
        aws = system.stored["config"]["aws"]
        self.client = Client(
            self._name,
            tls.Opener(aws["endpoint"], aws["port"], lambda: system.store().thing_credentials()).open,
            Outbox(_OUTBOX_BYTES, _WINDOW, system.counts),
            Inbox(Framer(packet_bytes), system.counts),
            system.log,
            is_starved=tls.is_starved,
        )
        try:
            await self.client.connect()
        except MQTTError as error:
            raise OSError(str(error))

    async def close(self):
        """Ends the connection, whether there is one or not; its code goes with it."""
        if self.client:
            await self.client.flush(_BYE_MS)
            await self.client.disconnect()
        memory.stay(borrow("iot.modes").staying(self._system.mode))

    async def take_up(self, order):
        """Adds to an order what its job's document says; the job is IN_PROGRESS then.

        Raises:
            ValueError: the job is over, or is none of an update's: then the cloud knows that.
            OSError: the cloud does not answer.
        """
        requests = borrow("iot.aws.requests").Requests(self.client, self._system.log)
        jobs = self.prefix + "jobs/"
        self.client.subscribe(jobs + "+/+/+", 1, 1, lambda message: requests.put(*message))
        request = {"executionNumber": order["number"]} if order["number"] else {}
        try:
            try:
                answer = await requests.ask(jobs + order["job"] + "/get", request)
            except requests.Error as error:
                if error.code != "TooLarge":
                    raise
                request["includeJobDocument"] = False
                answer = await requests.ask(jobs + order["job"] + "/get", request)
        except requests.Error as error:
            raise (ValueError if error.code in _ENDED else OSError)(str(error))
        members = answer.get("execution") or {}
        if members.get("status") not in ("QUEUED", "IN_PROGRESS"):
            raise ValueError(_OVER)
        found = borrow("iot.aws.execution").Execution(members, jobs, requests, self._system.log)
        try:
            order.update(borrow("iot.ota.request").order(self._document(found)))
        except ValueError as error:
            await found.tell("REJECTED", {"reason": str(error)})
            raise
        if members["status"] == "QUEUED" and not await found.tell("IN_PROGRESS", {}):
            raise ValueError(_OVER)

    def _document(self, found):
        """What the document of an update says."""
        if found.document is None:
            raise ValueError("the document is over {} bytes, or nested too deep".format(_PACKET_BYTES))
        steps = borrow("iot.work.documents").steps(found.document)
        if len(steps) != 1 or steps[0][0] != "OTA":
            raise ValueError("an update is a job of its own")
        return steps[0][1]
