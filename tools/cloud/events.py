"""What the cloud tells about itself: who came, who went and why, who was refused and why."""

from dataclasses import dataclass

_LONGEST = 400
_SECRET = ("$aws/certificates/", "$aws/provisioning-templates/")


@dataclass(frozen=True, slots=True)
class Event:
    """One fact.

    Args:
        kind: "connected", "disconnected", "refused" (never got to be connected), "provisioned", "rejected"
            (a request to a service), "throttled" (publishes discarded), "published" (a message, of which
            `reason` is the topic), "served" (a file), "misbehaved" (as it was told to) or "server" (about the
            cloud itself).
        address: the peer's "address:port".
        client_id: "" until CONNECT.
        certificate_id: "" until the handshake is done.
        reason: for "disconnected" AWS's disconnectReason, else a short word.
        detail: what happened, for people.
    """

    kind: str
    address: str = ""
    client_id: str = ""
    certificate_id: str = ""
    reason: str = ""
    detail: str = ""

    def __str__(self) -> str:
        who = self.client_id or self.address or "cloud"
        where = f" from {self.address}" if self.client_id and self.kind == "connected" else ""
        why = ": ".join(part for part in (self.reason, self.detail) if part)
        text = f"{who} {self.kind}{where}" + (f" ({why})" if why else "")
        return printable(text[:_LONGEST])  # part of it was written by the peer: no endless lines


def printable(text: str) -> str:
    """A peer's text without control characters for the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(topic: str, payload: bytes) -> str:
    """A payload for a log; of what may be keys and tokens its size alone."""
    if topic.startswith(_SECRET):
        return f"{len(payload)} bytes"
    text = payload[:_LONGEST].decode(errors="backslashreplace")
    return text if len(payload) <= _LONGEST else f"{text}… ({len(payload)} bytes)"
