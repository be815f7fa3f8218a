"""A device made of Alibaba's own link kit, in the environment .alibaba: told what to call by lines of JSON.

Its argument is JSON: port, cadata, product, device, secret, and `model`, a file with its services and events.
Each line of its input is [method of LinkKit, arguments…]; each of its output [callback, what it was told…].
A service is answered with what it was called with.
"""

import json
import sys
from typing import Any

import paho.mqtt.client as paho
from linkkit import linkkit

_CONNECTION = ("on_connect", "on_disconnect", "on_subscribe_topic", "on_topic_message", "on_publish_topic")
_THING = ("on_thing_enable", "on_thing_prop_post", "on_thing_prop_changed", "on_thing_event_post")


class OneWriter(paho.Client):
    """Leaves all writing to the thread that reads.

    The kit publishes from two others, and paho would write there at once: one in ten lives of it ended with a
    damaged TLS record, for ssl's connections are not for two threads (before Python 3.13).
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.on_socket_register_write = lambda *_: None


def say(name: str, *told: Any) -> None:
    shown = [
        one.decode() if isinstance(one, bytes) else one for one in told[:-1]
    ]  # the last is the user data
    print(json.dumps([name, *shown]), flush=True)


def main() -> None:
    asked = json.loads(sys.argv[1])
    paho.Client = OneWriter  # type: ignore[misc]  # the kit makes its own
    kit = linkkit.LinkKit("localhost", asked["product"], asked["device"], asked["secret"])
    kit.config_mqtt(port=asked["port"], cadata=asked["cadata"])
    kit.thing_setup(asked["model"])
    for name in _CONNECTION + _THING:
        setattr(kit, name, lambda *told, name=name: say(name, *told))

    def call_service(identifier: str, request_id: str, params: Any, user_data: object) -> None:
        say("on_thing_call_service", identifier, params, user_data)
        kit.thing_answer_service(identifier, request_id, 200, params)

    kit.on_thing_call_service = call_service
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        arguments = [tuple(one) if isinstance(one, list) else one for one in arguments]
        getattr(kit, method)(*arguments)
    kit.destruct()


if __name__ == "__main__":
    main()
