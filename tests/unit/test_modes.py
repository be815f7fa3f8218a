"""The table of modes in full, as the design draws it."""

from check import raises
from iot import modes

EXPECTED = {
    ("INIT", "part_failed"): "IDLE",
    ("INIT", "unconfigured"): "CONFIG",
    ("INIT", "configured"): "NORMAL",
    ("INIT", "setup_asked"): "CONFIG",
    ("CONFIG", "committed"): "RESTART",
    ("NORMAL", "committed"): "RESTART",
    ("IDLE", "committed"): "RESTART",
    ("NORMAL", "provisioned"): "RESTART",
    ("NORMAL", "certificate_refused"): "NORMAL",
    ("NORMAL", "provisioning_failed"): "NORMAL",
    ("NORMAL", "update_accepted"): "OTA",
    ("OTA", "update_installed"): "RESTART",
    ("OTA", "update_failed"): "NORMAL",
    ("OTA", "update_failed_application_stopped"): "RESTART",
    ("IDLE", "rescue_accepted"): "OTA",
}
ANYWHERE = ("restart", "factory_reset")
EVENTS = sorted({event for _, event in EXPECTED}) + list(ANYWHERE)


def test_every_pair_of_mode_and_event():
    for mode in modes.MODES:
        for event in EVENTS:
            if event in ANYWHERE:
                assert modes.following(mode, event) == "RESTART", (mode, event)
            elif (mode, event) in EXPECTED:
                assert modes.following(mode, event) == EXPECTED[(mode, event)], (mode, event)
            else:
                raises(ValueError, "no way out of mode " + mode, modes.following, mode, event)


def test_the_table_has_no_row_that_the_design_lacks():
    assert modes.TABLE == EXPECTED


def test_every_mode_can_be_reached_and_left():
    reached = {"INIT", "RESTART"} | set(modes.TABLE.values())
    assert reached == set(modes.MODES)
    assert {mode for mode, _ in modes.TABLE} | {"RESTART"} == set(modes.MODES)


def test_unknown_names_are_refused():
    raises(ValueError, "no way out of mode SLEEP on restart", modes.following, "SLEEP", "restart")
    raises(ValueError, "no way out of mode NORMAL on lunch", modes.following, "NORMAL", "lunch")
