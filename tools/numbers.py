"""Numbers on a command line, as argparse's types."""

import argparse


def positive(text: str) -> float:
    """Over 0."""
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError("must be over 0")
    return number


def count(text: str) -> int:
    """A whole one, over 0."""
    number = int(text)
    if not 0 < number < 1_000_000:
        raise argparse.ArgumentTypeError("must be over 0")
    return number
