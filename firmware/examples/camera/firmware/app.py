"""A camera: puts a picture where its shadow says, once for each {"snapshot": {"id", "url", "headers"}}."""

import asyncio
import json
import random
import time

from micropython import const

from firmware import pictures, presigned

_FIRST_MS = const(1000)
_MOST_MS = const(60000)
_REASON_MOST = const(80)
_OWN_LEAVE = const("disconnect asked")  # why there is no connection while a picture is sent


async def main(thing):
    """What it registers goes on when it has returned."""
    camera = Camera(thing)
    thing.on("cloud_up", camera.come)
    thing.on("cloud_down", camera.go)
    thing.shadow.on("snapshot", camera.take)


class Camera:
    """Remembers in the application's 256 bytes what became of the last snapshot, as it is reported."""

    def __init__(self, thing):
        self.thing = thing
        self.reason = None
        try:
            self.last = dict(json.loads(thing.flash.read().partition(b"\0")[0]))
        except (ValueError, TypeError):
            self.last = {}

    def go(self, reason):
        """The connection has ended, or an attempt for one."""
        self.reason = reason

    def come(self, kept):
        """Tells that it is online; not where MQTT made room for a picture, which would lead to another."""
        if self.reason != _OWN_LEAVE:
            self.thing.publish("telemetry/" + self.thing.name + "/online", {"online": True}, qos=1)

    async def take(self, value):
        """Does what is desired; the answer, which is reported, to what was done before is that of then."""
        value = value if isinstance(value, dict) else {"id": None}
        name = value.get("id", self.last.get("id"))  # a difference in the URL alone is nothing new
        if name == self.last.get("id"):
            return self.last
        answer = {"id": name, "outcome": "failed", "reason": None, "bytes": None, "status": None}
        if not isinstance(name, str) or not 1 <= len(json.dumps(name).encode()) - 2 <= 64:
            answer["reason"] = "id: not 1 to 64 characters"
            return answer
        answer.update(await self.bring(value.get("url"), value.get("headers") or {}))
        self.last = answer
        self.thing.flash.write(0, json.dumps(answer).encode() + bytes(1))
        await self.thing.flash.flush()
        return answer

    async def bring(self, url, headers):
        """Puts a picture there, again and again until the URL's end; what is to be answered."""
        pause_ms, reason = _FIRST_MS, "the URL's time is over"
        try:
            while time.time() < presigned.end_s(url):
                status = 503
                try:
                    picture = pictures.Picture()
                    try:
                        sent = "PUT", url, picture.read, picture.size, headers
                        status, _, _ = await self.thing.https(*sent)
                    finally:
                        picture.close()
                    if 200 <= status < 300:
                        return {"outcome": "done", "bytes": picture.size, "status": status}
                    reason = "status {}".format(status)
                except OSError as error:  # the network's, or the camera's
                    reason = str(error)[:_REASON_MOST]
                if status < 500 and status not in (408, 429):
                    break
                self.thing.log.warning("camera", "tries again: {}", reason)
                await asyncio.sleep_ms(pause_ms // 2 + random.randint(0, pause_ms // 2))
                pause_ms = min(pause_ms * 2, _MOST_MS)
        except ValueError as error:  # it would be no other the next time
            reason = str(error)[:_REASON_MOST]
        return {"reason": reason}
