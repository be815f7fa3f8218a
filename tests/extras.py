"""What is left out where it cannot run, by its reason: for the terminal's summary."""

import pytest

LEFT_OUT = pytest.StashKey[dict[str, int]]()
