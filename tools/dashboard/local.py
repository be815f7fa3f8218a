"""The page of a local cloud, in the cloud's own process or beside it."""

import asyncio
from pathlib import Path
from typing import Any

from tools.board.errors import BoardError
from tools.cloud.clients import make_client
from tools.cloud.endpoint import PAGE
from tools.dashboard.actions import declare_metrics
from tools.dashboard.feed import Feed
from tools.dashboard.server import Dashboard
from tools.pages import PageError
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.waiting import tell


async def page_of(state: Path, port: int | None = None, **options: Any) -> Dashboard:
    """The page of the cloud that runs with this state directory, to be entered.

    Args:
        state: the cloud's; the history is kept there, too.
        port: None: 8009, or any free one where that is taken.
        options: of Dashboard.

    Raises:
        BoardError: there is no such cloud.
    """
    account = await asyncio.to_thread(Account.local, state)
    if "simulation" not in options:
        await asyncio.to_thread(_declare, account)
    client = await asyncio.to_thread(make_client, state, PAGE, is_thing=False)

    def is_ours(name: str) -> bool:
        return (state / "clients" / f"{name}.certificate.pem").is_file()

    def feed(on_message: Any) -> Feed:
        return Feed.local(client, on_message)

    return Dashboard(account, feed, state, "local", port=port, is_ours=is_ours, **options)


def _declare(account: Account) -> None:
    with explained(account.where):
        declare_metrics(account)


async def serve(state: Path, port: int | None, stop: asyncio.Event) -> None:
    """That page, told on stdout, until then; where there can be none, that is told."""
    try:
        async with await page_of(state, port, say=tell) as page:
            print(f"the live page: {page.url}", flush=True)
            await stop.wait()
    except (BoardError, OSError) as error:
        why = f"{error.text}; give another --page-port" if isinstance(error, PageError) else str(error)
        tell(f"no live page: {why}")
        await stop.wait()
