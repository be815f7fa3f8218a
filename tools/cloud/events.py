"""What the cloud tells about itself: who came, who went and why, who was refused and why."""

from dataclasses import dataclass

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Event:
    """One fact.

    Args:
        kind: "connected", "disconnected", "refused" (never got to be connected), "provisioned", "rejected"
            (a request to a service), "throttled" (publishes discarded) or "server" (about the cloud itself).
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
        # Part of it was written by the peer: no control characters for the terminal, no endless lines
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_LONGEST])
