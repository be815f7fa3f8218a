"""Who gets which message: all sessions, their subscriptions, retained messages."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

from .limits import Limits
from .session import Session
from .shared import Group
from .sql import Sent
from .store import Message, Store
from .topics import FilterTree, has_wildcard, parse_shared


class Router:
    """Brings messages from publishers to sessions. What cannot be stored is an InternalFailureException.

    Args:
        store: where persistent sessions and retained messages are kept; its sessions are taken up at once.
        limits: for the sessions.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self.hear: Callable[[Sent], None] | None = None  # of rules, if one hears messages
        self._store = store
        self._limits = limits
        self._tree: FilterTree[Session | Group] = FilterTree()
        self._groups: dict[str, Group] = {}
        self._sessions: dict[str, Session] = {}
        self._left: set[str] = set()  # whose leaving is not stored yet
        for stored in store.load_sessions():
            session = Session(stored.client_id, store, limits)
            session.restore(stored.subscriptions, stored.messages)
            self._sessions[stored.client_id] = session
            for topic_filter, qos in stored.subscriptions.items():
                self._add(session, topic_filter, qos)

    def open_session(self, client_id: str, clean: bool) -> tuple[Session, bool]:
        """The session for a client that connects, and whether it was there before (3.1.2.4)."""
        self.expire_sessions()
        if clean:
            self._delete(client_id)
        else:
            self._store.keep_session(client_id)
            self._left.discard(client_id)
        session = self._sessions.get(client_id)
        present = session is not None
        if session is None:
            session = Session(client_id, None if clean else self._store, self._limits)
            self._sessions[client_id] = session
        return session, present

    def close_session(self, session: Session) -> None:
        """The session's connection is gone, also where that cannot be stored: that is tried again later."""
        session.detach()
        if session.persistent:
            self._left.add(session.client_id)
            self._store_left()
        else:
            self._delete(session.client_id)

    def session(self, client_id: str) -> Session | None:
        """Of a client that is connected, or that left a persistent one."""
        return self._sessions.get(client_id)

    def forget_session(self, client_id: str) -> None:
        """End the session of a client that is not connected, with its subscriptions and what waits in it."""
        self._delete(client_id)

    def _store_left(self) -> None:
        for client_id in list(self._left):
            self._store.leave_session(client_id)
            self._left.discard(client_id)

    def expire_sessions(self) -> None:
        self._store_left()
        for client_id in self._store.expired_sessions():
            self._delete(client_id)

    def _delete(self, client_id: str) -> None:
        session = self._sessions.get(client_id)
        if session is None:
            return
        if session.persistent:
            self._store.delete_session(client_id)
        del self._sessions[client_id]
        self._left.discard(client_id)
        for topic_filter in session.subscriptions:
            self._discard(session, topic_filter)

    def subscribe(self, session: Session, filters: Sequence[tuple[str, int]]) -> None:
        """Add topic filters with their QoS, all of them or none."""
        if session.persistent:
            with self._store.transaction():
                for topic_filter, qos in filters:
                    self._store.add_subscription(session.client_id, topic_filter, qos)
        for topic_filter, qos in filters:
            session.subscriptions[topic_filter] = qos
            self._add(session, topic_filter, qos)

    def unsubscribe(self, session: Session, filters: Iterable[str]) -> None:
        """Remove those of the topic filters that are there, all of them or none."""
        gone = session.subscriptions.keys() & set(filters)
        if session.persistent:
            with self._store.transaction():
                for topic_filter in gone:
                    self._store.remove_subscription(session.client_id, topic_filter)
        for topic_filter in gone:
            del session.subscriptions[topic_filter]
            self._discard(session, topic_filter)

    def _add(self, session: Session, topic_filter: str, qos: int) -> None:
        if shared := parse_shared(topic_filter):
            group = self._groups.setdefault(topic_filter, Group())
            group.members[session] = qos
            self._tree.add(shared[1], group, qos)
        else:
            self._tree.add(topic_filter, session, qos)

    def _discard(self, session: Session, topic_filter: str) -> None:
        if shared := parse_shared(topic_filter):
            group = self._groups[topic_filter]
            del group.members[session]
            if not group.members:
                del self._groups[topic_filter]
                self._tree.discard(shared[1], group)
        else:
            self._tree.discard(topic_filter, session)

    def send_retained(self, session: Session, topic_filter: str, qos: int) -> None:
        """The retained message for a new subscription; a filter with wildcards gets none, as on AWS.

        Neither does a shared one (MQTT 5.0, 4.8.2).
        """
        if has_wildcard(topic_filter) or parse_shared(topic_filter):
            return
        kept = self._store.retained(topic_filter)
        if kept is not None:
            payload, published_qos = kept
            self.send(session, Message(topic_filter, payload, min(qos, published_qos), retain=True))

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int,
        retain: bool = False,
        sender: tuple[str, str] = ("n/a", ""),
    ) -> None:
        """Deliver to all subscribed; when it returns, QoS 1 is stored for every persistent session.

        Args:
            topic, payload, qos, retain: the message.
            sender: (client id, certificate id), for the rules that hear it.
        """
        targets = []
        for key, highest in self._tree.match(topic).items():
            session, granted = key.take_turn() if isinstance(key, Group) else (key, highest)
            targets.append((session, Message(topic, payload, min(qos, granted))))
        stored = retain or any(message.qos and session.persistent for session, message in targets)
        with self._store.transaction() if stored else nullcontext():
            if retain:
                self._store.retain(topic, payload, qos)
            kept = [
                (session, message) for session, message in targets if message.qos and session.keep(message)
            ]
        for session, message in kept:
            session.enqueue(message)
        for session, message in targets:
            if message.qos:
                session.pump()
            else:
                session.send_qos_0(message)
        if self.hear:
            self.hear(Sent(topic, payload, *sender))

    def send(self, session: Session, message: Message) -> None:
        """Deliver to one session, whatever it is subscribed to."""
        if not message.qos:
            session.send_qos_0(message)
        elif session.offer(message):
            session.pump()
