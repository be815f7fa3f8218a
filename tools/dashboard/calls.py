"""Calls of boto3 beside the event loop: a few at once, few that wait, failures as a page tells them."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from tools.dashboard.guard import RefusedError
from tools.thing.account import Account
from tools.thing.failures import code, explained

Result = TypeVar("Result")
_AT_ONCE = 8  # boto3's clients have ten connections
_WAITING_MAX = 64
_STATUSES = {
    "ResourceNotFoundException": 404,
    "ResourceNotFound": 404,
    "ConflictException": 409,
    "VersionConflictException": 409,
    "ResourceAlreadyExistsException": 409,
    "InvalidStateTransitionException": 409,
    "InvalidRequestException": 400,
    "ValidationException": 400,
    "ThrottlingException": 503,
    "AccessDeniedException": 403,
}


class Calls:
    """Runs functions with an account in threads.

    Args:
        account: the cloud that is asked.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dashboard")
        self._waiting = 0

    async def ask(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """`function(account, *arguments)`; BoardError, RefusedError for what a page can put right."""
        if self._waiting >= _WAITING_MAX:
            raise RefusedError(503, "too many requests wait for the cloud", "Try again in a moment.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._run, function, *arguments)
        finally:
            self._waiting -= 1

    def _run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        with _told(self._account.where):
            return function(self._account, *arguments)

    def close(self) -> None:
        """Let go of the threads, without waiting for what they wait for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _told(where: str) -> Iterator[None]:
    with explained(where):
        try:
            yield
        except ClientError as error:
            status = _STATUSES.get(code(error))
            if status is None:
                raise
            said = str(error.response.get("Error", {}).get("Message", "")) or code(error)
            raise RefusedError(status, f"{error.operation_name}: {said}", _REMEDIES[status]) from None


_REMEDIES = {
    400: "Correct what it names.",
    403: "Have it allowed to whom these credentials are, by an IAM policy.",
    404: "It may be gone: look again.",
    409: "It has changed meanwhile: look again.",
    503: "Try again in a moment.",
}
