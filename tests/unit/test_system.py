"""What leads out of a mode, and which of two events counts."""

from fakes import FakeMachine, forget
from iot import modes


class Settings:
    LOG_LEVEL = "error"


def system_in(mode, event=None):
    """A System in that mode, for which `event` waits, or which has led there."""
    with FakeMachine():
        forget("iot.system")
        from iot.system import System

        system = System(Settings)
    forget("iot.system")
    system.mode, system.turns, system.event = mode, modes.turns(mode), event
    return system


def test_an_event_leads_out_of_the_modes_that_have_it():
    for mode in modes.ROWS:
        for event in ("provisioned", "restart", "mode", "lunch"):
            system = system_in(mode)
            system.turn(event, "why")
            there = event in modes.turns(mode)
            assert (system.event, system.reason) == ((event, "why") if there else (None, "")), (mode, event)


def test_a_stronger_event_takes_the_place_of_what_waits_and_no_other_does():
    events = modes.turns("NORMAL")
    for waits in events:
        for event in events:
            system = system_in("NORMAL", waits)
            system.turn(event, "why")
            stronger = events.index(event) > events.index(waits)
            assert system.event == (event if stronger else waits), (waits, event)


def test_what_is_asked_for_while_a_mode_begins_counts():
    """Until its tasks have begun, what led there still stands in the place of what waits."""
    for event in ("restart", "factory_reset", "certificate_refused"):
        system = system_in("NORMAL", "configured")
        system.turn(event, "why")
        assert (system.event, system.reason) == (event, "why")


def test_what_is_told_leads_on_too():
    system = system_in("NORMAL", "configured")
    system.tell("provisioned", "lamp-1")
    assert system.event == "provisioned"
