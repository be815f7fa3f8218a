"""What all tests share: device code finds MicroPython's names; where nothing may skip a skip is a failure."""

import faulthandler
import gc
import inspect
import logging
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extras import LEFT_OUT, TOLD
from tools.sim.cpython import install_language

UNIT = Path(__file__).parent / "unit"
UNIT_TIMEOUT_S = 200
# Behind a test's own limit, pytest-timeout's, which speaks once: for what does not end then either.
HANG_S = float(os.environ.get("TEST_HANG_S", "200"))
NOTHING_SKIPS = os.environ.get("NOTHING_SKIPS") == "1" or os.environ.get("CI") == "true"
# No package index has these, so what needs one is left out where it is missing, rather than skipped.
EXTRAS = {
    "micropython": ("MICROPYTHON", "a MicroPython unix port (MICROPYTHON=path)"),
    "aioble": ("AIOBLE", "the real aioble (AIOBLE=folder)"),
}

STDERR = pytest.StashKey[int]()  # of the process, captured or not

install_language()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # by `make test &`; devices would not hear it either
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == UNIT:
            item.add_marker(pytest.mark.timeout(UNIT_TIMEOUT_S))
    left_out = config.stash.setdefault(LEFT_OUT, {})
    every = [item for item in items if item.get_closest_marker("every")]
    if every and "every" not in config.option.markexpr:
        items[:] = [item for item in items if item not in every]
        config.hook.pytest_deselected(items=every)
        left_out["half an hour (make test-slow)"] = len(every)
    for mark, (variable, reason) in EXTRAS.items():
        extra = [item for item in items if item.get_closest_marker(mark)]
        if extra and not os.environ.get(variable):
            items[:] = [item for item in items if item not in extra]
            config.hook.pytest_deselected(items=extra)
            left_out[reason] = len(extra)


class AtOnce:
    """Says what failed as it fails, too: a run that is cut off shows no summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason, _, _ = (crash.message if crash else str(report.longrepr)).partition("\n")
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)  # when the terminal reporter is there
def pytest_configure(config: pytest.Config) -> None:
    config.stash[STDERR] = os.dup(2)  # as nothing is captured yet
    if terminal := config.pluginmanager.getplugin("terminalreporter"):  # none in a worker of pytest-xdist
        config.pluginmanager.register(AtOnce(terminal))


def pytest_collection_finish() -> None:
    gc.freeze()  # what is there by now stays: the many collections of the tests need not look at it


def watchdog(item: pytest.Item) -> None:
    mark = item.get_closest_marker("timeout")
    limit_s = float(
        mark.args[0] if mark else item.config.getoption("timeout") or item.config.getini("timeout")
    )
    faulthandler.dump_traceback_later(limit_s + HANG_S, exit=True, file=item.config.stash[STDERR])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a hang that nothing else ends end the process, and tell where each of its threads was.

    A worker of pytest-xdist that ends so fails its test, and another goes on.
    """
    watchdog(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Behind a file: what it has loaded (botocore's models, say) stays, and is not looked at again either."""
    watchdog(item)  # anew: pytest calls it off when a test fails
    yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over what its terminal summary would tell."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """All workers leave out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason, count in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"Left out: {count} tests for {reason}")
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, text in report.user_properties:
            if name == TOLD and report.when == "call":
                terminalreporter.write_line(text)


@pytest.fixture(autouse=True)
def no_task_fails_unseen(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail an asynchronous test that leaves behind a task whose exception nobody looked at."""
    yield
    if inspect.iscoroutinefunction(request.function):
        gc.collect()  # asyncio tells of it when the task is freed
        records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
        unseen = [entry for entry in records if entry.name == "asyncio" and entry.levelno >= logging.ERROR]
        assert not unseen, "\n".join(logging.Formatter().format(entry) for entry in unseen)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_if_skipped(report)
    return report


def fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where nothing may skip, turn a skip into a failure that keeps its reason."""
    if NOTHING_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: nothing may skip here: {reason}"
