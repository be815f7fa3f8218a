"""What a page does not get to see of a document: passwords, keys, and URLs that open a file."""

import re
from typing import Any

_MEMBER = re.compile(r"passw|secret|token|psk|private|(^|[_-])key$", re.IGNORECASE)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_URL = re.compile(r"(https?://[^\s\"?]+)\?[^\s\"]+")
HIDDEN = "…"


def hidden(value: Any) -> Any:
    """A document or a part of it, as it may be shown."""
    if isinstance(value, dict):
        return {key: _member(str(key), one) for key, one in value.items()}
    if isinstance(value, list):
        return [hidden(one) for one in value]
    return text(value) if isinstance(value, str) else value


def text(value: str) -> str:
    """A text of one."""
    return _URL.sub(rf"\1?{HIDDEN}", _KEY.sub(HIDDEN, value))


def _member(name: str, value: Any) -> Any:
    if _MEMBER.search(name) and value and not isinstance(value, bool | dict | list):
        return HIDDEN
    return hidden(value)
