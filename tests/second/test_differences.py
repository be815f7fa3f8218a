"""The same requests to both clouds: each difference is in the table, with AWS's word on it, and no other."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.extras import TOLD
from tests.second.asked import account, broker, jobs, shadows
from tests.second.asked.room import Question, answer, open_room
from tests.second.aws import Aws
from tests.second.differences import PAGE, TABLE, page

ASKED = {
    "shadow": shadows.QUESTIONS,
    "job": jobs.QUESTIONS,
    "broker": broker.QUESTIONS,
    "account": account.QUESTIONS,
}
BY_QUESTION = {one.question: one for one in TABLE}


async def answers(aws: Aws, folder: Path, questions: list[Question]) -> dict[str, str]:
    folder.mkdir()
    async with open_room(aws, folder) as room:
        return {question.name: await answer(question, room) for question in questions}


@pytest.mark.parametrize("subject", ASKED)
async def test_both_clouds_answer_as_the_table_says(
    subject: str, local: Aws, another: Aws, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    questions = ASKED[subject]
    ours, theirs = await asyncio.gather(
        answers(local, tmp_path / "local", questions), answers(another, tmp_path / "another", questions)
    )
    differ = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
    known = {name: (one.local, one.ministack) for name, one in BY_QUESTION.items() if name in ours}
    record_property(TOLD, told(subject, len(questions), differ))
    assert differ == known


def told(subject: str, asked: int, differ: dict[str, tuple[str, str]]) -> str:
    lines = [f"{subject}: {asked} questions to both clouds, {len(differ)} of them answered differently"]
    for name, (ours, theirs) in differ.items():
        one = BY_QUESTION.get(name)
        word = f"{one.word} ({one.side or 'not decided'}), {one.page}" if one else "not in the table"
        lines.append(f"  {name}\n    local:     {ours}\n    ministack: {theirs}\n    AWS:       {word}")
    return "\n".join(lines)


def test_the_table_has_each_question_once() -> None:
    asked = [question.name for questions in ASKED.values() for question in questions]
    assert len(set(asked)) == len(asked) > 150
    assert len(BY_QUESTION) == len(TABLE) and BY_QUESTION.keys() <= set(asked)
    assert all(one.local != one.ministack for one in TABLE)


def test_the_page_has_the_table() -> None:
    """`python3 -m tests.second.differences` writes it there."""
    text = PAGE.read_text()
    assert text == page(text)
