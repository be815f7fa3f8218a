"""`python3 -m tools cloud`: runs the local AWS IoT Core until Ctrl-C."""

import argparse
import asyncio
import ipaddress
import sys
import time
from contextlib import suppress

from tools.board import document
from tools.board.errors import run_verb, wrong_arguments
from tools.signals import stop_event
from tools.waiting import Waiting

from .actions import run_action
from .arguments import EXAMPLES, add_arguments
from .cloud import Cloud, ControlPlaneError
from .database import StateError
from .endpoint import MQTT_PORT, PAGE
from .errors import InternalFailureException
from .events import Event
from .limits import Limits
from .s3 import FilesPortError

__all__ = ["EXAMPLES", "add_arguments", "main"]

_REST_PORT = 8884
_FILES_PORT = 8885


def main(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status."""
    if args.action:
        return run_verb(f"cloud {args.action}", lambda: run_action(args), args.json)
    if (args.write_config is None) != (args.wifi is None):
        return wrong_arguments("cloud", "--write-config and --wifi go together")
    if args.rest_port is None:
        args.rest_port = _REST_PORT if args.port == MQTT_PORT else 0
    if args.files_port is None:
        args.files_port = _FILES_PORT if args.port == MQTT_PORT else 0
    args.listen = args.listen or ("0.0.0.0" if args.host else "127.0.0.1")  # noqa: S104
    return run_verb("cloud", lambda: asyncio.run(_run_until_stopped(args)))


async def _run_until_stopped(args: argparse.Namespace) -> int:
    with stop_event() as stop:
        return await _run(args, stop)


async def _run(args: argparse.Namespace, stop: asyncio.Event) -> int:
    hosts = tuple(dict.fromkeys(["localhost", "127.0.0.1", *args.host]))
    try:
        limits = Limits.unthrottled() if args.unthrottled else Limits()
        cloud = Cloud(
            args.state,
            args.listen,
            args.port,
            hosts,
            server_chain=args.server_chain,
            limits=limits,
            on_event=_show,
            hook=args.hook,
            rules=dict(args.rule),
            messages=args.messages,
            https_port=args.https_port,
            files_port=args.files_port,
            files_host=[*args.host, hosts[0]][0],
            misbehave=args.misbehave,
            rest_port=args.rest_port,
            rest_listen=args.rest_listen,
        )
        await cloud.start()
    except StateError as error:
        return _fail(str(error))
    except ControlPlaneError as error:
        return _fail(f"the control plane: {error.strerror}; give another --rest-port or --rest-listen")
    except FilesPortError as error:
        return _fail(f"jobs' files: {error.strerror}; give another --files-port")
    except OSError as error:
        remedy = "stop what uses it, or give another --port or --listen"
        return _fail(f"cannot listen on {args.listen} port {args.port}: {error.strerror or error}; {remedy}")
    try:
        chain = "; it shows a chain of RSA" if args.server_chain == "rsa" else ""
        print(
            f"AWS IoT Core (local) listens on {args.listen} port {cloud.port}, as {', '.join(hosts)}{chain}"
        )
        if cloud.https_port is not None:
            print(f"messages by HTTPS: POST https://{hosts[0]}:{cloud.https_port}/topics/TOPIC?qos=1")
        state = f"state and root certificate: {args.state}, {args.state / 'ca.pem'}"
        urls = f"endpoint_url for boto3 and the aws CLI: {cloud.rest_url}"
        print(f"{state}; {urls}; jobs' files by HTTPS on port {cloud.files_port}", flush=True)
        _warn(args.rest_listen)
        _write_files(args, cloud)
        where = f"{', '.join(args.host) or 'localhost'}, TCP port {cloud.port}"
        with Waiting(f"nobody has come yet: this is {where}, which a firewall must let in") as waiting:

            def show(event: Event) -> None:
                if not event.client_id.startswith(PAGE):  # which is its own
                    waiting.now("")
                    _show(event)

            cloud.on_event = show
            if args.no_page:
                await stop.wait()
            else:
                from tools.dashboard.local import serve  # noqa: PLC0415  it brings boto3

                await serve(args.state, args.page_port, stop)
    except InternalFailureException as error:
        return _fail(str(error))
    finally:
        await cloud.stop()
    return 0


def _warn(listen: str) -> None:
    if not ipaddress.ip_address(listen).is_loopback:
        text = f"warning: boto3's port listens on {listen}, and whoever reaches it may do anything"
        print(text, file=sys.stderr)


def _write_files(args: argparse.Namespace, cloud: Cloud) -> None:
    """The configuration and the product file that were asked for, with one claim certificate for both."""
    if not (args.write_config or args.write_product):
        return
    made = cloud.device_configuration(args.wifi or [], [*args.host, "localhost"][0])
    if args.write_config:
        document.save(args.write_config, made)
        print(f"next: python3 -m tools configure PORT {args.write_config}", flush=True)
    if args.write_product:
        document.save_product(args.write_product, {"aws": made["aws"]})
        print(f"next: python3 -m tools phone --product {args.write_product}", flush=True)
    if not args.host:
        print("warning: boards cannot reach localhost; name this computer by --host", file=sys.stderr)


def _show(event: Event) -> None:
    with suppress(OSError):  # the log is on a full disk, or its reader is gone: no client's fault
        print(time.strftime("%H:%M:%S"), event, flush=True)


def _fail(text: str) -> int:
    print(f"cloud: {text}", file=sys.stderr)
    return 1
