"""What is done with one board, step by step; each is written down once it is done, and not done again.

A step that was cut off is done anew, so each of them may be.
"""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.ble.protocol import identity  # the device's own module
from tools.ble.session import normalise_code
from tools.board import files
from tools.board.chip import BAUDRATE, connected
from tools.board.deploy import deploy
from tools.board.errors import BoardError
from tools.board.images import Image
from tools.board.progress import Progress
from tools.board.repl import Repl

from . import hardware
from .console import ask, hand_over
from .labels import Labels
from .ledger import Board, Ledger, now

_BACK_S = 10.0  # a chip with USB of its own leaves the bus at a reset
_LOOK_S = 0.1
_BEGUN = "begun"
UNKNOWN = "unknown"  # whether a label came out of the printer


@dataclass(frozen=True)
class Plan:
    """What every board gets.

    Args:
        image: MicroPython's, with or without a file system.
        prefix: of the devices' names.
        wanted: the test of its hardware; None for none.
        firmware: for a deployment, the same for all; None where the image has it.
        document: the configuration; None for none.
        packages: as deploy takes it: folder, whether there are any, URL of another index.
        baudrate: while writing.
    """

    image: Image
    prefix: str
    wanted: hardware.Wanted | None
    firmware: files.Compiled | None
    document: dict[str, Any] | None = None
    packages: Path | None = None
    with_packages: bool = True
    index: str | None = None
    baudrate: int = BAUDRATE

    @property
    def key(self) -> str:
        """Tells images apart."""
        return hashlib.sha256(self.image.data).hexdigest()


class Bench:
    """Takes boards from a blank chip to their label, several at once, each in a thread.

    Args:
        plan: what each gets.
        ledger: remembers it.
        labels: its labels.
    """

    def __init__(self, plan: Plan, ledger: Ledger, labels: Labels) -> None:
        self._plan = plan
        self._ledger = ledger
        self._labels = labels
        self._key = plan.key
        self._labelling = threading.Lock()

    def handle(self, port: str, show: Progress, known: Callable[[Board], None]) -> Board:
        """Do what is left to do with the board at a port.

        Args:
            port: its name.
            show: called with what is being done.
            known: called once it is known which board it is.

        Raises:
            BoardError: it is not done; plugged in again it goes on where it was.
        """
        board = self._flashed(port, show, known)
        if board.done:
            return board
        board = self._tested(port, board, show)
        plan = self._plan
        if plan.firmware:
            show("deploying", 0, 0)
            deploy(_there(port), plan.packages, show, plan.with_packages, plan.index, compiled=plan.firmware)
        board = self._checked(port, board, show)
        if self._plan.document and not board.configured:
            show("configuring", 0, 0)
            asyncio.run(hand_over(_there(port), self._plan.document, show))
            board = self._ledger.record(board, configured=now())
        show("labelling", 0, 0)
        return self._labelled(board, show)

    def _flashed(self, port: str, show: Progress, known: Callable[[Board], None]) -> Board:
        plan = self._plan
        with connected(_there(port), show) as chip:
            mac = chip.mac()
            there = self._ledger.board(mac)
            if there:
                known(there)
            if there and (there.done or there.flashed == self._key):
                return there
            plan.image.check_chip(chip.name)
            chip.take_loader(plan.baudrate)
            found = chip.look()
            plan.image.check_board(found.revision, found.flash_bytes)
            name = identity.device_id(plan.prefix, bytes.fromhex(mac.replace(":", "")))
            board = self._ledger.begin(mac, name, found.description)
            known(board)
            # What an earlier image had is erased with it: from here on none of it counts.
            board = self._ledger.record(board, flashed=None, coded=None, configured=None)
            chip.write(plan.image, show)
            said = f"MicroPython {plan.image.version}"
            return self._ledger.record(board, flashed=self._key, image=said)

    def _tested(self, port: str, board: Board, show: Progress) -> Board:
        """The code, and the hardware, by MicroPython alone: it was just flashed, or is stopped for that."""
        wanted = self._plan.wanted
        to_hear = wanted is not None and not board.wifi
        to_press = wanted is not None and wanted.button is not None and not board.button
        if board.coded and not to_hear and not to_press:
            return board
        show("starting", 0, 0)
        with ExitStack() as stack:
            try:
                repl = stack.enter_context(Repl(_there(port)))
                repl.facts()
            except BoardError:  # it is there, but what was written is not, or no longer
                if os.path.exists(port):
                    self._ledger.record(board, flashed=None)
                raise
            if not board.coded:
                hardware.give_code(repl, board.code)
                board = self._ledger.record(board, coded=now())
            if wanted and to_hear:
                show("hearing Wi-Fi", 0, 0)
                board = self._ledger.record(board, wifi=hardware.hear(repl, wanted))
            if wanted and to_press:
                show("press the button: the LED blinks", 0, 0)
                hardware.press(repl, wanted)
                board = self._ledger.record(board, led="seen", button="pressed")
            if not self._plan.firmware:
                repl.reset()  # the application was stopped for this
        return board

    def _checked(self, port: str, board: Board, show: Progress) -> Board:
        """The firmware runs, is this device's, and has the code that goes on its label."""
        show("checking", 0, 0)
        told = asyncio.run(ask(_there(port)))
        if told.name != board.name:
            raise BoardError(
                f"{port}: the board calls itself {told.name}, not {board.name}",
                "NAME_PREFIX of firmware/settings.py was another: begin another batch: --batch DIR.",
            )
        with suppress(ValueError):
            if normalise_code(told.code) == board.code:
                return self._ledger.record(board, firmware=told.version)
        self._ledger.record(board, coded=None)
        raise BoardError(f"{port}: the board has another code than it was given", "Plug it in again.")

    def _labelled(self, board: Board, show: Progress) -> Board:
        """Number, files, print, line: in this order, so that a cut leaves no second of any."""
        with self._labelling:
            board = self._ledger.number(board)
            self._labels.write(board, [it for it in self._ledger.boards() if it.number])
            if self._labels.command:
                show("printing", 0, 0)
                board = self._printed(board)
            board = self._ledger.record(board, done=now())
            self._ledger.write_csv()
            return board

    def _printed(self, board: Board) -> Board:
        """Printed at most once: whether a print that was cut off came out, nobody here knows."""
        if board.printed:
            return self._ledger.record(board, printed=UNKNOWN) if board.printed == _BEGUN else board
        self._ledger.record(board, printed=_BEGUN)
        try:
            is_out = self._labels.print(board)
        except BoardError:
            self._ledger.record(board, printed=None)
            raise
        return self._ledger.record(board, printed=now() if is_out else UNKNOWN)


def _there(port: str) -> str:
    """The port's name, once it is there: some are gone for a moment where their board restarts."""
    end_s = time.monotonic() + _BACK_S
    while not os.path.exists(port) and os.name != "nt" and time.monotonic() < end_s:
        time.sleep(_LOOK_S)
    return port
