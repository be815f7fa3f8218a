"""Builds the system from firmware/ and runs it."""

import gc

# Bytes after which garbage is collected: what survives lies close together, and the heap need not grow.
gc.threshold(4096)

from iot.system import System  # noqa: E402

from firmware import settings  # noqa: E402


def load_application():
    """Imported only once the application may run: until then its memory is free."""
    from firmware import app

    return app


System(settings).run(load_application)
