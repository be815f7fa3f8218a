"""What `aws check` finds: a line for each question, with a remedy where something is wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from tools.board.errors import BoardError
from tools.thing.failures import code, explained, is_denied

State = Literal["ok", "fault", "unknown"]
# What an AWS on one's own machine says of a service or an operation that it does not have.
_NOT_HERE = ("NotImplementedException", "UnknownOperationException", "InvalidAction", "NotImplemented")


@dataclass(frozen=True)
class Finding:
    """One answer.

    Args:
        what: the question, in a word or two.
        state: "unknown" where it may not or cannot be asked.
        text: the answer.
        remedy: what to do next; "" where nothing is to be done.
    """

    what: str
    state: State
    text: str
    remedy: str = ""


def ok(what: str, text: str) -> Finding:
    return Finding(what, "ok", text)


def fault(what: str, text: str, remedy: str) -> Finding:
    return Finding(what, "fault", text, remedy)


def unknown(what: str, text: str, remedy: str = "") -> Finding:
    return Finding(what, "unknown", text, remedy)


def guarded(what: str, where: str, service: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """What is found, and where AWS refuses to answer, that it does.

    Args:
        what: the question, as for Finding.
        where: the cloud that is asked.
        service: what of it, as IAM calls it.
        found: asks while it is iterated.
    """
    denied = other = False
    try:
        with explained(where, service):
            try:
                yield from found
            except ClientError as error:
                name = code(error)
                denied, other = is_denied(error), name in _NOT_HERE or name.isdigit()  # no name: not AWS
                raise
    except ResponseParserError:  # as of an AWS on one's own machine that has IoT alone
        yield unknown(what, f"not answered: what is there for {service} does not speak as AWS does")
    except BoardError as error:
        if denied or other:
            yield unknown(what, f"not answered: {error.text}", error.remedy if denied else "")
        else:
            yield fault(what, error.text, error.remedy)
