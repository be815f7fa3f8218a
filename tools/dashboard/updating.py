"""What a device can be updated to, from the page: releases in a folder, or those that `make run` makes."""

import asyncio
import time
from typing import Any, Protocol

from tools.dashboard.guard import RefusedError
from tools.release import folder

_SIGNED = (folder.MANIFEST, folder.ROOT)


class Releases(Protocol):
    """Some."""

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
