"""`AWS_PROFILE=… make test-aws`: an account's life (tests/second/life.py) on AWS itself, and its end."""

import asyncio
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tests.second.life import Life, call
from tests.system.house import WIFI, Site
from tools.board.consent import ask, check_somebody
from tools.board.errors import BoardError
from tools.sim import World

NEEDS = """make test-aws needs a profile of yours, with a region: AWS_PROFILE=name make test-aws
aws configure --profile name makes one. Its user may do what docs/aws.md lists."""
WILL = """Account {account}, region {region}. This will make, all of it called {name}:
  a stack with a thing type, two policies of AWS IoT, a provisioning template and its hook (Lambda),
  five IAM roles, a bucket, a table (DynamoDB), two log groups and a rule; a claim until tomorrow;
  a thing that a simulated device registers, and a second device that is refused.
  Fleet indexing is switched on meanwhile, where it is off.
It costs less than 0.01 USD, takes some ten minutes, most of them the removal, and removes all of it
after, also where something fails."""


def main() -> int:
    """Run it; the exit status."""
    if not os.environ.get("AWS_PROFILE"):
        print(NEEDS, file=sys.stderr)
        return 2
    name = f"iot-test-{secrets.token_hex(3)}"
    try:
        session = boto3.Session()
        account = session.client("sts").get_caller_identity()["Account"]
        print(WILL.format(account=account, region=session.region_name, name=name), flush=True)
    except (BotoCoreError, ClientError) as error:
        print(f"{error}\n{NEEDS}", file=sys.stderr)
        return 1
    try:
        if os.environ.get("YES") != "1":
            check_somebody(f"{name} will be made")
            ask(f"{name} will be made.", False)
    except BoardError as error:
        print(f"{error.text}: it needs a y, or YES=1", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(run(Path(folder), name))
    except KeyboardInterrupt:  # what was made is removed by now
        return 130


async def run(folder: Path, name: str) -> int:
    """All stations, and in any case the removal; the exit status."""
    async with World({WIFI["ssid"]: WIFI["password"]}) as world:
        life = Life(Site(folder, None, world), name, [])  # type: ignore[arg-type]  # it has a product file
        try:
            print("making it", flush=True)
            await life.make()
            print("registering a device", flush=True)
            device = await life.register()
            print("refusing one", flush=True)
            print(await life.refuse())
            await life.stay(device)
        finally:
            for device in life.site.devices:
                await device.power_off()
            print("removing it", flush=True)
            clean(name)
    print("made, registered, refused, removed: nothing is left")
    return 0


def clean(name: str) -> None:
    """Remove whatever there is of it. Raises RuntimeError, which says how to go on by hand."""
    there = boto3.client("iot").get_paginator("list_things").paginate(thingTypeName=name)
    things = [one["thingName"] for page in there for one in page["things"]]
    failed: list[Any] = []
    if things:
        failed += [one for one in call("fleet", "retire", *things, "--yes", "--aws") if not one["ok"]]
    down = call("aws", "down", "--yes", "--name", name)[-1]
    if failed or not down["ok"]:
        raise RuntimeError(f"{failed or down}: by hand: python3 -m tools aws down --name {name}")


if __name__ == "__main__":
    sys.exit(main())
