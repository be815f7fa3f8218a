"""Gives the functions in a device's tracebacks their own names, which are others there (private.py)."""

import re
from functools import cache

from . import shared
from .files import ROOT, compile_as_it_is
from .private import rom_names

# Of a module of the library's in a pack; before, it was called by its path there.
_PLACE = re.compile(r'File "(?:/pack/)?(iot[./][\w./]+?)(?:\.mpy)?", line \d+, in (\w+)')


def readable(line: str) -> str:
    """A line of a traceback with its function's own name, by this checkout; any other as it is."""
    return _PLACE.sub(_own, line)


def _own(found: re.Match[str]) -> str:
    name = own_names(found[1].replace(".", "/")).get(found[2], found[2])
    return found[0][: -len(found[2])] + name


@cache
def own_names(path: str) -> dict[str, str]:
    """By each name that a module has in place of its own, that; nothing where it is not of this checkout.

    Args:
        path: the module's below lib/, without its ending.
    """
    file = ROOT / "lib" / f"{path}.py"
    if not file.exists():
        return {}
    source = file.read_bytes()
    module = compile_as_it_is(source, f"lib/{path}.py")
    own = {name.decode(): own.decode() for own, name in rom_names(module, source).items()}
    return shared.own_names() | own
