"""What the tests before have measured, judged. The last of the board's tests, in the order of their files."""

import pytest

from tests.board.report import BUDGETS, MET, MISSED, NOT_MEASURED, Budget, Report

pytestmark = [pytest.mark.memory, pytest.mark.config]


@pytest.mark.parametrize("budget", BUDGETS, ids=[budget.name for budget in BUDGETS])
async def test_budget(report: Report, budget: Budget) -> None:
    (verdict,) = (verdict for verdict in report.verdicts() if verdict.budget is budget)
    if verdict.outcome == MISSED:
        limit = f"at {'least' if budget.at_least else 'most'} {budget.limit:,.2f}"
        pytest.fail(f"{budget.name}: {verdict.value:,.2f}, {limit}")
    if verdict.outcome != MET:
        reason = "no test of this run measures it" if verdict.outcome == NOT_MEASURED else verdict.reason
        pytest.skip(f"{verdict.outcome}: {reason}")
