"""Reads Python: for all threads together CPython 3.11's `ast` counts its depth, and errs now and then."""

import ast

_TRIES = 20


def parse(source: bytes | str) -> ast.Module:
    """As ast.parse."""
    for _ in range(_TRIES):
        try:
            return ast.parse(source)
        except SystemError:  # "AST constructor recursion depth mismatch": not the source's fault
            pass
    return ast.parse(source)
