"""Shared subscriptions, `$share/NAME/FILTER`: each message goes to one of those that have the same."""

from .session import Session


class Group:
    """Those that share a subscription, each with the QoS it was granted. They take turns."""

    def __init__(self) -> None:
        self.members: dict[Session, int] = {}

    def take_turn(self) -> tuple[Session, int]:
        """Who gets the next message. Who is not connected has a turn only where nobody is.

        Then a persistent session keeps what is of QoS 1 for its client.
        """
        chosen = next((s for s in self.members if s.connected), next(iter(self.members)))
        qos = self.members.pop(chosen)
        self.members[chosen] = qos  # behind the others
        return chosen, qos
