"""Events as lines for people."""

from tools.cloud import Event


def test_lines() -> None:
    assert str(Event("connected", "10.0.0.7:4711", "lamp")) == "lamp connected from 10.0.0.7:4711"
    assert (
        str(Event("refused", "10.0.0.7:4711", reason="TLS", detail="no")) == "10.0.0.7:4711 refused (TLS: no)"
    )
    assert str(Event("disconnected", "10.0.0.7:4711", "lamp", "id", "CONNECTION_LOST")) == (
        "lamp disconnected (CONNECTION_LOST)"
    )
    assert str(Event("server", detail="cannot accept")) == "cloud server (cannot accept)"


def test_what_the_peer_chose_cannot_steer_a_terminal() -> None:
    line = str(Event("connected", "10.0.0.7:4711", "a\x1b[2J\nb\u202e", detail="x" * 10_000))
    assert line.isprintable()
    assert line.startswith(r"a\x1b[2J\nb\u202e connected")
    assert len(line) < 1000
