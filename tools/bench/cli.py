"""`make bench`: the MQTT client beside umqtt.simple, services, brokers, a phone's set-up, P-256, updates."""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.sim.cpython import install_language

install_language()
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from iot.mqtt.packet import MQTTError  # noqa: E402

from tools.bench import (  # noqa: E402 (they import device code)
    ble,
    broker,
    delta,
    job,
    load,
    measures,
    p256,
    services,
    shadow,
    umqtt,
    update,
    update_heap,
)
from tools.board.errors import tell_failure  # noqa: E402

KIB = 1024
_ROUNDS = 6  # by run: short ones, of which the median counts
EXAMPLES = """examples:
  python3 -m tools bench
  python3 -m tools bench --json --runs 9

exit status: 0, 1 if something could not be measured, 2 for wrong arguments"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--acknowledged", type=int, default=300, metavar="N", help="messages of QoS 1 (300)")
    parser.add_argument("--delay", type=float, default=25, metavar="MS", help="of the link, each way (25 ms)")
    parser.add_argument("--connections", type=int, default=300, metavar="N", help="idle ones (300)")
    parser.add_argument("--messages", type=int, default=5000, metavar="N", help="messages of QoS 0 (5000)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="the median of so many counts (5)")
    parser.add_argument(
        "--micropython",
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="measure on this MicroPython unix binary too (default: $MICROPYTHON, else none)",
    )


async def measure(args: argparse.Namespace, tell: Console) -> dict[str, Any]:
    client_class = umqtt.client_class()
    with tempfile.TemporaryDirectory() as folder:
        async with broker.start(Path(folder)) as endpoint:
            tell.print(f"Broker: {endpoint.name}. QoS 1 over a slow link ...")
            ours_s, theirs_s = await measures.acknowledged(
                endpoint, client_class, args.acknowledged, args.delay / 1000
            )
            tell.print("QoS 0 as fast as possible ...")
            rates = [
                await measures.unacknowledged(endpoint, client_class, args.messages) for _ in range(args.runs)
            ]
            tell.print("How long the loop is held ...")
            held = [await measures.held(endpoint, args.messages) for _ in range(args.runs)]
            micropython = None
            if args.micropython:
                tell.print(f"The same on {args.micropython} ...")
                micropython = await measures.on_micropython(
                    args.micropython,
                    endpoint,
                    umqtt.source().parent,
                    (args.acknowledged, args.messages),
                    args.delay / 1000,
                )
    tell.print("What connections and messages cost a broker ...")
    with tempfile.TemporaryDirectory() as folder:
        brokers = await load.measure(Path(folder), args.connections, args.messages, args.runs)
    tell.print("A phone sets a device up ...")
    phone = await ble.measure(args.runs, args.micropython)
    tell.print("A desired value is reported ...")
    reported = await shadow.measure(args.runs, args.micropython)
    interpreters = {"CPython": None} | ({"MicroPython": args.micropython} if args.micropython else {})
    tell.print("A job is done ...")
    done = {name: await job.measure(args.runs, binary) for name, binary in interpreters.items()}
    tell.print("Messages beside shadow, jobs, commands and reports ...")
    beside = {
        name: await services.measure(args.messages // 5, _ROUNDS * args.runs, binary)
        for name, binary in interpreters.items()
    }
    tell.print("P-256 ...")
    curve = await asyncio.to_thread(p256.measure, args.runs, args.micropython)
    tell.print("A delta of an image ...")
    patch = await asyncio.to_thread(delta.measure)
    tell.print("Updates are installed ...")
    installed = await update.measure(args.runs)
    heap = await asyncio.to_thread(update_heap.measure)
    ours, theirs = (statistics.median(rate) for rate in zip(*rates, strict=True))
    return {
        "broker": endpoint.name,
        "acknowledged": {"messages": args.acknowledged, "delay_ms": args.delay, "ours_s": ours_s,
                         "umqtt_s": theirs_s, "ratio": theirs_s / ours_s},
        "unacknowledged": {"messages": args.messages, "runs": args.runs, "ours_per_s": ours,
                           "umqtt_per_s": theirs, "ratio": ours / theirs},
        "held_ms": {
            phase: statistics.median(1000 * run[phase] for run in held) for phase in held[0]
        },
        "micropython": micropython,
        "brokers": brokers,
        "ble": phone,
        "shadow": reported,
        "job": done,
        "services": beside,
        "p256": curve,
        "delta": patch,
        "update": installed,
        "update_heap": heap,
    }  # fmt: skip


def table(figures: dict[str, Any]) -> Table:
    slow, fast = figures["acknowledged"], figures["unacknowledged"]
    shown = Table(title=f"The device's MQTT client on {figures['broker']}, mutual TLS", title_justify="left")
    for name in ("", "this client", f"umqtt.simple {umqtt.VERSION}", "ratio"):
        shown.add_column(name, justify="right" if name else "left")
    shown.add_row(
        f"{slow['messages']} QoS 1 messages, {slow['delay_ms']:g} ms each way",
        f"{slow['ours_s']:.2f} s", f"{slow['umqtt_s']:.2f} s", f"{slow['ratio']:.1f}",
    )  # fmt: skip
    shown.add_row(
        f"QoS 0 messages a second, median of {fast['runs']}",
        f"{fast['ours_per_s']:,.0f}", f"{fast['umqtt_per_s']:,.0f}", f"{fast['ratio']:.1f}",
    )  # fmt: skip
    for phase, milliseconds in figures["held_ms"].items():
        shown.add_row(f"longest hold of the loop: {phase}", f"{milliseconds:.2f} ms")
    one = figures["shadow"]
    shown.add_row(
        "a simulated device: from a desired value to its report",
        f"{one['report_s'] * 1000:.0f} ms, at most {one['longest_s'] * 1000:.0f} ms",
    )
    if figures["micropython"]:
        chip = figures["micropython"]
        shown.add_row(
            "MicroPython: the QoS 1 messages",
            f"{chip['ours_s']:.2f} s", f"{chip['umqtt_s']:.2f} s", f"{chip['umqtt_s'] / chip['ours_s']:.1f}",
        )  # fmt: skip
        ratio = chip["ours_per_s"] / chip["umqtt_per_s"]
        shown.add_row(
            "MicroPython: QoS 0 messages a second",
            f"{chip['ours_per_s']:,.0f}", f"{chip['umqtt_per_s']:,.0f}", f"{ratio:.1f}",
        )  # fmt: skip
        # modselect.c; the ESP32's build polls without that wait.
        shown.caption = "MicroPython's unix port waits 1 ms at each task switch while a TLS stream is open."
    return shown


def table_of_brokers(figures: dict[str, Any]) -> Table:
    shown = Table(title="What clients cost a broker's process, mutual TLS", title_justify="left")
    cloud, other = figures["brokers"]["cloud"], figures["brokers"].get("mosquitto")
    for name in ("", "the local cloud", *(("mosquitto", "ratio") if other else ())):
        shown.add_column(name, justify="right" if name else "left")
    for kind, text, unit in (
        ("connection_kib", "memory, an idle connection", "KiB"),
        ("qos_0_us", "processor time, a message of QoS 0 to one subscriber", "µs"),
        ("qos_1_us", "the same of QoS 1", "µs"),
    ):
        beside: tuple[str, ...] = ()
        if other:  # with few messages it may take less time than the system counts
            ratio = f"{cloud[kind] / other[kind]:.1f}" if other[kind] else "-"
            beside = (f"{other[kind]:.0f} {unit}", ratio)
        shown.add_row(text, f"{cloud[kind]:.0f} {unit}", *beside)
    return shown


def table_of_ble(figures: dict[str, Any]) -> Table:
    shown = Table(title="A phone sets a device up, from connect to CONFIG_DONE", title_justify="left")
    for name in ("MTU", "document", "frames sent", "received", "here", "bare writes of as much", "ratio"):
        shown.add_column(name, justify="right")
    for mtu, run in figures["ble"].items():
        shown.add_row(
            str(mtu),
            f"{run['bytes']} bytes",
            f"{run['sent']:g}",
            f"{run['received']:g}",
            f"{run['ours_s']:.2f} s",
            f"{run['bare_s']:.2f} s",
            f"{run['ratio']:.2f}",
        )
    return shown


def table_of_services(figures: dict[str, Any]) -> Table:
    shown = Table(title="A simulated device with shadow, jobs, commands and reports", title_justify="left")
    for name in ("", "on", "off", "ratio"):
        shown.add_column(name, justify="right" if name else "left")
    for interpreter, one in figures["job"].items():
        longest = f"at most {one['longest_s'] * 1000:.0f} ms"
        text = f"{interpreter}: from a job to SUCCEEDED, {longest}"
        shown.add_row(text, f"{one['succeeded_s'] * 1000:.0f} ms")
    for interpreter, one in figures["services"].items():
        for qos in (0, 1):
            on, off, ratio = (one[f"qos_{qos}_{kind}"] for kind in ("on", "off", "ratio"))
            text = f"{interpreter}: QoS {qos} messages a second"
            shown.add_row(text, f"{on:,.0f}", f"{off:,.0f}", f"{ratio:.2f}")
    return shown


def table_of_p256(figures: dict[str, Any]) -> Table:
    shown = Table(title="P-256: what it costs, beside `cryptography`", title_justify="left")
    for name in ("", "2·P", "P + Q", "a·b", "1 / a", "here", "cryptography", "ratio"):
        shown.add_column(name, justify="right" if name else "left")
    for name, cost in figures["p256"].items():
        shown.add_row(
            name,
            *(str(cost[kind]) for kind in ("doublings", "additions", "multiplications", "inversions")),
            f"{1000 * cost['ours_s']:.2f} ms",
            f"{1000 * cost['cryptography_s']:.3f} ms",
            f"{cost['ratio']:.0f}",
        )
    if there := figures["p256"]["csr"].get("micropython_s"):
        shown.caption = f"MicroPython: a key and its request (csr) in {1000 * there:.0f} ms."
    return shown


def table_of_updates(figures: dict[str, Any]) -> Table:
    shown = Table(title="An update of the image", title_justify="left")
    for name in ("", "the whole", "delta", "ratio"):
        shown.add_column(name, justify="right" if name else "left")
    if one := figures["delta"]:
        shown.add_row(
            f"bytes, one line longer and {one['addresses']:,} addresses moved, by {one['packing']}",
            f"{one['whole']:,}",
            f"{one['delta']:,}",
            f"{one['ratio']:.0f}",
        )
    else:
        shown.caption = "Not measured: Python's package detools is missing."
    return shown


def table_of_installs(figures: dict[str, Any]) -> Table:
    one = figures["update"]
    shown = Table(title="An update on a simulated device, from the GET to its trial", title_justify="left")
    for name in ("", "installed", "read and written", "ratio", "bound"):
        shown.add_column(name, justify="right" if name else "left")
    links = (
        ("link", f"{one['rate']:,} bytes a second", f"at most {update.MOST_RATIO}"),
        ("fast", "as fast as this machine can", ""),
    )
    for link, text, bound in links:
        for kind, took in one[link].items():
            beside = (f"{took['plain_s']:.2f} s", f"{took['ratio']:.2f}", bound) if "ratio" in took else ()
            shown.add_row(
                f"{kind} of {one['bytes'][kind]:,} bytes, {text}", f"{took['install_s']:.2f} s", *beside
            )
    for kind, bound in (("app", ""), (update.DELTA, f"at least {update.LEAST_TIMES}")):
        if f"image_over_{kind}" in one:
            text = f"the image's time over the {kind}'s, {one['rate']:,} bytes a second"
            shown.add_row(text, "", "", f"{one[f'image_over_{kind}']:.1f}", bound)
    for kind, heap in (figures["update_heap"] or {}).items():
        for phase, bound in (
            ("judging", ""),
            ("installing", f"at most {update_heap.MOST_BYTES / KIB:g} KiB"),
            ("finishing", ""),
        ):
            text = f"heap in MicroPython, code and all, {phase} the {kind}"
            shown.add_row(text, f"{heap[phase] / KIB:.1f} KiB", "", "", bound)
    if not figures["update_heap"]:
        shown.caption = "Heap not measured: the MicroPython VM is missing."
    return shown


def main(args: argparse.Namespace) -> int:
    tell = Console(stderr=True, quiet=args.json and not sys.stderr.isatty())
    try:
        figures = asyncio.run(measure(args, tell))
    except (umqtt.FetchError, measures.BenchError, MQTTError, RuntimeError, OSError) as error:
        tell_failure(f"bench: {error}", args.json, text=str(error), remedy="Mend it, and run this again.")
        return 1
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        Console().print(
            table(figures),
            table_of_services(figures),
            table_of_brokers(figures),
            table_of_ble(figures),
            table_of_p256(figures),
            table_of_updates(figures),
            table_of_installs(figures),
        )
    return 0
