"""Each cell of docs/clouds.md's table is what the cloud's stand-in does."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.clouds.asked import QUESTIONS
from tests.clouds.stands import STANDS, Stand
from tests.clouds.table import CELLS, CLOUDS, PAGE, Cell, page


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=STANDS)
async def stand(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stand]:
    async with STANDS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.mark.parametrize(
    ("stand", "cell"),
    [pytest.param(cell.cloud, cell, id=f"{cell.cloud}, {cell.question}") for cell in CELLS],
    indirect=["stand"],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_cloud_does_what_the_table_says(stand: Stand, cell: Cell) -> None:
    assert await QUESTIONS[cell.question](stand) == cell.answer


def test_every_cloud_is_asked_every_question_once() -> None:
    asked = [(cell.cloud, cell.question) for cell in CELLS]
    assert len(set(asked)) == len(asked)
    assert set(asked) == {(cloud, question) for cloud in CLOUDS for question in QUESTIONS}
    assert CLOUDS.keys() == STANDS.keys()
    assert all(cell.source.startswith("https://") for cell in CELLS)


def test_the_page_has_the_table() -> None:
    """`python3 -m tests.clouds.table` writes it there."""
    text = PAGE.read_text("utf-8")
    assert text == page(text)
