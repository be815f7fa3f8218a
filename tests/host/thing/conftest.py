"""A cloud for all tests of a module, each with a thing of its own."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.peers.cloud_thread import CloudThread
from tools.__main__ import main

PATIENCE = str(PATIENCE_S)  # as an argument


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudThread]:
    with CloudThread(tmp_path_factory.mktemp("cloud"), rest_port=0) as running:
        yield running


@dataclass
class Done:
    """How the verb ended."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def value(self) -> Any:
        """The result of --json."""
        last = self.objects[-1]
        assert last["ok"] is True, last
        return last["value"]

    @property
    def failure(self) -> dict[str, str]:
        last = self.objects[-1]
        assert last["ok"] is False and last["text"] in self.err and last["remedy"] in self.err
        return last


Thing = Callable[..., Done]


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Run `python3 -m tools …` here."""
    monkeypatch.setattr(sys, "argv", ["tools", *arguments])
    capsys.readouterr()
    try:
        status = main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    return Done(status, *capsys.readouterr())


@pytest.fixture
def thing(cloud: CloudThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Thing:
    """Runs `python3 -m tools thing … --state`, in this process."""

    def run(*arguments: str, where: tuple[str, ...] = ("--state", str(cloud.folder / "state"))) -> Done:
        return in_process(monkeypatch, capsys, "thing", *where, *arguments)

    return run
