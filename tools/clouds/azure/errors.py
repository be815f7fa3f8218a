"""What Azure's services answer their callers with when they refuse."""


class ServiceError(Exception):
    """A call of a service's is refused.

    Args:
        code: Azure's, such as 404001; its first three digits are HTTP's.
        text: what was wrong.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
