"""The rules of a shadow's document (AWS IoT Developer Guide, "Device Shadow service documents"): pure.

Imported for the moment and forgotten.
"""

import json

from micropython import const

_LEVELS = const(6)  # names and places in lists below a section
_METADATA = const(26)  # bytes of a value's timestamp in an answer
_NAMES = const(2)  # a member's name is in an answer so often, with so many bytes around the two
_AROUND = const(8)


def check_name(name):
    """Raises ValueError for what can be no shadow's name (AWS IoT API Reference, "UpdateThingShadow")."""
    strange = [c for c in name if not ("a" <= c <= "z" or "A" <= c <= "Z" or "0" <= c <= "9" or c in "$:_-")]
    if strange or not 1 <= len(name) <= 64:
        raise ValueError("a shadow's name: 1 to 64 of a-z A-Z 0-9 : _ - $")


def patch(section, state, room):
    """What is to be merged into a section, as JSON; a value has `room` bytes with the path to it.

    Raises:
        ValueError: JSON has no word for it, AWS IoT does not take it, or it is too large.
    """
    if not isinstance(state, dict):
        raise ValueError("{}: a dictionary, not {}".format(section, type(state)))
    tree = {section: plain(state, section)}
    check_size(tree, room)
    return json.dumps(tree).encode()


def joined(patches):
    """As few patches as do the same, one after the other: one, or two."""
    last, before = {}, {}
    for text in patches:
        merge(json.loads(text), last, before)
    return [json.dumps(tree).encode() for tree in (before, last) if tree]


def plain(value, path, levels=_LEVELS, in_list=False):
    """A copy of a state, or of a value in it.

    Args:
        value: what JSON has a word for.
        path: to it, for the error.
        levels: that it may have.
        in_list: whether it stands in a list.

    Raises:
        ValueError: JSON has no word for it, or AWS IoT does not take it.
    """
    if value and isinstance(value, (dict, list, tuple)):
        if not levels:
            raise ValueError("{}: more than {} levels".format(path, _LEVELS))
        if not isinstance(value, dict):
            return [plain(item, path + "[]", levels - 1, True) for item in value]
        copy = {}
        for name in value:
            if not isinstance(name, str):
                raise ValueError("{}: a name is of {}".format(path, type(name)))
            copy[name] = plain(value[name], path + "." + name, levels - 1, in_list)
        return copy
    if isinstance(value, float):
        if value - value == 0:  # else NaN, or an infinity
            return value
    elif (value is None and not in_list) or isinstance(value, (str, int, bool)):
        return value
    elif isinstance(value, (dict, list, tuple)):
        return {} if isinstance(value, dict) else []
    raise ValueError(
        "{}: {} can be in no shadow".format(path, value if isinstance(value, float) else type(value))
    )


def check_size(tree, room, path=""):
    """Raises ValueError for a value in `tree` that has more than `room` bytes with the path to it."""
    for name, value in tree.items():
        left = room - _size(name) - 4  # colon, comma and blanks
        if value and isinstance(value, dict):
            check_size(value, left, path + name + ".")
        elif _size(value) > left:
            raise ValueError("{}{}: {} bytes; there is room for {}".format(path, name, _size(value), left))


def _size(value):
    return len(json.dumps(value).encode())


def weight(value):
    """The bytes that a value has at most in an answer, with its metadata."""
    if value and isinstance(value, dict):
        return sum([weight(value[name]) + _NAMES * _size(name) + _AROUND for name in value])
    if isinstance(value, list):
        return sum([weight(item) + 4 for item in value]) + 4
    return _size(value) + _METADATA


def merge(patch, last, before):
    """Merges a patch into what waits to be sent.

    Args:
        patch: a tree; its objects are merged, all else replaces what was there.
        last: the tree that goes out last.
        before: the one that goes out before it: gets a value that an object takes the place of, since the
            cloud merges objects with what it has. None where all that is older is gone by then.
    """
    for name, value in patch.items():
        if name in last and isinstance(value, dict):
            old = last[name]
            if isinstance(old, dict):
                inner = None if before is None else before.get(name, {})
                if not isinstance(inner, dict):
                    inner = None
                merge(value, old, inner)
                if inner:
                    before[name] = inner
                continue
            if before is not None:
                before[name] = old
        last[name] = value


def take(tree, room, first=True):
    """Moves out of a tree what one update has room for, and one value at the least.

    Args:
        tree: of what waits.
        room: by `weight`.
        first: False where something has been taken.

    Returns:
        What was taken, and the room that is left; below 0 where nothing more has any.
    """
    part = {}
    for name in tuple(tree):
        value = tree[name]
        room -= _NAMES * _size(name) + _AROUND
        if value and isinstance(value, dict):
            inner, room = take(value, room, first and not part)
            if inner:
                part[name] = inner
            if not value:
                del tree[name]
        else:
            room -= weight(value)
            if room >= 0 or (first and not part):
                part[name] = tree.pop(name)
        if room < 0:
            break
    return part, room
