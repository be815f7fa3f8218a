"""Builds the system from firmware/ and runs it."""

from iot import heap
from iot.modules import forget

HEAP = heap.grow()  # before the first large import; kept for ever
del heap
forget("iot.heap")

from iot.system import System  # noqa: E402

from firmware import settings  # noqa: E402


def load_application():
    """Imported only once the application may run: until then its memory is free."""
    from firmware import app

    return app


System(settings).run(load_application)
