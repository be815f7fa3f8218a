"""What holds for every verb of `python3 -m tools`: help with examples and statuses, and failures as JSON."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.__main__ import VERBS, main
from tools.thing.arguments import OfThing


def parsers() -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Each verb and each of its actions, with its parser."""
    for verb, (module, _) in VERBS.items():
        parser = argparse.ArgumentParser()
        implementation = importlib.import_module(module)
        parser.epilog = implementation.EXAMPLES
        implementation.add_arguments(parser)
        yield from below((verb,), parser)


def below(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """A parser, and those of its actions."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from below((*words, name), sub)
        elif isinstance(action, OfThing):
            yield from below((*words, "lamp"), action.inner)


ALL = dict(parsers())
WITH_JSON = [words for words, parser in ALL.items() if "--json" in parser.format_help()]


def test_the_verbs_that_scripts_use_have_json() -> None:
    wanted: set[tuple[str, ...]] = {
        ("image",),
        ("flash",),
        ("deploy",),
        ("configure",),
        ("console",),
        ("new",),
        ("qr",),
        ("station",),
        ("size",),
        ("bench",),
    }
    wanted |= {("ble", name) for name in ("scan", "configure", "status", "send")}
    wanted |= {("cloud", name) for name in ("client", "watch", "send")}
    wanted |= {("thing",)} | {("thing", "lamp", name) for name in ("show", "logs", "rotate")}
    wanted |= {("thing", "lamp", "shadow", name) for name in ("get", "set")}
    wanted |= {("thing", "lamp", "job", name) for name in ("run", "list", "show", "cancel")}
    wanted |= {("thing", "lamp", "command", "run")}
    wanted |= {("fleet", name) for name in ("list", "show", "stale", "group", "tag", "retire", "claim")}
    wanted |= {("aws", name) for name in ("up", "down", "serials", "check", "claim", "cost")}
    wanted |= {("release", name) for name in ("keygen", "build", "sign", "inspect", "sbom")}
    wanted |= {("release", "root", name) for name in ("make", "rotate", "adopt", "show")}
    assert wanted <= set(WITH_JSON)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_examples_that_begin_as_they_are_typed(words: tuple[str, ...]) -> None:
    epilog = ALL[words].epilog or ""
    assert epilog.startswith("examples:\n") and "exit status" in epilog
    assert f"python3 -m tools {' '.join(words)}" in epilog


@pytest.mark.parametrize("words", WITH_JSON, ids=" ".join)
def test_wrong_arguments_as_json(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *words, "--json", "--no-such-option")
    out, err = capsys.readouterr()
    failure = json.loads(out)
    assert ended.value.code == 2 and failure["ok"] is False
    assert failure["text"] in err and "--help" in failure["remedy"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("flash", "/no/such/port", "no.bin"), 1),
        (("deploy", "/no/such/port", "--no-packages"), 1),
        (("configure", "/no/such/port", "no.json"), 1),
        (("configure", "--check", "no.json"), 1),
        (("configure", "--check", "/no/such/port", "no.json"), 2),
        (("console", "/no/such/port", "status"), 1),
        (("console", "/no/such/port"), 1),
        (("qr", "--port", "/no/such/port"), 1),
        (("qr", "ABCD-EFGH-JKMN", "--port", "/no/such/port"), 2),
        (("ble", "configure", "no.json", "--code", "ABCD-EFGH-JKMN"), 1),
        (("ble", "status"), 2),
        (("new", "No"), 1),
        (("cloud", "client", "laptop", "--state", "no"), 1),
        (("cloud", "watch", "--state", "no"), 1),
        (("cloud", "send", "a", "b", "--state", "no"), 1),
        (("thing", "--state", "no"), 1),
        (("thing", "lamp", "show", "--state", "no"), 1),
        (("thing", "lamp", "shadow", "set", "a=1", "a=2"), 2),
        (("thing", "lamp", "job", "run", "--state", "no"), 2),
        (("thing", "lamp", "logs", "--state", "no"), 1),
        (("station", "--page", "https://example.com/"), 2),
        (("station", "no.bin", "--page", "https://example.com/"), 1),
        (("fleet", "list", "--state", "no"), 1),
        (("fleet", "group", "hall", "add"), 2),
        (("fleet", "retire", "lamp", "--yes", "--state", "no"), 1),
        (("fleet", "claim", "--batch", "march"), 2),
        (("aws", "up", "--claim", "march"), 2),
        (("aws", "up", "camera", "--claim", "march", "--until", "2999-01-01"), 2),
        (("aws", "up", "--profile", "no-such"), 1),
        (("aws", "down", "--profile", "no-such"), 1),
        (("aws", "serials", "--profile", "no-such"), 1),
        (("release", "keygen", "no/such/folder/key"), 1),
        (("release", "root", "make", "--threshold", "1", "no.pub"), 1),
        (("release", "root", "show", "no.py"), 1),
        (("release", "build", "--kind", "image"), 2),
        (("release", "build", "--image", "no.bin", "--version", "1", "--expires", "2999-01-01"), 1),
        (("release", "sign", "no", "--key", "no.pem"), 1),
        (("release", "inspect", "no"), 1),
        (("release", "sbom", "no"), 1),
    ],
)
def test_a_failure_as_json(
    arguments: tuple[str, ...],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SETUP_CODE", raising=False)
    assert run(monkeypatch, *arguments, "--json") == status
    out, err = capsys.readouterr()
    failure: dict[str, Any] = json.loads(out)
    assert failure["ok"] is False and failure["text"] in err and failure["remedy"]
    assert not list(tmp_path.iterdir()), "a failure leaves something behind"


def test_a_verb_that_does_not_run_here_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tools.__main__.ROOT", tmp_path)  # as installed: without tests/
    monkeypatch.setitem(VERBS, "ble", ("a_package_that_is_missing.verb", ""))
    for arguments in (("size",), ("bench",), ("ble", "status")):
        assert run(monkeypatch, *arguments, "--json") == 1
        out, err = capsys.readouterr()
        failure = json.loads(out)
        assert failure["ok"] is False and f"{failure['text']}\n" == err and failure["remedy"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tools", *arguments])
    return main()
