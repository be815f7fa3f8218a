"""Chromium without a window, driven by Playwright over the DevTools protocol."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests import programs
from tests.patience import PATIENCE_S

_PROGRAM = programs.find("Chromium")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-experimental-web-platform-features",  # Web Bluetooth, which Linux has behind a flag
]
expect.set_options(timeout=1000 * PATIENCE_S)  # its own 5 s are a fast machine's
PHONE = {"width": 390, "height": 844}
NARROW = {"width": 320, "height": 640}

needs_chromium = pytest.mark.skipif(_PROGRAM is None, reason="needs chromium (apt install chromium)")


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """A browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_PROGRAM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            async with asyncio.timeout(PATIENCE_S):  # Playwright itself would wait for ever
                await browser.close()


class Visit:
    """One page as a person has it open, with what must not be: errors and requests to elsewhere.

    Attributes:
        page: Playwright's.
        requests: the addresses of all requests so far.
        complaints: what the console and uncaught errors told.
    """

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.console: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._on_console)

    @classmethod
    async def start(cls, browser: Browser, **options: Any) -> "Visit":
        """A fresh profile; `options` are those of Playwright's new_context."""
        context = await browser.new_context(**{"viewport": PHONE, "locale": "en-GB", **options})
        context.set_default_timeout(1000 * PATIENCE_S)
        return cls(context, await context.new_page())

    def _on_console(self, message: Any) -> None:
        self.console.append(message.text)
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)
