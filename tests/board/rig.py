"""A board on its port, the cloud that it reaches, and a subscriber that watches what arrives there."""

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import pytest

from tests import patience
from tests.board.report import Report
from tests.board.runner import Runner, compiled
from tools.board.deploy import Deployment, deploy
from tools.board.errors import BoardError
from tools.board.link import Link
from tools.cloud import Cloud
from tools.cloud.ca import ServerChain
from tools.cloud.events import Event
from tools.cloud.limits import Limits
from tools.configure import configure
from tools.subscriber import Subscriber

ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
NO_NTP = "192.0.2.1"  # nobody's (RFC 5737)
# For any step of a board's life. A chip takes seconds; in an emulator the imports alone may take minutes.
LIFE_S = 400
# AWS discards what exceeds 100 messages a second, and some of this is about more. An emulated chip may need
# longer for its handshake than AWS waits.
LIMITS = dataclasses.replace(Limits.unthrottled(), handshake_s=60, connect_s=60)
ANSWER_S = 150  # an emulator reads its flash slowly, and holds the loop for each import
_ANY_HOST = "0.0.0.0"


@dataclass(frozen=True)
class Options:
    """What the tests are told of the board and its surroundings."""

    port: str
    ssid: str
    password: str
    host: str
    listen: str = _ANY_HOST
    packages: Path | None = None
    soak_minutes: float = 30
    starts: int = 50
    reconnects: int = 200
    ntp: str | None = None

    @property
    def wifi(self) -> dict[str, str]:
        return {"ssid": self.ssid} | ({"password": self.password} if self.password else {})


