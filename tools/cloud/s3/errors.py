"""Errors as Amazon S3 names them (API reference, "Error Responses")."""

import secrets
from xml.sax.saxutils import escape

from ..events import printable


class S3Error(Exception):
    """An error with S3's code and HTTP status.

    Args:
        code: S3's name for it.
        status: HTTP's.
        message: for people.
        members: what else S3's error of this code tells, such as ActualObjectSize.
    """

    def __init__(self, code: str, status: int, message: str, **members: object) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.members = members

    def xml(self, resource: str) -> bytes:
        """The body of the answer; `resource` is the path that was asked for, without its query."""
        told = {"Code": self.code, "Message": self, "Resource": resource, **self.members}
        told["RequestId"] = secrets.token_hex(8).upper()
        inner = "".join(f"<{name}>{escape(printable(str(value)))}</{name}>" for name, value in told.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()


def denied(message: str = "Access Denied", **members: object) -> S3Error:
    return S3Error("AccessDenied", 403, message, **members)
