"""What `python3 -m tools cloud` takes."""

import argparse
import ipaddress
from pathlib import Path

from tools.board import document

from .actions import STATE, add_actions
from .ca import CHAINS
from .certificates import alternative_names
from .endpoint import MQTT_PORT
from .hook import Hook, program
from .limits import Limits
from .misbehaviour import HELP, Misbehaviour
from .rules import Rules

DESCRIPTION = """Runs a local AWS IoT Core: MQTT over mutual TLS, policies, fleet provisioning. With client,
watch or send it does something with the one that runs: cloud watch --help"""
EXAMPLES = """\
examples:
  python3 -m tools cloud
      for simulated devices on this machine
  python3 -m tools cloud --host 192.168.1.20 --host mypc.local
      also for boards on the same network, which reach it by that address or that name
  python3 -m tools cloud --host 192.168.1.20 --wifi "Home:correct horse" --write-config board.json
      the same; a board joins it with: python3 -m tools configure PORT board.json
  python3 -m tools cloud --host 192.168.1.20 --write-product product.json
      boards that a phone sets up join it: python3 -m tools phone --product product.json
  python3 -m tools cloud --server-chain rsa --state state/cloud-rsa
      asks as much memory and time of a device as AWS
  aws --endpoint-url http://localhost:8884 iot list-things
      its control plane; the CLI and boto3 want a region and credentials, any will do
  aws --endpoint-url http://127.0.0.1:8884 s3 cp firmware.pack s3://releases/
      a file for devices; made before: aws … s3 mb s3://releases
  python3 -m tools cloud --messages
      its log has each message that a client publishes
  python3 -m tools cloud --https-port 8443
      takes messages by HTTPS, too: POST https://localhost:8443/topics/TOPIC?qos=1
  python3 -m tools cloud --misbehave never=3@shadows --misbehave late=5@jobs
      a device has no answer from its shadow three times, and each of its jobs' five seconds later
  python3 -m tools cloud --misbehave reset=70000 --misbehave wrong-name=1
      each file ends in a reset after 70,000 bytes, and the first who comes for one sees a stranger
  python3 -m tools cloud client laptop
      a certificate for any MQTT program, and the mosquitto_sub line that uses it
  python3 -m tools cloud watch 'telemetry/#'
      the messages of the cloud that runs
  python3 -m tools cloud send cmd/esp32-240ac4000001 '{"led": true}'
      a message to one device
"""
EPILOG = f"""\
{EXAMPLES}
{HELP}
The state directory keeps certificates, things, sessions and retained messages; delete it to start anew.
exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot start, 2 for wrong arguments
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="default: 127.0.0.1, or with --host all interfaces, 0.0.0.0"
    )
    parser.add_argument(
        "--port", type=_port, default=MQTT_PORT, help="0 takes any free one; default: %(default)s"
    )
    parser.add_argument(
        "--rest-port",
        metavar="PORT",
        type=_port,
        help="for boto3 and the aws CLI (endpoint_url, by plain http); default: 8884, or any free one beside "
        "another --port than 8883; endpoint.json in the state has it",
    )
    parser.add_argument(
        "--rest-listen",
        metavar="ADDRESS",
        type=_address,
        default="127.0.0.1",
        help="for the control plane, which checks no signatures: whoever reaches it may do anything; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--host",
        metavar="NAME_OR_ADDRESS",
        action="extend",
        nargs="+",
        type=_host,
        default=[],
        help="what devices call this machine, beside localhost and 127.0.0.1",
    )
    parser.add_argument(
        "--server-chain",
        choices=CHAINS,
        default="p256",
        help="p256: a certificate that the root signed; rsa: a chain of three and RSA keys, as AWS; "
        "the state directory stays with its first (default: %(default)s)",
    )
    parser.add_argument(
        "--write-config",
        metavar="FILE",
        type=Path,
        help="write a configuration for boards, its certificates beside it; they use the first --host",
    )
    parser.add_argument(
        "--write-product",
        metavar="FILE",
        type=Path,
        help="write a product file: the same without networks, in one file for the phone's page",
    )
    parser.add_argument(
        "--wifi",
        metavar="SSID:PASSWORD",
        action="append",
        type=document.network,
        help="a network for FILE; without a password behind the colon an open one; may be repeated",
    )
    parser.add_argument(
        "--hook",
        metavar="MODULE:FUNCTION",
        type=_hook,
        help="decides which devices may be provisioned, as AWS's pre-provisioning hook: a function of the "
        "form of a Lambda's handler, or a command that reads JSON and answers by JSON",
    )
    parser.add_argument(
        "--rule",
        metavar="NAME=TOPIC",
        action="append",
        type=_rule,
        default=[],
        help="a rule for Basic Ingest: what is published to $aws/rules/NAME/REST goes out on TOPIC, in which "
        "${topic()} stands for REST and ${topic(N)} for its level N; may be repeated",
    )
    parser.add_argument(
        "--messages", action="store_true", help="log each message that a client publishes, too"
    )
    parser.add_argument(
        "--https-port",
        metavar="PORT",
        type=_port,
        help="take messages by HTTPS on this port, too, as AWS does on 8443; 0 takes any free one",
    )
    parser.add_argument(
        "--files-port",
        metavar="PORT",
        type=_port,
        help="for devices to fetch files by HTTPS, with the URLs that jobs bring them; default: 8885, or any "
        "free one beside another --port than 8883",
    )
    parser.add_argument(
        "--misbehave",
        metavar="KIND[=ARG][@WHERE]",
        action="append",
        type=_misbehaviour,
        default=[],
        help="let services and broker misbehave, see below; may be repeated, the first that fits counts",
    )
    parser.add_argument(
        "--unthrottled",
        action="store_true",
        help="let a client publish as fast as it can; AWS discards what is over 100 publishes a second",
    )
    parser.add_argument(
        "--page-port",
        metavar="PORT",
        type=_port,
        help="for the live page (docs/dashboard.md), on this computer alone; default: 8009, or any free one",
    )
    parser.add_argument("--no-page", action="store_true", help="serve no live page")
    parser.add_argument("--state", metavar="DIR", type=Path, default=STATE, help="default: %(default)s")
    add_actions(parser)


def _host(text: str) -> str:
    try:
        alternative_names((text,))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _hook(text: str) -> Hook:
    try:
        return program(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _rule(text: str) -> tuple[str, str]:
    name, _, topic = text.partition("=")
    try:
        Rules({name: topic}, Limits(), lambda event: None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name, topic


def _misbehaviour(text: str) -> Misbehaviour:
    try:
        return Misbehaviour.of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port
