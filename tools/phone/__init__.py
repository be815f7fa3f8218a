"""The web page with which a person sets a device up from a phone, and its server."""

from tools.phone.serve import Page, PageError

__all__ = ["Page", "PageError"]
