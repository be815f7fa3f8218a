"""Gives Chromium a serial port that it has not: Web Serial, whose one port is a pseudo-terminal here.

As tests/peers/bridge.py does for Bluetooth. The shim behaves as a SerialPort does where ESP Web Tools looks:
streams that are made anew after a cancel, one opening at a time, signals.
"""

import asyncio
import base64
import contextlib
import os
import tty
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Error, Page

_CHUNK = 4096
_SHIM = """
(() => {
  let feed = null; // the stream that takes what comes
  window.serialCame = (data) => feed?.enqueue(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
  const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  class Port extends EventTarget {
    #opened = false;
    #readable = null;
    #writable = null;
    getInfo() { return { usbVendorId: 0x10c4, usbProductId: 0xea60 }; }
    get connected() { return true; }
    get readable() {
      if (this.#opened && !this.#readable) {
        this.#readable = new ReadableStream({
          start: (controller) => { feed = controller; },
          cancel: () => { feed = null; this.#readable = null; },
        });
      }
      return this.#readable;
    }
    get writable() {
      if (this.#opened && !this.#writable) {
        this.#writable = new WritableStream({
          write: (bytes) => serialWrite(text(bytes)),
          close: () => { this.#writable = null; },
          abort: () => { this.#writable = null; },
        });
      }
      return this.#writable;
    }
    async open() {
      if (this.#opened) throw new DOMException("The port is already open.", "InvalidStateError");
      await serialOpen();
      this.#opened = true;
    }
    async close() {
      if (!this.#opened) throw new DOMException("The port is already closed.", "InvalidStateError");
      if (this.#readable?.locked || this.#writable?.locked) throw new TypeError("A stream is locked.");
      await this.#readable?.cancel();
      this.#opened = false;
      this.#readable = this.#writable = feed = null;
      await serialClose();
    }
    setSignals(signals) { return serialSignals(signals); }
    async getSignals() { return {}; }
    async forget() {}
  }
  const port = new Port();
  let granted = false;
  Object.defineProperty(navigator, "serial", {
    value: Object.assign(new EventTarget(), {
      requestPort: async () => { granted = true; return port; },
      getPorts: async () => (granted ? [port] : []),
    }),
  });
})();
"""


class SerialBridge:
    """A page's serial port, which is `port`, a pseudo-terminal's path, whenever the page opens it.

    Attributes:
        port: may be another after a reset.
        on_reset: called when the page lets the board's reset line go.
    """

    def __init__(self, page: Page, port: str, on_reset: Callable[[], Awaitable[None]]) -> None:
        self.port = port
        self.on_reset = on_reset
        self._page = page
        self._file: int | None = None
        self._is_reset = False
        self._came: asyncio.Queue[bytes] = asyncio.Queue()

    async def __aenter__(self) -> "SerialBridge":
        bindings: dict[str, Callable[..., Any]] = {
            "serialOpen": self._open,
            "serialClose": self._close,
            "serialWrite": self._write,
            "serialSignals": self._signals,
        }
        for name, function in bindings.items():
            await self._page.expose_function(name, function)
        await self._page.add_init_script(_SHIM)
        self._giving = asyncio.create_task(self._give())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._giving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._giving
        self._close()

    def _open(self) -> None:
        self._file = os.open(self.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._file)
        asyncio.get_running_loop().add_reader(self._file, self._readable, self._file)

    def _close(self) -> None:
        if self._file is not None:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = None

    def _readable(self, file: int) -> None:
        try:
            self._came.put_nowait(os.read(file, _CHUNK))
        except OSError:  # the far end is gone
            asyncio.get_running_loop().remove_reader(file)

    async def _write(self, text: str) -> None:
        data = base64.b64decode(text)
        while data and self._file is not None:
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)

    async def _signals(self, signals: dict[str, Any]) -> None:
        was, self._is_reset = self._is_reset, signals.get("requestToSend", self._is_reset)
        if was and not self._is_reset:
            await self.on_reset()

    async def _give(self) -> None:
        while True:
            data = base64.b64encode(await self._came.get()).decode()
            with contextlib.suppress(Error):  # the page is gone
                await self._page.evaluate("data => serialCame(data)", data)
