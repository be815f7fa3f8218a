"""The table of modes in full, as the design draws it."""

from check import raises
from iot import modes

EXPECTED = {
    ("INIT", "part_failed"): "IDLE",
    ("INIT", "unconfigured"): "CONFIG",
    ("INIT", "configured"): "NORMAL",
    ("INIT", "setup_asked"): "CONFIG",
    ("NORMAL", "provisioned"): "RESTART",
    ("NORMAL", "certificate_refused"): "NORMAL",
    ("NORMAL", "provisioning_failed"): "NORMAL",
    ("NORMAL", "rotation_by_claim"): "NORMAL",
    ("NORMAL", "rotated"): "RESTART",
    ("INIT", "update_waits"): "OTA",
    ("NORMAL", "update_accepted"): "RESTART",
    ("OTA", "update_over"): "RESTART",
}
ANYWHERE = ("restart", "committed", "factory_reset")
EVENTS = sorted({event for _, event in EXPECTED}) + list(ANYWHERE)
MODES = ("INIT", "CONFIG", "NORMAL", "OTA", "IDLE")
BESIDES = {
    "certificate_refused": modes.REPLACE,
    "rotation_by_claim": modes.ROTATE,
    "factory_reset": modes.ERASE,
}


def test_every_pair_of_mode_and_event():
    for mode in MODES:
        for event in EVENTS:
            if event in ANYWHERE:
                after = "RESTART"
            elif (mode, event) in EXPECTED:
                after = EXPECTED[(mode, event)]
            else:
                raises(ValueError, "no way out of mode " + mode, modes.following, mode, event)
                continue
            assert modes.following(mode, event) == (after, BESIDES.get(event)), (mode, event)


def test_the_table_has_no_row_that_the_design_lacks():
    assert set(modes.ROWS) == set(MODES)
    rows = {(mode, event) for mode in MODES for event in modes.turns(mode) if event not in ANYWHERE}
    assert rows == set(EXPECTED)


def test_every_mode_can_be_reached_and_left():
    reached = {"INIT"} | {modes.following(mode, event)[0] for mode in MODES for event in modes.turns(mode)}
    assert reached == set(MODES) | {"RESTART"}


def test_what_ends_a_life_is_stronger_than_what_does_not():
    for mode in MODES:
        assert modes.turns(mode)[-3:] == ANYWHERE, mode


def test_unknown_names_are_refused():
    raises(ValueError, "no way out of mode SLEEP on restart", modes.following, "SLEEP", "restart")
    raises(ValueError, "no way out of mode RESTART on restart", modes.following, "RESTART", "restart")
    raises(ValueError, "no way out of mode NORMAL on lunch", modes.following, "NORMAL", "lunch")


def test_every_task_is_of_a_mode():
    tasks = {task for mode in MODES for task in modes.ROWS[mode][0]}
    assert set(modes.LASTING) <= tasks and set(modes.RENEWED) <= tasks and set(modes.STAYING) <= tasks


def test_what_stays_in_a_mode_is_named_once_and_loaded_in_order():
    for mode in MODES:
        names = modes.staying(mode)
        assert len(set(names)) == len(names) and set(modes.ALWAYS) <= set(names), mode
