"""How long the tests wait for what must come: a deadline tells a hang from work, not a slow machine."""

PATIENCE_S = 200  # some twenty times what the longest wait takes on a machine with nothing else to do
