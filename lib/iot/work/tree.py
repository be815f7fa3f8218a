"""Paths into documents, such as "fan.speed". Pure."""


def find(tree, path, default):
    """The value at a path of names; `default` where there is none."""
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return default
        tree = tree[name]
    return tree


def merge(tree, part):
    """Puts a part of a tree into it."""
    for name, value in part.items():
        if isinstance(value, dict) and isinstance(tree.get(name), dict):
            merge(tree[name], value)
        else:
            tree[name] = value


def nested(key, value):
    """The tree that has nothing but a value, at a key with dots."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value
