"""The pre-provisioning hook: a program of the operator's that decides which devices RegisterThing takes.

AWS calls a Lambda function, this cloud a Python function of the same form or any command; both get the same
JSON and answer the same (Developer Guide, "Pre-provisioning hooks").
"""

import asyncio
import contextlib
import json
import re
import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Hook = Callable[[dict[str, Any]], Awaitable[object]]
"""Called with {claimCertificateId, certificateId, certificatePem, templateArn, clientId, parameters}.

Answers {"allowProvisioning": bool, "parameterOverrides": {name: value}}; what it raises is a refusal.
"""

DEADLINE_S = 5.0  # AWS's

# Calls a function with the event on standard input; what it prints goes to standard error.
_CALL = """\
import contextlib, importlib, json, sys
with contextlib.redirect_stdout(sys.stderr):
    function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    answer = function(json.load(sys.stdin), None)
json.dump(answer, sys.stdout)
"""

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class HookError(Exception):
    """The hook does not allow it, or failed; the text is for the cloud's operator, not for the device."""


def program(text: str) -> Hook:
    """A hook that is a program of its own, so that one that hangs or dies takes nothing along.

    Args:
        text: "module:function", called as `function(event, None)` like a Lambda's handler, or a command,
            which reads the event from its standard input and writes the answer to its standard output.

    Raises:
        ValueError: neither.
    """
    if _FUNCTION.fullmatch(text):
        arguments = [sys.executable, "-c", _CALL, *text.split(":")]
    elif not (arguments := shlex.split(text)):
        raise ValueError("must be module:function or a command")

    async def run(event: dict[str, Any]) -> object:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            answer, errors = await child.communicate(json.dumps(event).encode())
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                child.kill()
            await child.wait()
        if child.returncode:
            last = errors.decode(errors="replace").strip().rpartition("\n")[2]
            raise HookError(f"{text} ended with status {child.returncode}: {last}")
        return json.loads(answer)

    return run


async def ask(hook: Hook, event: dict[str, Any], deadline_s: float = DEADLINE_S) -> dict[str, str]:
    """The parameters with the hook's own in their place; raises HookError where it does not allow it."""
    try:
        async with asyncio.timeout(deadline_s):
            answer = await hook(event)
    except TimeoutError:
        raise HookError(f"no answer within {deadline_s:g} s") from None
    except HookError:
        raise
    except Exception as error:  # the operator's code: whatever it raises is a refusal
        raise HookError(f"failed: {type(error).__name__}: {error}") from error
    if not isinstance(answer, dict) or answer.get("allowProvisioning") is not True:
        raise HookError("does not allow it")
    overrides = answer.get("parameterOverrides") or {}
    if not isinstance(overrides, dict) or not all(isinstance(value, str) for value in overrides.values()):
        raise HookError("parameterOverrides is not an object of strings")
    return event["parameters"] | overrides
