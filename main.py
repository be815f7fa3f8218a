"""Builds the system from firmware/ and runs it."""

from iot.system import System

from firmware import settings


def load_application():
    """Imported only once the application may run: until then its memory is free."""
    from firmware import app

    return app.main


System(settings).run(load_application)
