"""Modules that are forgotten."""

import sys

from iot.modules import forget


def test_a_forgotten_module_is_loaded_anew_and_what_was_taken_from_it_works_on():
    from iot import x509

    not_after = x509.not_after
    forget("iot.x509")
    import iot

    assert "iot.x509" not in sys.modules and not hasattr(iot, "x509")
    try:
        not_after(b"nonsense")
        raise AssertionError("accepted")
    except ValueError:
        pass
    from iot import x509 as again

    assert again is not x509 and again is sys.modules["iot.x509"]


def test_forgetting_what_is_not_there():
    forget("iot.no_such_module", "iot.x509", "iot.x509")
