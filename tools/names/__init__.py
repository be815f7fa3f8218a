"""Whether the names that device code uses are there on a board with the oldest MicroPython."""
