"""What an operation of the control plane answers, with what it has to add."""

from collections.abc import Iterable, Mapping
from typing import Any


class Answer(dict[str, Any]):
    """An answer in the shape of botocore's model; its `warnings` name what is kept but not simulated here.

    Whoever speaks HTTP puts them into a `Warning` header: the body has no room for them.
    """

    def __init__(self, members: Mapping[str, Any], warnings: Iterable[str] = ()) -> None:
        super().__init__(members)
        self.warnings = list(warnings)
