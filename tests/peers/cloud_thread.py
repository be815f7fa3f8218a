"""A cloud in a thread of its own, for clients of others that bring their own threads."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.patience import PATIENCE_S
from tools.cloud import Cloud, Event

Result = TypeVar("Result")
DEADLINE_S = PATIENCE_S
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}


class CloudThread:
    """`with CloudThread(folder) as cloud:`; the Cloud itself is reached through `call`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self._options = options

    def __enter__(self) -> "CloudThread":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._cloud = self._run(self._start())
        self.port = self._cloud.port
        self.root_ca = self.folder / "root.pem"
        self.root_ca.write_text(self._cloud.root_ca)
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._cloud.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    async def _start(self) -> Cloud:
        cloud = Cloud(self.folder / "state", on_event=self.events.append, **self._options)
        await cloud.start()
        return cloud

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE_S)

    def call(self, function: Callable[[Cloud], Result]) -> Result:
        """Call a function with the cloud, where its loop runs."""

        async def called() -> Result:
            return function(self._cloud)

        return self._run(called())

    def identity(self, name: str, policy: dict[str, Any] | None = None) -> tuple[str, str]:
        """Files of a certificate that may do anything, unless a policy is given, and of its key."""
        return self.write(name, *self.call(lambda cloud: cloud.create_identity(policy or ANYTHING)))

    def write(self, name: str, certificate: str, key: str) -> tuple[str, str]:
        files = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        for file, pem in zip(files, (certificate, key), strict=True):
            file.write_text(pem)
        return str(files[0]), str(files[1])
