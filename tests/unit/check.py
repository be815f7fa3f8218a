"""Assertions for the dual tests: what pytest would bring, in Python that MicroPython has too."""


def raises(exception_type, text, function, *args, **kwargs):
    """Assert that the call raises `exception_type` with `text` in its message; return the exception."""
    try:
        function(*args, **kwargs)
    except exception_type as error:
        return _with_text(error, text)
    raise AssertionError(f"did not raise {exception_type.__name__}")


async def araises(exception_type, text, coroutine):
    """Assert that the coroutine raises `exception_type` with `text` in its message; return the exception."""
    try:
        await coroutine
    except exception_type as error:
        return _with_text(error, text)
    raise AssertionError(f"did not raise {exception_type.__name__}")


def _with_text(error, text):
    assert text in str(error), f"{text!r} is not in {str(error)!r}"
    return error
