"""AWS IoT Core's quotas for one connection, and the token bucket that two of them need."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """AWS's numbers ("AWS IoT Core message broker and protocol limits and quotas"), and the broker's own."""

    # AWS's; the two rates hold for what a client sends, and what it sends with QoS 1 is answered at once
    keep_alive_min_s: float = 30
    keep_alive_max_s: float = 1200
    keep_alive_factor: float = 1.5
    highest_qos: int = 1
    payload_bytes: int = 128 * 1024
    client_id_bytes: int = 128
    topic_bytes: int = 256
    topic_slashes: int = 7
    filters_per_subscribe: int = 8
    subscriptions_per_connection: int = 50
    publishes_per_s: float = 100
    bytes_per_s: float = 512 * 1024
    unacknowledged: int = 100
    session_expiry_s: float = 3600
    token_expiry_s: float = 3600

    # The Device Shadow service's; the number of requests in flight is for one thing on one connection
    shadow_bytes: int = 8 * 1024
    shadow_levels: int = 6
    shadow_client_token_bytes: int = 64
    shadow_requests_in_flight: int = 10
    shadow_version_expiry_s: float = 48 * 3600

    # The broker's own: what keeps one slow or hostile client from costing the others anything
    reserved_topic_bytes: int = 512
    packets_per_turn: int = 32
    connections: int = 1000
    handshakes: int = 200
    handshake_s: float = 10
    connect_s: float = 10
    write_stall_s: float = 30
    write_buffer_bytes: int = 256 * 1024
    write_buffer_limit_bytes: int = 2 * 1024 * 1024
    queued_messages: int = 10_000
    queued_bytes: int = 16 * 1024 * 1024

    @property
    def packet_bytes(self) -> int:
        """The largest MQTT packet: a full payload, with any allowed topic and client id beside it."""
        return self.payload_bytes + 4096

    def keep_alive_s(self, asked_s: float) -> float:
        """The keep-alive that holds for a client that asks for this one; 0 stands for the longest."""
        return min(max(asked_s or self.keep_alive_max_s, self.keep_alive_min_s), self.keep_alive_max_s)

    @classmethod
    def unthrottled(cls) -> "Limits":
        """AWS's limits without those on what comes in a second or at once (for measurements)."""
        return replace(cls(), publishes_per_s=1e9, bytes_per_s=1e12, shadow_requests_in_flight=10**9)


class TokenBucket:
    """Allows `rate` units per second and bursts of one second's worth.

    Args:
        rate: units per second, above 0.
        now: the clock's value, seconds; the same clock's values go to `take` and `borrow`.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._level = rate
        self._then = now

    def _refill(self, now: float) -> None:
        self._level = min(self._rate, self._level + (now - self._then) * self._rate)
        self._then = now

    def take(self, now: float) -> bool:
        """Take one unit if there is one."""
        self._refill(now)
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def borrow(self, units: float, now: float) -> float:
        """Take `units` in any case; returns the seconds until the debt is paid, 0 if there is none."""
        self._refill(now)
        self._level -= units
        return max(0.0, -self._level / self._rate)
