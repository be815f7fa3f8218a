"""Who gets which message: all sessions, their subscriptions, retained messages."""

from .limits import Limits
from .session import Session
from .store import Message, Store
from .topics import FilterTree, has_wildcard


class Router:
    """Brings messages from publishers to sessions.

    Args:
        store: where persistent sessions and retained messages are kept; its sessions are taken up at once.
        limits: for the sessions.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._tree: FilterTree[Session] = FilterTree()
        self._sessions: dict[str, Session] = {}
        for stored in store.load_sessions():
            session = Session(stored.client_id, store, limits)
            session.restore(stored.subscriptions, stored.messages)
            self._sessions[stored.client_id] = session
            for topic_filter, qos in stored.subscriptions.items():
                self._tree.add(topic_filter, session, qos)

    def open_session(self, client_id: str, clean: bool) -> tuple[Session, bool]:
        """The session for a client that connects, and whether it was there before (3.1.2.4)."""
        self.expire_sessions()
        if clean:
            self._delete(client_id)
        session = self._sessions.get(client_id)
        present = session is not None
        if session is None:
            session = Session(client_id, None if clean else self._store, self._limits)
            self._sessions[client_id] = session
        if not clean:
            self._store.keep_session(client_id)
        return session, present

    def close_session(self, session: Session) -> None:
        """The session's connection is gone."""
        session.detach()
        if session.persistent:
            self._store.leave_session(session.client_id)
        else:
            self._delete(session.client_id)

    def expire_sessions(self) -> None:
        for client_id in self._store.expired_sessions():
            self._delete(client_id)

    def _delete(self, client_id: str) -> None:
        session = self._sessions.pop(client_id, None)
        if session is None:
            return
        for topic_filter in session.subscriptions:
            self._tree.discard(topic_filter, session)
        if session.persistent:
            self._store.delete_session(client_id)

    def subscribe(self, session: Session, topic_filter: str, qos: int) -> None:
        session.subscriptions[topic_filter] = qos
        self._tree.add(topic_filter, session, qos)
        if session.persistent:
            self._store.add_subscription(session.client_id, topic_filter, qos)

    def unsubscribe(self, session: Session, topic_filter: str) -> None:
        if session.subscriptions.pop(topic_filter, None) is not None:
            self._tree.discard(topic_filter, session)
            if session.persistent:
                self._store.remove_subscription(session.client_id, topic_filter)

    def send_retained(self, session: Session, topic_filter: str, qos: int) -> None:
        """The retained message for a new subscription; a filter with wildcards gets none, as on AWS."""
        if has_wildcard(topic_filter):
            return
        kept = self._store.retained(topic_filter)
        if kept is not None:
            payload, published_qos = kept
            self.send(session, Message(topic_filter, payload, min(qos, published_qos), retain=True))

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool = False) -> None:
        """Deliver to all subscribed; when it returns, QoS 1 is stored for every persistent session."""
        matched = self._tree.match(topic).items()
        targets = [(session, Message(topic, payload, min(qos, granted))) for session, granted in matched]
        with self._store.transaction():
            if retain:
                self._store.retain(topic, payload, qos)
            for session, message in targets:
                if message.qos:
                    session.offer(message)
        for session, message in targets:
            if message.qos:
                session.pump()
            else:
                session.send_qos_0(message)

    def send(self, session: Session, message: Message) -> None:
        """Deliver to one session, whatever it is subscribed to."""
        if not message.qos:
            session.send_qos_0(message)
        elif session.offer(message):
            session.pump()
