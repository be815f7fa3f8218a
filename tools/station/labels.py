"""A batch's labels in its folder: a picture and a printer's file for each board, sheets, and a list."""

import shlex
import subprocess
from pathlib import Path

from tools.ble.qr import make_link
from tools.ble.session import spell_code
from tools.board.errors import BoardError, writing

from . import layout
from .files import table, write
from .ledger import Board

KINDS = ("png", "zpl", "pdf", "csv")
LABELS, LIST = "labels", "labels.csv"
_OWNER_ONLY = 0o700
_ON_SHEET = layout.COLUMNS * layout.ROWS
_PRINT_S = 60.0
_NOT_PRINTED = "Correct --print, or see to the printer; then plug the board in again."


class Labels:
    """Labels whose link is for a page.

    Args:
        folder: the batch's.
        page: where phones open it.
        kinds: which of KINDS are written.
        command: prints what comes on its standard input, as ZPL; "" for none.
    """

    def __init__(self, folder: Path, page: str, kinds: tuple[str, ...] = KINDS, command: str = "") -> None:
        self._folder = folder
        self._page = page
        self._kinds = kinds
        self.command = shlex.split(command)

    def write(self, board: Board, boards: list[Board]) -> None:
        """Write a board's own files, and what it stands in together with `boards`, all that have a number."""
        label = self._label(board)
        folder = self._folder / LABELS
        with writing(folder):
            folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        if "png" in self._kinds:
            write(folder / f"{board.name}.png", layout.png(label))
        if "zpl" in self._kinds:
            write(folder / f"{board.name}.zpl", layout.zpl(label))
        if "pdf" in self._kinds:
            sheet = (label.number - 1) // _ON_SHEET
            there = [
                self._label(one) for one in boards if one.number and (one.number - 1) // _ON_SHEET == sheet
            ]
            write(self._folder / f"labels-{sheet + 1:03}.pdf", layout.sheet(there))
        if "csv" in self._kinds:
            rows = [[str(it.number), it.name, it.code, it.link] for it in map(self._label, boards)]
            write(self._folder / LIST, table(("number", "name", "code", "link"), rows))

    def print(self, board: Board) -> bool:
        """Have the command print it; false where nobody knows whether it did. BoardError where it did not."""
        try:
            done = subprocess.run(
                self.command,
                input=layout.zpl(self._label(board)),
                capture_output=True,
                timeout=_PRINT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        except OSError as error:
            raise BoardError(f"{self.command[0]}: {error.strerror}", _NOT_PRINTED) from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise BoardError(f"{self.command[0]}: status {done.returncode}: {said}", _NOT_PRINTED)
        return True

    def _label(self, board: Board) -> layout.Label:
        assert board.number is not None
        link = make_link(self._page, board.code, board.name)
        return layout.Label(board.number, board.name, spell_code(board.code), link)