class Rig:
    """The whole arrangement, as an async context manager.

    Args:
        options: the board and its surroundings.
        folder: the cloud's state, and the subscriber's files.
        report: gets what is measured.
        console: gets every line that the board prints.
    """

    def __init__(self, options: Options, folder: Path, report: Report, console: TextIO) -> None:
        self.options = options
        self.report = report
        self.messages: list[tuple[str, dict[str, Any]]] = []  # topic and payload of each that arrived
        self.events: list[Event] = []  # what the cloud told
        self.thing: str | None = None  # its name, once it is known to be provisioned in this cloud
        self.folder = folder
        self.chain: ServerChain = "p256"
        self._console = console
        self._start = time.monotonic()
        self._port = 0
        self._cloud: Cloud | None = None
        self._subscriber: Subscriber | None = None
        self._link: Link | None = None
        self._deployment: Deployment | None = None
        self._stack = contextlib.AsyncExitStack()

    # The cloud.

    @property
    def cloud(self) -> Cloud:
        assert self._cloud, "the cloud is stopped"
        return self._cloud

    async def start_cloud(self) -> None:
        """Start the cloud, at the same port with the same state as before."""
        hosts = tuple(dict.fromkeys(("localhost", "127.0.0.1", self._here, self.options.host)))
        cloud = Cloud(
            self.folder / self.chain,
            self.options.listen,
            self._port,
            hosts,
            limits=LIMITS,
            on_event=self._happened,
            server_chain=self.chain,
            files_port=0,
            files_host=self.options.host,
        )
        await cloud.start()
        self._cloud, self._port = cloud, cloud.port

    async def stop_cloud(self) -> None:
        """Stop it, if it runs."""
        if self._cloud:
            cloud, self._cloud = self._cloud, None
            await cloud.stop()

    async def use_chain(self, chain: ServerChain) -> None:
        """Have the cloud that shows this chain, in which no device is known yet."""
        if chain != self.chain:
            await self._stop_subscriber()
            await self.stop_cloud()
            self.chain, self.thing = chain, None
            await self.start_cloud()
            await self._start_subscriber()

    async def _start_subscriber(self) -> None:
        certificate, key = self.cloud.create_identity(ALL)
        subscriber = Subscriber(
            self.folder, self._here, self._port, self.cloud.root_ca, certificate, key,
            "telemetry/#", self._arrived, clean_session=False,
        )  # fmt: skip
        self._subscriber = await subscriber.__aenter__()

    async def _stop_subscriber(self) -> None:
        if self._subscriber:
            subscriber, self._subscriber = self._subscriber, None
            await subscriber.__aexit__()

    @property
    def _here(self) -> str:
        """How this machine reaches its own cloud."""
        return "127.0.0.1" if self.options.listen == _ANY_HOST else self.options.listen

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self._note(f"cloud: {event}")

    def configuration(self, **aws: object) -> dict[str, Any]:
        """A configuration for this cloud; `aws` replaces members of that section."""
        document = self.cloud.device_configuration([self.options.wifi], endpoint=self.options.host)
        document["aws"].update(aws)
        if self.options.ntp:
            document["time"] = {"ntp": [self.options.ntp]}
        return document

    def telemetry(self, member: str) -> list[Any]:
        """That member of each message that arrived and has it, in their order."""
        return [payload[member] for _, payload in self.messages if member in payload]

    def command(self, topic: str, text: str) -> None:
        """Publish to the board."""
        assert self._subscriber
        self._subscriber.publish(topic, text.encode())

    def _arrived(self, topic: str, payload: bytes) -> None:
        document = json.loads(payload)
        self.messages.append((topic, document))
        self._note(f"subscriber: {topic} {payload.decode()}")

    # The board's console.

    @property
    def link(self) -> Link:
        assert self._link, "the REPL has the port"
        return self._link

    async def expect(self, pattern: str, timeout_s: float = LIFE_S) -> str:
        """The next console line in which `pattern` is found: its first group, or all that was found."""
        match = await self.link.expect(pattern, timeout_s)
        return match[1] if match.re.groups else match[0]

    async def told(self, what: str, timeout_s: float = LIFE_S) -> Any:
        """The JSON that a program on the board prints after `what`; a traceback fails the test at once."""
        found = await self.expect(rf"{what} (.*)$|^\w*(?:Error|Exception|Interrupt)\b.*", timeout_s)
        if found is None:
            pytest.fail(f"instead of {what!r} the board printed:\n" + "\n".join(self.link.lines[-15:]))
        return json.loads(found)

    async def ask(self, line: str) -> str:
        """The answer's text to a line command that has to succeed."""
        answer = await self.link.ask(line, ANSWER_S)
        assert answer.ok, f"{line}: {answer.text}"
        return answer.text

    async def status(self) -> dict[str, Any]:
        """What `status` answers."""
        status: dict[str, Any] = json.loads(await self.ask("status"))
        return status

    async def _open_link(self) -> None:
        self._link = await Link(self.options.port, on_line=self._note).__aenter__()

    async def _close_link(self) -> None:
        if self._link:
            link, self._link = self._link, None
            await link.__aexit__(None, None, None)

    def _note(self, line: str) -> None:
        self._console.write(f"{time.monotonic() - self._start:9.2f} | {line}\n")
        self._console.flush()

    # Its states.

    async def deploy(self, again: bool = False, more: Mapping[str, str] | None = None) -> Deployment:
        """Put the device code on the board, once a run, or `again`; `more` as in tools.board.deploy."""
        if self._deployment is None or again:
            await self._close_link()
            self._deployment = done = await asyncio.to_thread(
                partial(deploy, self.options.port, self.options.packages, more=more)
            )
            await self._open_link()
            self.report["board"].update(
                machine=done.board.machine,
                image=done.board.image,
                micropython=".".join(map(str, done.board.version)),
                application_slots=done.board.application_slots,
                deployed_bytes=done.sent_bytes,
                deployed_s=done.seconds,
            )
        return self._deployment

    async def mode(self) -> str:
        """The mode it is in; where it does not answer, it is reset."""
        await self.deploy()
        for _ in range(2):
            with contextlib.suppress(BoardError):
                return await self.ask("mode")
            await self.reset()
        raise BoardError("the board does not answer after a reset", "See its console in the build folder.")

    async def restart(self) -> None:
        """Restart it by the console, and wait until it says that it does."""
        await self.ask("restart")
        await self.expect(r" I system: restarting")

    async def reset(self) -> None:
        """Reset the board, and wait for its mode."""
        async with self.repl() as runner:
            await asyncio.to_thread(runner.start, "import machine; machine.reset()")
        await self.link.send("")
        await self.started()

    async def started(self) -> str:
        """Wait until the firmware has started and answers; returns the mode."""
        mode = await self.expect(r" I system: mode (\w+)$")
        if mode == "NORMAL":  # it imports half of itself now, and hears nothing meanwhile
            await self.expect(r" wifi: ")
        return mode

    async def unconfigured(self) -> None:
        """Have it in CONFIG mode, whatever it was before."""
        self.thing = None
        if await self.mode() != "CONFIG":
            await self.ask("factory-reset --yes")
            await self.expect(r" I system: mode CONFIG$")

    async def configure(self, document: dict[str, Any]) -> None:
        """Hand it a configuration, and wait for NORMAL mode."""
        await self.mode()
        await self.send_configuration(document)
        await self.expect(r" I system: restarting: new configuration")
        await self.expect(r" I system: mode NORMAL$")

    async def send_configuration(self, document: dict[str, Any]) -> None:
        """Hand it a configuration; ConfigureError where it does not take it."""

        async def ask(line: str) -> str:
            answer = await self.link.ask(line, ANSWER_S)
            return f"{'ok' if answer.ok else 'error'} {answer.text}"

        await configure(ask, document)

    async def online(self) -> dict[str, Any]:
        """Have it in NORMAL mode and connected to this cloud, whatever it was before; returns its status."""
        if await self.mode() != "NORMAL" or not self.thing:
            await self.unconfigured()
            await self.configure(self.configuration())
            await self.expect(r" I provisioning: this is thing")
            await self.expect(r" I cloud: connected")
        async with asyncio.timeout(LIFE_S):
            while not (status := await self.status())["cloud"]:
                await asyncio.sleep(5)
        self.thing = status["thing"]
        return status

    # Its REPL.

    @asynccontextmanager
    async def repl(self) -> AsyncIterator[Runner]:
        """The board's raw REPL with a fresh heap, whatever runs there. All of its methods block."""
        await self._close_link()
        runner = Runner(self.options.port, take_over_s=ANSWER_S)
        await asyncio.to_thread(runner.__enter__)
        try:
            if "psram" not in self.report["board"]:
                self.report["board"].update(await asyncio.to_thread(runner.probe))
            yield runner
        finally:
            await asyncio.to_thread(runner.__exit__, None, None, None)
            await self._open_link()

    async def start(self, code: str, *modules: str) -> None:
        """Start code on the board, which may use these of chip/, and leave it running on its console."""
        async with self.repl() as runner:
            await asyncio.to_thread(runner.prepare)
            await asyncio.to_thread(runner.load, *modules)
            await asyncio.to_thread(runner.start, code)
        await self.link.send("")

    async def restart_once(self, code: str, module: str, *more: str) -> None:
        """Reset the board into code on `module` of chip/, and `more` of it; the next reset leads out of it.

        In a life of its own there is as much memory as the firmware has; a soft reset leaves the radio on.
        """
        names = (module, *more)
        cleared = "; ".join(f"os.remove('/{name}.mpy')" for name in names)
        main = (
            f"import os\nos.rename('/main.off', '/main.py')\nfrom {module} import *\n{cleared}\n"
            f"del os\n{code}\n"
        )
        async with self.repl() as runner:
            for name in names:
                await asyncio.to_thread(runner.write_file, f"/{name}.mpy", compiled(name))
            await asyncio.to_thread(runner.exec, "import os\nos.rename('/main.py', '/main.off')")
            await asyncio.to_thread(runner.write_file, "/main.py", main.encode())
            await asyncio.to_thread(runner.start, "import machine; machine.reset()")
        await self.link.send("")

    # Coming and going.

    async def __aenter__(self) -> "Rig":
        async with contextlib.AsyncExitStack() as stack:
            await self.start_cloud()
            stack.push_async_callback(self.stop_cloud)
            await self._start_subscriber()
            stack.push_async_callback(self._stop_subscriber)
            await self._open_link()
            stack.push_async_callback(self._close_link)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


async def until(condition: Callable[[], object], what: str, timeout_s: float = 120) -> None:
    """As patience.until; a chip is not as slow as a machine under load."""
    await patience.until(condition, what, timeout_s)
