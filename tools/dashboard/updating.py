"""What a device can be updated to, from the page: releases in a folder, or those that `make run` makes."""

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tools.board.errors import BoardError
from tools.cloud import Cloud
from tools.dashboard.guard import RefusedError
from tools.release import folder, publish
from tools.release.manifest import Manifest
from tools.updates import Product, app_that_crashes

_SIGNED = (folder.MANIFEST, folder.ROOT)


class Releases(Protocol):
    """Some."""

    async def list_(self) -> list[dict[str, Any]]: ...
    async def update(self, thing: str, release: str) -> str:
        """The job that brings it. Raises BoardError."""
        ...


class InFolder:
    """Those that `tools release build` has made.

    Args:
        place: with a folder for each.
        where: which cloud they are published at, as `tools release publish` takes it: aws, state, profile,
            region; and `bucket` and `role` for AWS.
    """

    def __init__(self, place: Path, where: dict[str, Any]) -> None:
        self._place = place
        self._where = where

    async def list_(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[dict[str, Any]]:
        found = []
        for place in sorted(self._place.iterdir()) if self._place.is_dir() else ():
            if any((place / name).is_file() for name in _SIGNED):
                try:
                    signed = folder.load(place).signed
                except BoardError:
                    continue  # half of one, while it is made
                kind = signed.kind if isinstance(signed, Manifest) else "root"
                found.append({"release": place.name, "version": str(signed.version), "kind": kind})
        return found

    async def update(self, thing: str, release: str) -> str:
        if release not in {it["release"] for it in await self.list_()}:
            raise RefusedError(404, f"{release}: no such release in {self._place}", "GET /api/releases.")
        options = dict.fromkeys(
            ("group", "delta_from", "rollout_per_minute", "abort_at", "abort_min", "retries", "timeout_min"),
        )
        args = argparse.Namespace(
            folder=self._place / release,
            thing=thing,
            over="https",
            root=None,
            json=False,
            **options,
            **self._where,
        )
        value, _ = await asyncio.to_thread(publish.publish, args)
        return str(value["jobId"])


class Made:
    """A better version and one that crashes, built when asked for.

    Args:
        product: whose devices take them.
        cloud: where they are published; in this event loop.
    """

    def __init__(self, product: Product, cloud: Cloud) -> None:
        self._product = product
        self._cloud = cloud
        self._apps: dict[str, Callable[[], str | None]] = {"better": lambda: None, "worse": app_that_crashes}

    async def list_(self) -> list[dict[str, Any]]:
        before = self._product.version
        return [{"release": name, "version": f"{before}+{name}", "kind": "app"} for name in self._apps]

    async def update(self, thing: str, release: str) -> str:
        if release not in self._apps:
            raise RefusedError(404, f"{release}: no such release", "GET /api/releases.")
        again = time.strftime("%H%M%S")  # a version that failed is not tried again
        version = f"{self._product.version}+{release}.{again}"
        pack = await asyncio.to_thread(self._product.build, version, self._apps[release]())
        return self._product.publish(self._cloud, thing, version, pack)
