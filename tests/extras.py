"""For the terminal's summary: what is left out where it cannot run, by its reason, and what a test tells."""

import pytest

TOLD = "told"  # as a name for pytest's record_property: its text is shown, whatever becomes of the test
LEFT_OUT = pytest.StashKey[dict[str, int]]()
