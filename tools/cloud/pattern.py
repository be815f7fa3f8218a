"""Patterns as policies have them: `*` is any number of characters, `?` is one, `${name}` a variable's value.

The text that is matched comes from a client and the pattern from whoever wrote the policy, so that matching
takes time in proportion to their lengths, whatever they are; a regular expression's does not.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

_SPECIAL = re.compile(r"(\$\{[^{}]*\}|[*?])")  # at each even index of its split() there is plain text
_LITERALS = {"*": "*", "?": "?", "$": "$"}  # ${*} stands for the character itself


class Wild(Enum):
    ONE = "?"
    ANY = "*"


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


Part = str | Wild | Variable
Pattern = tuple[Part, ...]


def parse(text: str) -> Pattern:
    """A pattern. Raises ValueError for a variable without its end."""
    parts: list[Part] = []
    for index, piece in enumerate(_SPECIAL.split(text)):
        if index % 2 == 0:
            if "${" in piece:
                raise ValueError(f"{text!r} has a variable without its '}}'")
            parts += [piece] if piece else []
        elif piece in ("*", "?"):
            parts.append(Wild(piece))
        else:
            name = piece[2:-1]
            parts.append(_LITERALS.get(name) or Variable(name))
    return tuple(parts)


def parse_plain(text: str) -> Pattern:
    """A text in which `*` and `?` are themselves. Raises as parse()."""
    return tuple(part.value if isinstance(part, Wild) else part for part in parse(text))


def names(pattern: Pattern) -> list[str]:
    """The variables in a pattern."""
    return [part.name for part in pattern if isinstance(part, Variable)]


def fill(pattern: Pattern, value: Callable[[str], str | None]) -> list[str | Wild] | None:
    """A pattern with the values of its variables in place; None where one has none.

    A value stands for itself: wildcards in it are characters.
    """
    filled: list[str | Wild] = []
    for part in pattern:
        if isinstance(part, Variable):
            found = value(part.name)
            if found is None:
                return None
            filled.append(found)
        else:
            filled.append(part)
    return filled


def matches(filled: Sequence[str | Wild], text: str) -> bool:
    """Whether the whole text is what a filled pattern stands for."""
    if filled and isinstance(prefix := filled[0], str):  # most that do not match differ here
        if not text.startswith(prefix):
            return False
        filled, text = filled[1:], text[len(prefix) :]
    if not filled:
        return not text
    # All places in the pattern at once, as the bits of a number: bit n is set where the text so far is what
    # the first n characters stand for. The next character moves them on, and those at a `*` also stay.
    bit, one, stay = 1, 0, 0
    takes: dict[str, int] = {}
    for part in filled:
        if part is Wild.ANY:
            stay |= bit
        elif part is Wild.ONE:
            one |= bit
            bit <<= 1
        else:
            for character in str(part):
                takes[character] = takes.get(character, 0) | bit
                bit <<= 1
    places = 1
    for character in text:
        places = (places & (takes.get(character, 0) | one)) << 1 | places & stay
        if not places:
            return False
    return bool(places & bit)
