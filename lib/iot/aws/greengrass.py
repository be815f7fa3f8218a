"""The way to a Greengrass core at home, and to AWS IoT Core while none answers.

In memory for a device alone whose configuration asks for it.
"""

import asyncio
import time

from micropython import const

from iot import tls
from iot.backoff import Backoff
from iot.events import within
from iot.memory import borrow

_ASK_MS = const(12000)  # for discovery, within the 30 s that the client gives a stream
_ANSWER_MS = const(3000)  # for a core's address
_QUIET_MS = const(1000)  # who closes within it is no core
_FLUSH_MS = const(2000)
_STABLE_MS = const(30000)  # a core that lets go before is a bad one, the third time
_SHORT_MOST = const(3)
_PAUSE_FIRST_MS = const(60000)
_PAUSE_MOST_MS = const(3600000)
_OF_TLS = const("TLS: ")  # how iot.mqtt.failure begins what a certificate is refused for
_DATES = const("validity")  # the clock's affair, not the CA's


def make(system, cloud):
    """Has a System's cloud, which does not run yet, connect so; returns the coroutine that goes with it."""
    return Cores(system, cloud).run()


class Cores:
    """Opens the streams of a System's cloud: to a core, one after the other, and behind the last to AWS.

    A connection that ended, and a core that was looked for and answers, lead back to the first of them. One
    SSLContext is in memory at a time.

    Args:
        system: the System.
        cloud: its Cloud, which does not run yet.
    """

    def __init__(self, system, cloud):
        self._system = system
        self._cloud = cloud
        self._client = cloud.client
        self._far = cloud.opener  # to AWS
        self._where = cloud.name, system.stored["config"]["aws"]["endpoint"]
        store = system.store()
        cores = borrow("iot.aws.discovery").kept(system, *self._where)
        self._is_due = cores is None  # whether discovery is
        self._cores = cores or []
        store.thing()
        self._on_trial = store.on_trial  # a certificate: AWS alone says whether it counts
        self._next = 0  # the address for the next stream; behind the last AWS
        self._at = None  # that of the last stream
        self._is_near = False  # whether that went to a core
        self._before = None  # the client's connection before it
        self._short = 0  # connections to it in a row that broke off soon
        self._opened_ms = self._asked_ms = time.ticks_ms()
        self._wait_ms = 0  # from one discovery to the next
        self._asks = Backoff(_PAUSE_FIRST_MS, _PAUSE_MOST_MS)
        self._refusals = 0  # by AWS, in a row: a core's say nothing of the certificate
        self._ceiling_ms = 0  # of the pause between two rounds
        if self._has_next():
            cloud.opener = self._opener()
        cloud.client.open_stream = self.open

    async def open(self):
        """A stream to the next core, or to AWS; whether it leads anywhere the next call will know."""
        client, log = self._client, self._system.log
        if self._at is not None:
            self._judge(client)
        if self._is_due and self._may_ask():
            await self._ask()
        is_near = self._has_next()
        at = self._next if is_near else len(self._cores)
        if self._at != at:  # another broker, which knows of no subscription
            for subscription in client.inbox.subscriptions:
                subscription.granted = None
            self._cloud.opener.context = None
            self._cloud.opener = self._opener() if is_near else self._far
        self._change_counts(client, is_near)
        self._at, self._is_near, self._before = at, is_near, client.connection
        self._opened_ms = time.ticks_ms()
        opener = self._cloud.opener
        if not is_near:
            log.info("greengrass", "no core: AWS IoT Core in its place")
            return await opener.open()
        log.info("greengrass", "core at {}:{}", *self._cores[at][:2])
        opener.prepare()  # which holds the loop, and is not the core's fault
        try:
            return await asyncio.wait_for_ms(opener.open(), _ANSWER_MS)
        except asyncio.TimeoutError:  # lwIP goes on for long, and others may be there
            raise OSError("nobody answers")

    async def run(self):
        """Looks for a core while AWS is in its place, ever more rarely, and leads the client there."""
        client, looks = self._client, Backoff(_PAUSE_FIRST_MS, _PAUSE_MOST_MS)
        while True:
            await asyncio.sleep_ms(looks.next_ms())
            if self._is_near and client.connected:
                looks.reset()
            elif self._may_leave() and await self._is_worth_it():
                await client.flush(_FLUSH_MS)
                if self._may_leave():
                    self._is_due = self._is_due or not self._cores
                    client.connection.leave()

    def _has_next(self):
        return self._next < len(self._cores) and not self._is_for_aws()

    def _is_for_aws(self):
        """Whether something is on trial, which AWS alone can end."""
        return self._on_trial or "trial" in self._system.tasks

    def _may_ask(self):
        """Whether it is time for discovery, if that is due."""
        passed_ms = time.ticks_diff(time.ticks_ms(), self._asked_ms)
        return not (self._is_for_aws() or 0 <= passed_ms < self._wait_ms)

    def _may_leave(self):
        """Whether AWS is in a core's place, and not in use for what no core has."""
        if self._is_near or not self._client.connected or self._is_for_aws() or self._cloud.turns:
            return False
        jobs = self._system.jobs
        return not (jobs and (jobs.job or jobs.update))

    def _judge(self, client):
        """Says what became of the last stream, and which address is next."""
        failed = client.connection is self._before
        if not failed:  # it came about, and has ended
            passed_ms = time.ticks_diff(time.ticks_ms(), self._opened_ms)
            is_short = client.connection.error is not None and 0 <= passed_ms < _STABLE_MS
            self._short = self._short + 1 if is_short else 0
            failed = self._short >= _SHORT_MOST
            if self._is_near:
                self._wait_ms = 0  # what was known was right: where that ends, discovery is asked at once
            if not is_short:
                self._asks.reset()
        if not self._is_near:
            self._next = 0
        elif failed:
            self._short = 0
            reason = str(client.reason)
            self._system.log.warning("greengrass", "{}: {}", self._cores[self._at][0], reason)
            self._next = self._at + 1
            is_distrusted = reason.startswith(_OF_TLS) and _DATES not in reason
            if is_distrusted or self._next == len(self._cores):
                self._is_due = True

    def _change_counts(self, client, is_near):
        """A core's failures cost short pauses, and none of its refusals counts against the certificate."""
        if not self._is_near:
            self._ceiling_ms, self._refusals = client.backoff.ceiling_ms, client.refusals
        if is_near:
            client.backoff.reset()
            client.refusals = -1
        elif self._is_near:
            client.backoff.ceiling_ms, client.refusals = self._ceiling_ms, self._refusals

    async def _ask(self):
        """Asks discovery, and begins with the first address where it says anything new."""
        module = borrow("iot.aws.discovery")
        log = self._system.log
        self._cloud.opener.context = None  # there is no room for two
        try:
            asked = module.ask(self._system, *self._where)
            cores, is_new = await asyncio.wait_for_ms(asked, _ASK_MS)
            log.info("greengrass", "discovery: {} addresses of cores", len(cores))
            self._is_due = False
            if is_new:
                self._cores, self._next, self._at = cores, 0, None
        except (module.Unanswered, asyncio.TimeoutError) as error:
            log.warning("greengrass", "discovery: {}", str(error) or "no answer")
        self._asked_ms, self._wait_ms = time.ticks_ms(), self._asks.next_ms()

    def _opener(self):
        """For the next address."""
        host, port, number = self._cores[self._next]

        def load():
            credentials = borrow("iot.aws.discovery").credentials(self._system, number)
            try:
                self._cloud.certificate_ends = borrow("iot.crypto.x509").not_after(credentials[1])
            except ValueError as error:
                self._cloud.certificate_ends = str(error)
            return credentials

        return tls.Opener(host, port, load)

    async def _is_worth_it(self):
        """Whether a core answers, or discovery may know of one by now."""
        if not self._cores:
            return self._may_ask()
        for host, port, _ in self._cores:
            if await self._answers(host, port):
                return True
        return False

    async def _answers(self, host, port):
        """Whether somebody listens there, who as a TLS server does says nothing first."""
        stream = None
        try:
            stream, _ = await asyncio.wait_for_ms(asyncio.open_connection(host, port), _ANSWER_MS)
            return not await within(_QUIET_MS, stream.read(1))
        except (OSError, asyncio.TimeoutError, MemoryError):
            return False
        finally:
            if stream:
                stream.close()
                await self._closed(stream)

    async def _closed(self, stream):
        try:
            await within(_QUIET_MS, stream.wait_closed())
        except OSError:
            pass  # it is gone either way
