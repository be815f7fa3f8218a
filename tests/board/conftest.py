"""The tests of a board: `make test-board PORT=… WIFI=ssid:password HOST=address`; left out without a port."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console

from tests.board.report import Report
from tests.board.rig import Options, Rig
from tests.extras import LEFT_OUT
from tools.board.errors import BoardError
from tools.board.ports import chosen_port

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build"
LONG = {"soak", "memory", "config", "ota", "image"}
VERDICTS = "test_verdicts.py"  # on whatever was measured
REPORT = pytest.StashKey[Report]()
TIMEOUT_S = 2400  # of one test, in an emulator; what they wait for has deadlines of its own


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("board", "a board on a serial port (tests/board)")
    group.addoption("--port", help="its port, or '' for that of the only board plugged in")
    group.addoption("--wifi", metavar="SSID:PASSWORD", help="its network; an empty password: an open one")
    group.addoption("--host", help="name or address under which the board reaches this machine")
    group.addoption("--listen", default="", help="where the local cloud listens (default: all interfaces)")
    group.addoption("--ntp", metavar="HOST", help="a time server that it reaches, instead of public ones")
    group.addoption("--image", metavar="BIN", help="the image that it runs")
    group.addoption("--packages", metavar="DIR", help="third-party packages, instead of downloading them")
    group.addoption("--soak-minutes", type=float, default=30, help="length of the test marked soak (30)")
    group.addoption("--starts", type=int, default=50, help="cold starts in the tests marked memory (50)")
    group.addoption("--reconnects", type=int, default=200, help="reconnects in one life there (200)")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("port", None) == "":  # as make test-board says it
        try:
            config.option.port = chosen_port(None)
        except BoardError as error:
            raise pytest.UsageError(f"--port: {error}") from None
    if config.getoption("port", None):
        for name in ("wifi", "host"):
            if not config.getoption(name):
                raise pytest.UsageError(f"--port needs --{name}: make test-board PORT=… WIFI=… HOST=…")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a board where there is none, and long tests where nobody asks for them."""
    ours = [item for item in items if item.path.parent == HERE]
    for item in ours:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
    if config.getoption("port", None):
        asked = config.option.markexpr
        extra = [
            item
            for item in ours
            if (marks := LONG & {mark.name for mark in item.iter_markers()})
            and not any(mark in asked for mark in marks)
            and item.path.name != VERDICTS
        ]
    else:
        extra = ours
        config.stash.setdefault(LEFT_OUT, {})["a board (make test-board)"] = len(extra)
    if extra:
        items[:] = [item for item in items if item not in extra]
        config.hook.pytest_deselected(items=extra)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if report := config.stash.get(REPORT, None):
        text = io.StringIO()
        color = terminalreporter.hasmarkup
        Console(file=text, width=110, force_terminal=color, highlight=False).print(report.table())
        terminalreporter.section("board")
        terminalreporter.write(text.getvalue())
        terminalreporter.write_line(
            f"\nAll figures: {BUILD / 'board-report.json'}, its console: board-console.log"
        )


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    report = request.config.stash[REPORT] = Report()
    yield report
    report.write(BUILD / "board-report.json")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rig(
    request: pytest.FixtureRequest, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Rig]:
    option = request.config.getoption
    ssid, _, password = option("wifi").partition(":")
    packages = option("packages")
    options = Options(
        option("port"),
        ssid,
        password,
        option("host"),
        option("listen") or "0.0.0.0",
        Path(packages) if packages else None,
        option("soak_minutes"),
        option("starts"),
        option("reconnects"),
        option("ntp"),
    )
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "board-console.log").open("w") as console:
        async with Rig(options, tmp_path_factory.mktemp("cloud"), report, console) as rig:
            yield rig
            await asyncio.sleep(0)
