"""A chip in download mode, by esptool: which one it is, and its flash. Several at once, each in a thread."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from esp_pylib.logger import EspLog, EspLogBase
from esptool.cmds import attach_flash, detect_chip, detect_flash_size, reset_chip, run_stub, write_flash
from esptool.loader import ESPLoader
from esptool.logger import log
from esptool.util import FatalError, flash_size_bytes

from . import images
from .errors import BoardError
from .ports import close_port, open_port
from .progress import Progress

BAUDRATE = 460_800  # what USB chips of every make manage, and MicroPython's own pages tell
DOWNLOAD_MODE = (
    "Hold the board's BOOT button, press and release EN (or RST), release BOOT, and try again. "
    "The cable must carry data, not only power."
)
WIRING = "Disconnect what is wired to the board (GPIO 6 to 11 are its flash's), and try again."
AGAIN = "The board holds no whole image now: try again, with a shorter cable or --baudrate 115200."


@dataclass(frozen=True)
class Looked:
    """What a chip says of itself and its board."""

    description: str
    mac: str
    revision: int  # times 100
    flash_bytes: int

    def __str__(self) -> str:
        return f"{self.description}, MAC {self.mac}"


class Chip:
    """A chip in download mode, until `connected` ends.

    Args:
        port: where it is.
        loader: esptool's, of the chip's ROM.
    """

    def __init__(self, port: str, loader: ESPLoader) -> None:
        self.loader = loader
        self._port = port

    @property
    def name(self) -> str:
        """As esptool calls it: "ESP32", "ESP32-S3"."""
        return str(self.loader.CHIP_NAME)

    def mac(self) -> str:
        """Its address, which is the device's identity: 24:0a:c4:00:00:01."""
        with explained("the board no longer answers", DOWNLOAD_MODE):
            return ":".join(f"{byte:02x}" for byte in self.loader.read_mac())

    def take_loader(self, baudrate: int) -> None:
        """Have it run esptool's own loader, which is what writes flash."""
        with explained(f"{self._port}: the {self.name} does not take esptool's loader", DOWNLOAD_MODE):
            self.loader = run_stub(self.loader)
            if not self._port.startswith("socket:"):  # its far end would not follow
                self.loader.change_baud(baudrate)

    def look(self) -> Looked:
        """Chip, address, revision, and size of the flash."""
        with explained("the board no longer answers", DOWNLOAD_MODE):
            description, revision = self.loader.get_chip_description(), self.loader.get_chip_revision()
            attach_flash(self.loader)
            size = flash_size_bytes(detect_flash_size(self.loader))
        if not size:
            raise BoardError("the chip does not reach its flash", WIRING)
        return Looked(description, self.mac(), revision, size)

    def write(self, image: images.Image, show: Progress) -> None:
        """Erase all, write the image, and compare it with what is in the flash then."""
        with _log.shown_by(show), explained("the image was not written", AGAIN):
            show("erasing", 0, 0)
            write_flash(self.loader, [(image.offset, image.data)], erase_all=True)


@contextlib.contextmanager
def connected(port: str, show: Progress) -> Iterator[Chip]:
    """The chip at a port, in download mode; reset in the end.

    Raises:
        BoardError: the port cannot be opened, or no chip answers there.
    """
    with _log.shown_by(show):
        device = open_port(port)
        try:
            with explained(f"{port}: no chip answers in download mode", DOWNLOAD_MODE):
                show("connecting", 0, 0)
                chip = Chip(port, detect_chip(device))
            try:
                yield chip
            finally:
                with contextlib.suppress(FatalError, OSError):  # what went wrong before is what counts
                    reset_chip(chip.loader)
        finally:
            close_port(device)


@contextlib.contextmanager
def explained(what: str, remedy: str) -> Iterator[None]:
    """Turn esptool's errors, and the port's, into ours; of esptool's words the first line."""
    try:
        yield
    except (FatalError, OSError) as error:
        reason = str(error).partition("\n")[0].removeprefix("Failed to connect to Espressif device: ")
        raise BoardError(f"{what}: {reason}", remedy) from None


class _Log(EspLogBase):
    """esptool's log, one for all threads: its words stay unsaid, how far a thread has written is shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._own = threading.local()

    @contextlib.contextmanager
    def shown_by(self, show: Progress) -> Iterator[None]:
        """While it lasts, what this thread writes goes to `show`."""
        with self._lock:
            if not self._users:
                log.set_verbosity("silent")  # a few of the words take no way around by `instance`
                self._before, EspLog.instance = EspLog.instance, self
            self._users += 1
        outer, self._own.show = getattr(self._own, "show", None), show
        try:
            yield
        finally:
            self._own.show = outer
            with self._lock:
                self._users -= 1
                if not self._users:
                    EspLog.instance = self._before
                    log.set_verbosity("auto")

    def progress_bar(
        self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
    ) -> None:
        self._own.show("writing", cur_iter, total_iters)
        if cur_iter == total_iters:
            self._own.show("verifying", 0, 0)

    def _unsaid(self, *args: Any, **options: Any) -> None:
        pass

    print = err = warn = note = hint = debug = set_verbosity = _unsaid


_log = _Log()
