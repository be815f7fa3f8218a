"""What arguments of several verbs are checked by."""

import argparse

from .errors import BleError
from .session import normalise_code


def code(text: str) -> str:
    """A device's code, as a type for argparse."""
    try:
        return normalise_code(text)
    except BleError as error:
        raise argparse.ArgumentTypeError(f"{error.text}. {error.remedy}") from None
