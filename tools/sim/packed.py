"""A flash as `tools deploy` leaves it: what MicroPython starts by name, all modules in a pack, its reader."""

import functools
from collections.abc import Mapping

from tools.board import files
from tools.board.pack import pack


def deployed(changes: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """The files of such a flash, by their paths there; no package of others is among the modules.

    Args:
        changes: other texts of modules, by their paths in the checkout, as firmware/app.py.

    Raises:
        BoardError, CompileError: something does not compile.
    """
    return dict(_deployed(tuple(sorted((changes or {}).items()))))


@functools.lru_cache(maxsize=4)  # 200 new devices are made once
def _deployed(changes: tuple[tuple[str, str], ...]) -> dict[str, bytes]:
    scripts, modules = _compiled()
    changed = {
        files.path_in_pack(name): files.compile_for_chip(text.encode(), name) for name, text in changes
    }
    found = scripts | {"firmware.pack": pack(modules | changed)}
    return {f"/{path}": data for path, data in found.items()}


@functools.cache
def _compiled() -> tuple[dict[str, bytes], dict[str, bytes]]:
    return files.compiled("xtensawin")  # no module has native code: any architecture runs them
