"""One image for a board: MicroPython, the firmware's files and, where it is given, the label's code."""
