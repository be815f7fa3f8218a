"""What Alibaba's IoT Platform keeps of its devices, and the topics of one."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.cloud import topics

_KEPT = 10_000  # for tests and pages; the real one hands them on
# What a product has from the start; more of them are made in the console.
CUSTOM_TOPICS = {"update": "PUB", "update/error": "PUB", "get": "SUB"}
# What a client id with `_ss=1`, as the Link SDKs have it, is subscribed to below /sys/PRODUCT/DEVICE/.
AUTOMATIC = (
    "thing/event/+/post_reply",
    "thing/deviceinfo/update_reply",
    "thing/deviceinfo/delete_reply",
    "thing/service/property/set",
    "thing/service/+",
    "thing/property/desired/get_reply",
    "thing/property/desired/delete_reply",
)


@dataclass
class Device:
    """A device of a product.

    Args:
        product, name: who it is.
        secret: what it signs with.
        custom_topics: below /PRODUCT/DEVICE/user/, each with PUB, SUB or ALL.
        properties: what it reported last of each.
        posts: each report's parameters, the newest last.
        events: (identifier, parameters), the newest last.
        messages: (topic below user/, payload) of its own topics, the newest last.
        desired: (value, version) by property.
    """

    product: str
    name: str
    secret: str = field(repr=False)
    custom_topics: Mapping[str, str] = field(default_factory=lambda: dict(CUSTOM_TOPICS))
    properties: dict[str, Any] = field(default_factory=dict)
    posts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    events: deque[tuple[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    messages: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    desired: dict[str, tuple[Any, int]] = field(default_factory=dict)

    @property
    def user_name(self) -> str:
        """What it signs in with; no two devices have the same."""
        return f"{self.name}&{self.product}"

    @property
    def system(self) -> str:
        """What the system's topics begin with."""
        return f"/sys/{self.product}/{self.name}/"

    @property
    def own(self) -> str:
        """What custom topics begin with."""
        return f"/{self.product}/{self.name}/user/"

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether a filter is of the system's topics for it, of its own, or of its product's broadcasts."""
        if topic_filter.startswith(self.own):
            return self._has(topic_filter.removeprefix(self.own), "SUB")
        broadcasts = f"/broadcast/{self.product}/"
        return topic_filter.startswith((self.system, broadcasts))

    def may_publish(self, topic: str) -> bool:
        """Whether a topic is one of its own to publish to."""
        return topic.startswith(self.own) and self._has(topic.removeprefix(self.own), "PUB")

    def _has(self, topic: str, operation: str) -> bool:
        having = (name for name, has in self.custom_topics.items() if has in (operation, "ALL"))
        return any(name == topic or topics.matches(name, topic) for name in having)
