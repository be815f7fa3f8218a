"""The page of a local cloud, in the cloud's own process or beside it."""

import asyncio
from pathlib import Path
from typing import Any

from tools.cloud.clients import make_client
from tools.dashboard.feed import NAME, Feed
from tools.dashboard.server import Dashboard
from tools.thing.account import Account


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
    client = await asyncio.to_thread(make_client, state, NAME)

    def is_ours(name: str) -> bool:
        return (state / "clients" / f"{name}.certificate.pem").is_file()

    def feed(on_message: Any) -> Feed:
        return Feed.local(client, on_message)

    return Dashboard(account, feed, state, "local", port=port, is_ours=is_ours, **options)
