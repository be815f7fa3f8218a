"""Topic names and filters as AWS IoT Core has them: MQTT 3.1.1 section 4.7 with AWS's differences."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from .limits import Limits

Key = TypeVar("Key", bound=Hashable)

BASIC_INGEST = "$aws/rules/"


def is_reserved(topic: str) -> bool:
    """Topics and filters that begin with `$` belong to the service."""
    return topic.startswith("$")


def has_wildcard(topic_filter: str) -> bool:
    return "+" in topic_filter or "#" in topic_filter


def parse_shared(topic_filter: str) -> tuple[str, str] | None:
    """(name, filter) of a shared subscription, None for any other."""
    share, _, rest = topic_filter.partition("/")
    if share != "$share":
        return None
    name, _, inner = rest.partition("/")
    return name, inner


def topic_error(topic: str, limits: Limits) -> str | None:
    """What is wrong with a topic to publish to, None if nothing."""
    if has_wildcard(topic):
        return "topic with a wildcard"
    return _size_error(topic, limits)


def filter_error(topic_filter: str, limits: Limits) -> str | None:
    """What is wrong with a topic filter, None if nothing."""
    if shared := parse_shared(topic_filter):
        name, topic_filter = shared
        if not name or has_wildcard(name) or not topic_filter or parse_shared(topic_filter):
            return "shared subscription that is not $share/NAME/FILTER"
    levels = topic_filter.split("/")
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        return "filter with '#' that is not its last level"
    if any("+" in level and level != "+" for level in levels):
        return "filter with '+' that is not a whole level"
    return _size_error(topic_filter, limits)


def _size_error(topic: str, limits: Limits) -> str | None:
    if not topic:
        return "empty topic"
    if topic.startswith(BASIC_INGEST):  # the rule's name does not count
        topic = topic.split("/", 3)[-1]
    reserved = is_reserved(topic)  # exempt from AWS's limits
    longest = limits.reserved_topic_bytes if reserved else limits.topic_bytes
    if len(topic.encode()) > longest:
        return f"topic longer than {longest} bytes"
    if not reserved and topic.count("/") > limits.topic_slashes:
        return f"topic with more than {limits.topic_slashes} slashes"
    return None


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter matches. On AWS `a/#` does not match `a`; no leading wildcard matches `$…`."""
    if is_reserved(topic) and topic_filter[:1] in ("+", "#"):
        return False
    filter_levels, levels = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(filter_levels):
        if index == len(levels):
            return False
        if level == "#":
            return True
        if level not in ("+", levels[index]):
            return False
    return len(filter_levels) == len(levels)


class FilterTree(Generic[Key]):
    """Which keys subscribe to what, found by walking a topic's levels and not by trying every filter."""

    def __init__(self) -> None:
        self._root: _Node[Key] = _Node()

    def add(self, topic_filter: str, key: Key, qos: int) -> None:
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.subscribers[key] = qos

    def discard(self, topic_filter: str, key: Key) -> None:
        path, node = [], self._root
        for level in topic_filter.split("/"):
            if level not in node.children:
                return
            path.append((node, level))
            node = node.children[level]
        node.subscribers.pop(key, None)
        for parent, level in reversed(path):
            child = parent.children[level]
            if child.subscribers or child.children:
                return
            del parent.children[level]

    def match(self, topic: str) -> dict[Key, int]:
        """Each key with the highest QoS among its filters that match (3.3.5: one copy for all of them)."""
        found: dict[Key, int] = {}
        levels = topic.split("/")
        for node in self._walk(self._root, levels, 0, not is_reserved(topic)):
            for key, qos in node.subscribers.items():
                found[key] = max(qos, found.get(key, 0))
        return found

    def _walk(
        self, node: "_Node[Key]", levels: list[str], depth: int, wildcards: bool
    ) -> Iterator["_Node[Key]"]:
        if depth == len(levels):
            yield node
            return
        if wildcards and "#" in node.children:
            yield node.children["#"]
        for level in (levels[depth], "+") if wildcards else (levels[depth],):
            if level in node.children:
                yield from self._walk(node.children[level], levels, depth + 1, True)


class _Node(Generic[Key]):
    __slots__ = ("children", "subscribers")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Key]] = {}
        self.subscribers: dict[Key, int] = {}
