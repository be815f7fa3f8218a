"""The table of a job execution's life."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cloud.jobs import states
from tools.cloud.jobs.states import Execution, InvalidTransition, in_order

STATUSES = (*states.PENDING, *states.TERMINAL)
NOW_S = 1_700_000_000.0


def execution(**members: object) -> Execution:
    return Execution("job", "lamp", 1, NOW_S, **members)  # type: ignore[arg-type]


def test_the_table_as_aws_has_it() -> None:
    ways = {(here, there) for here, ends in states.TRANSITIONS.items() for there in ends}
    everywhere = ("IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "REMOVED", "CANCELED")
    expected = {(here, there) for here in ("QUEUED", "IN_PROGRESS") for there in everywhere}
    assert ways == expected | {("IN_PROGRESS", "TIMED_OUT")}
    assert set(states.TRANSITIONS) == set(STATUSES)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(STATUSES),
        st.none() | st.dictionaries(st.text("ab", min_size=1), st.text("xyz", min_size=1), max_size=3),
        st.none() | st.sampled_from((-1, 1, 5, 10080)),
        st.floats(0, 10_000),
    ),
    max_size=12,
)


@given(STEPS, st.none() | st.integers(1, 10080))
def test_versions_grow_by_one_and_a_terminal_status_is_the_last(
    steps: Sequence[tuple[str, dict[str, str] | None, int | None, float]], timeout_min: int | None
) -> None:
    one, now_s = execution(), NOW_S
    for status, details, step_min, later_s in steps:
        now_s += later_s
        if status not in states.TRANSITIONS[one.status]:
            with pytest.raises(InvalidTransition):
                one.become(status, now_s, details, timeout_min, step_min)
            continue
        assert one.pending, "nothing leads out of a terminal status"
        new = one.become(status, now_s, details, timeout_min, step_min)
        assert (new.status, new.version, new.updated_s) == (status, one.version + 1, now_s)
        assert new.details == (one.details if details is None else details)
        if not new.pending:
            assert new.deadline_s is None
        elif one.status == "IN_PROGRESS":
            assert (new.started_s, new.in_progress_until_s) == (one.started_s, one.in_progress_until_s)
        else:
            assert new.started_s == now_s
            assert new.in_progress_until_s == (None if timeout_min is None else now_s + 60 * timeout_min)
        one = new


@given(
    st.lists(
        st.tuples(st.sampled_from(STATUSES), st.integers(0, 3), st.integers(1, 1000)),
        unique_by=lambda one: one[2],
    )
)
def test_next_is_in_progress_first_then_queue_time(made: list[tuple[str, int, int]]) -> None:
    executions = [
        Execution("job", "lamp", 1, NOW_S + queued_s, status=status, id=i) for status, queued_s, i in made
    ]
    ordered = in_order(executions)
    assert {one.id for one in ordered} == {one.id for one in executions if one.status in states.PENDING}
    started = [one for one in ordered if one.status == "IN_PROGRESS"]
    assert ordered[: len(started)] == started
    for group in (started, ordered[len(started) :]):
        times = [(one.queued_s, one.id) for one in group]
        assert times == sorted(times)


def test_the_earlier_timer_counts() -> None:
    """AWS's own example: a job's 20 minutes, and step timers of 7, 5 and 9 minutes within them."""
    one = execution().become("IN_PROGRESS", NOW_S, timeout_min=20)
    for at_min, step_min, out_min in ((5, 7, 12), (10, 5, 15), (13, 9, 20)):
        one = one.become("IN_PROGRESS", NOW_S + 60 * at_min, timeout_min=20, step_min=step_min)
        assert one.deadline_s == NOW_S + 60 * out_min
    one = one.become("IN_PROGRESS", NOW_S + 60 * 14)
    assert one.step_until_s == NOW_S + 60 * 22, "an update without a timer leaves the one that runs"
    one = one.become("IN_PROGRESS", NOW_S + 60 * 15, step_min=states.NO_STEP_TIMER)
    assert one.step_until_s is None and one.deadline_s == NOW_S + 60 * 20
    assert execution().become("IN_PROGRESS", NOW_S).deadline_s is None
