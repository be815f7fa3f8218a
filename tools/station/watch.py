"""Ports that boards come to and go from: each board is handled while it is plugged in, several at a time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tools.board.errors import BoardError
from tools.board.progress import Progress

from .ledger import Board

_LOOK_S = 0.2

WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"
Handle = Callable[[str, Progress, Callable[[Board], None]], Board]


@dataclass
class Place:
    """A port with a board, and how far that is."""

    port: str
    plug: object  # tells this plugging in from the next
    state: str = WAITING
    board: Board | None = None
    step: str = ""
    share: float | None = None  # of the step that is done, where somebody knows
    failure: BoardError | None = None
    was_done: bool = False  # before it was plugged in
    since_s: float = field(default_factory=time.monotonic)
    thread: threading.Thread | None = None


class Watch:
    """Watches ports, from one thread; a board is handled in a thread of its own.

    These threads are daemons, and nothing waits for them in the end: whatever they do may be cut off at any
    moment, since a cable may be pulled, and a computer's plug.

    Args:
        ports: those that are there now, and with each what is another once a board is plugged in anew.
        handle: does all that is to be done with a board; raises BoardError.
        at_once: so many boards.
        tell: called in any thread with a place whose state or step has changed.
    """

    def __init__(
        self,
        ports: Callable[[], Mapping[str, object]],
        handle: Handle,
        at_once: int,
        tell: Callable[[Place], None],
    ) -> None:
        self._ports = ports
        self._handle = handle
        self._at_once = at_once
        self._tell = tell
        self.places: dict[str, Place] = {}
        self.finished = 0  # boards, by this run
        self.failures = 0
        self._lock = threading.Lock()
        self._is_over = False

    def run(self, count: int | None, draw: Callable[[], None] = lambda: None) -> None:
        """Go on until `count` boards are done, or for ever; `draw` is called now and then."""
        try:
            while count is None or self.finished < count:
                self.look()
                draw()
                time.sleep(_LOOK_S)
        finally:
            with self._lock:
                self._is_over = True

    def look(self) -> None:
        """See who came and who went, and begin with those who wait."""
        there = self._ports()
        for place in list(self.places.values()):
            is_gone = place.port not in there or there[place.port] != place.plug
            if is_gone and place.state != WORKING:  # some are gone for a moment while their board restarts
                del self.places[place.port]
        for port in sorted(there.keys() - self.places.keys()):
            self.places[port] = Place(port, there[port])
            self._say(self.places[port])
        for place in self.places.values():
            if place.state == WAITING and self._working() < self._at_once:
                place.state = WORKING
                place.thread = threading.Thread(target=self._work, args=(place,), daemon=True)
                place.thread.start()

    def _working(self) -> int:
        return sum(place.state == WORKING for place in self.places.values())

    def _work(self, place: Place) -> None:
        def show(what: str, done: int, total: int) -> None:
            is_new, place.step = what != place.step, what
            place.share = done / total if total else None
            if is_new:
                self._say(place)

        def known(board: Board) -> None:
            place.board, place.was_done = board, bool(board.done)

        failure = None
        try:
            place.board = self._handle(place.port, show, known)
        except BoardError as error:
            failure = error
        except Exception as error:  # a mistake of ours ends this board's run, not the others'
            text = f"{place.port}: {type(error).__name__}: {error}"
            failure = BoardError(text, "This is a fault of the station: report it.")
        place.plug = self._ports().get(place.port)  # USB of a chip's own is there anew at each restart
        place.failure, place.state = failure, FAILED if failure else DONE
        self._say(place, is_end=True)

    def _say(self, place: Place, is_end: bool = False) -> None:
        """Tell of a place, until the run is over: what befalls those who still work then is no news."""
        with self._lock:
            if self._is_over:
                return
            self._tell(place)
            if is_end:  # only once it is told: the last one ends the run
                self.finished += not (place.failure or place.was_done)
                self.failures += place.failure is not None
