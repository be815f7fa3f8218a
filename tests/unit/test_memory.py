"""Modules that are forgotten."""

import asyncio
import sys

from iot.memory import borrow, forget, load


def test_a_forgotten_module_is_loaded_anew_and_what_was_taken_from_it_works_on():
    from iot.crypto import x509

    not_after = x509.not_after
    forget("iot.crypto.x509")
    import iot

    assert "iot.crypto.x509" not in sys.modules and not hasattr(iot, "x509")
    try:
        not_after(b"nonsense")
        raise AssertionError("accepted")
    except ValueError:
        pass
    from iot.crypto import x509 as again

    assert again is not x509 and again is sys.modules["iot.crypto.x509"]


def test_a_borrowed_module_is_forgotten_at_once():
    import iot

    forget("iot.crypto.x509")
    module = borrow("iot.crypto.x509")
    assert "iot.crypto.x509" not in sys.modules and not hasattr(iot, "x509")
    assert module.not_after and borrow("iot.crypto.x509") is not module


def test_forgetting_what_is_not_there():
    forget("iot.no_such_module", "iot.crypto.x509", "iot.crypto.x509")


async def test_modules_are_loaded_one_by_one_with_turns_for_others_in_between():
    names = ("iot.backoff", "iot.crypto.x509", "iot.config")
    forget(*names)
    seen = []

    async def other():
        while True:
            seen.append([name in sys.modules for name in names])
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await load(*names)
    task.cancel()
    assert [True, False, False] in seen and [True, True, False] in seen
