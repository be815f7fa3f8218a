"""KEY=JSON on a command line, and documents line by line."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Pair = tuple[str, Any]


def pair(text: str) -> Pair:
    """An argument's type: KEY=JSON."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r}: must be KEY=JSON, as led=true")
    try:
        return key, json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        hint = f"""'{key}="{value}"'""" if value.isprintable() and '"' not in value else "KEY='\"text\"'"
        raise argparse.ArgumentTypeError(f"{text!r}: no JSON behind the =; a text is {hint}") from None


def tree(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The object whose members they are, those with a dotted key in objects of it.

    Raises:
        ValueError: one is a member of another, or there twice.
    """
    root: dict[str, Any] = {}
    made = {id(root)}  # a value that is an object has what it has
    for key, value in pairs:
        *parents, last = key.split(".")
        node = root
        for name in parents:
            if name not in node:
                node[name] = {}
                made.add(id(node[name]))
            node = node[name]
            if id(node) not in made:
                raise ValueError(f"{key}: given twice")
        if last in node:
            raise ValueError(f"{key}: given twice")
        node[last] = value
    return root


def leaves(document: Mapping[str, Any], prefix: str = "") -> Iterator[Pair]:
    """Its values by their dotted keys; what is an empty object is a value."""
    for name, value in document.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{key}.")
        else:
            yield key, value


def at(document: Any, key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    for name in key.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text(value: Any) -> str:
    """A value in a line."""
    return json.dumps(value, ensure_ascii=False)


def _no_constant(name: str) -> None:
    raise ValueError(name)
