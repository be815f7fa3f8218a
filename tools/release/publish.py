"""`release publish`: puts a release where devices get it, and makes the job that tells them."""

import argparse
import base64
import hashlib
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.board.errors import BoardError, wrong_arguments
from tools.cloud.actions import STATE
from tools.thing.account import Account
from tools.thing.arguments import add_cloud
from tools.thing.failures import code, explained, is_missing
from tools.thing.jobs import new_id
from tools.thing.output import Cell, Output

from . import arguments, delta, folder, job, roots, stream
from .folder import Release
from .judging import faults, standings
from .manifest import Manifest

HELP = "put a signed release where devices get it, and tell them by a job"
EXAMPLES = """examples:
  python3 -m tools release publish build/release/esp32-iot-1.4.0 --thing lamp
  python3 -m tools release publish build/release/esp32-iot-1.4.0 --group field --rollout-per-minute 50 \\
      --abort-at 10 --abort-min 20 --retries 2 --timeout-min 60
  python3 -m tools release publish build/release/esp32-iot-1.4.0 --group field --aws --region eu-central-1 \\
      --bucket my-releases --role arn:aws:iam::123456789012:role/releases
  python3 -m tools release publish build/release/esp32-iot-1.4.0 --group behind-firewalls --over mqtt
  python3 -m tools release publish build/release/esp32-iot-1.4.1 --group field --delta-from 1.4.0
  python3 -m tools release publish build/release/esp32-iot-root-2 --group field
  python3 -m tools release watch JOB

A release that no device would take is not published: expired, not whole, or without the signatures that the
root asks for. On AWS the bucket is yours, and the role is one that AWS IoT may assume, and that may read
the bucket (s3:GetObject): with it AWS IoT makes the URLs. The local cloud makes its bucket by itself.

--over mqtt is for networks that let nothing but MQTT through: a stream of AWS IoT sends the file in blocks.
"""
DOCUMENT_BYTES = 32 * 1024  # AWS IoT's quota for a job's document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a release's, or that of a root")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--thing", metavar="NAME", help="for one device")
    target.add_argument("--group", metavar="NAME", help="for all that are in this thing group now")
    parser.add_argument(
        "--bucket", metavar="B", help=f"S3's; of the local cloud by default {job.LOCAL_BUCKET}"
    )
    parser.add_argument(
        "--role", metavar="ARN", help="with which AWS IoT reads the bucket; needed with --aws"
    )
    parser.add_argument(
        "--over",
        choices=("https", "mqtt"),
        default="https",
        help="how a device gets the file: from S3, or over the connection that it has; default: https",
    )
    parser.add_argument(
        "--delta-from",
        metavar="BASE",
        help="what devices run by now, a version, a folder or a file: they get the delta from that",
    )
    parser.add_argument(
        "--rollout-per-minute",
        metavar="N",
        type=arguments.number(1, 1000),
        help="tell so many devices a minute; default: all at once, or as fast as AWS IoT does",
    )
    parser.add_argument(
        "--abort-at",
        metavar="PERCENT",
        type=arguments.number(1, 100),
        help="cancel the job once so many of its devices fail, reject it or take too long",
    )
    parser.add_argument(
        "--abort-min",
        metavar="N",
        type=arguments.number(1, 1_000_000),
        help="but not before so many are done",
    )
    parser.add_argument(
        "--retries",
        metavar="N",
        type=arguments.number(1, 10),
        help="tell a device that failed or took too long so often again",
    )
    parser.add_argument(
        "--timeout-min",
        metavar="N",
        type=arguments.number(1, 10080),
        help="a device that has begun may take so long",
    )
    arguments.add_root(parser)
    add_cloud(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if wrong := _wrong(args):
        return wrong_arguments("release publish", wrong, args.json)
    value, rows = publish(args)
    rows += [("next", f"python3 -m tools release watch {value['jobId']}{_same_cloud(args)}")]
    Output(args.json).result(value, rows)
    return 0


def publish(args: argparse.Namespace) -> tuple[dict[str, Any], list[tuple[Cell, ...]]]:
    """What is told of the job that was made. Raises BoardError."""
    release = folder.load(args.folder)
    _check(release, args)
    account = Account.chosen(args)
    with explained(account.where):
        target = _target(account, args)
    patch = _patch(account, release, args) if args.delta_from else None
    place = None
    if isinstance(release.signed, Manifest):
        place = _upload(account, release, args, release.content(), release.content_path.suffix)
    document = _document(release, *_source(account, release, place, args), patch)
    signed = release.signed
    job_id = new_id(f"update-{signed.version}" if place else f"root-{signed.version}")
    settings = _settings(args)
    if place and args.over == "https":
        settings["presignedUrlConfig"] = job.presigned(args.role or job.LOCAL_ROLE)
    with explained(account.where):
        account.iot.create_job(jobId=job_id, targets=[target], document=document, **settings)
    value: dict[str, Any] = {
        "jobId": job_id,
        "product": signed.product,
        "version": signed.version,
        "target": target,
        "document": len(document),
    }
    rows: list[tuple[Cell, ...]] = [("job", job_id), ("target", target)]
    rows += [("document", f"{len(document):,} bytes")]
    if place:
        value |= {"bucket": place[0], "key": place[1], "over": args.over}
        rows += [("file", f"{place[0]}/{place[1]}, {release.manifest.size:,} bytes")]
    if patch:
        value["delta"] = {"base": patch["base"], "size": patch["size"]}
        rows += [("delta", f"{patch['size']:,} bytes, from {patch['base']}")]
    return value, rows


def _wrong(args: argparse.Namespace) -> str:
    """What argparse cannot know of; "" where nothing is wrong."""
    if (args.abort_at is None) != (args.abort_min is None):
        return "--abort-at and --abort-min go together"
    if (args.profile or args.region) and not args.aws:
        return "--profile and --region go with --aws"
    if args.aws and not (args.bucket and args.role):
        return "--aws needs --bucket and --role"
    return ""


def _check(release: Release, args: argparse.Namespace) -> None:
    """Raises BoardError for what no device takes."""
    if isinstance(release.signed, Manifest) and (reasons := faults(release)):
        raise BoardError(f"{release.folder}: {'; '.join(reasons)}", "Build it anew.")
    for one in standings(release, roots.load(args.root or arguments.root_path())):
        if not one.is_complete:
            raise BoardError(
                f"{release.folder}: by root {one.root.version} {one}",
                f"Have it signed: python3 -m tools release sign {release.folder} --key FILE",
            )


def _target(account: Account, args: argparse.Namespace) -> str:
    """The ARN of the thing or the group. Raises BoardError."""
    if args.thing:
        return str(account.thing(args.thing)["thingArn"])
    try:
        return str(account.iot.describe_thing_group(thingGroupName=args.group)["thingGroupArn"])
    except ClientError as error:
        if not is_missing(error):
            raise
        remedy = f"Make it: aws iot create-thing-group --thing-group-name {args.group}."
        raise BoardError(f"{account.where}: no group is called {args.group!r}", remedy) from None


def _patch(account: Account, release: Release, args: argparse.Namespace) -> dict[str, Any]:
    """Put the delta there; what the job says of it. Raises BoardError."""
    manifest, place = release.manifest, Path(args.delta_from)
    if not place.exists():
        place = release.folder.parent / folder.name(manifest.product, args.delta_from, manifest.kind)
    base = delta.base(place, manifest.kind)
    path = release.folder / delta.name(base)
    if not path.exists():
        raise BoardError(f"{path}: there is none", f"Build it: … release build … --base {place}.")
    patch = folder.read_file(path)
    delta.check(base, patch, delta.image(release.content(), manifest.blocks))
    url = job.url(*_upload(account, release, args, patch, path.suffix))
    return {"base": hashlib.sha256(base).hexdigest(), "size": len(patch), "url": url}


def _upload(
    account: Account, release: Release, args: argparse.Namespace, content: bytes, suffix: str
) -> tuple[str, str, str]:
    """Put a file there, unless it is; returns bucket, key and the bucket's region.

    A key has the file's hash in it: what a job has told of is never another one's.
    """
    bucket = args.bucket or job.LOCAL_BUCKET
    key = f"{release.manifest.product}/{hashlib.sha256(content).hexdigest()}{suffix}"
    with explained(account.where, "s3"):
        if not args.aws:
            account.s3.create_bucket(Bucket=bucket)
        region = _region(account, bucket)
        if not _is_there(account, bucket, key, len(content)):
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            account.s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                ContentType="application/octet-stream",
                ChecksumSHA256=digest,
            )
    return bucket, key, region


def _region(account: Account, bucket: str) -> str:
    """Where the bucket is. Raises BoardError."""
    try:
        return str(account.s3.head_bucket(Bucket=bucket).get("BucketRegion") or account.region)
    except ClientError as error:
        if code(error) not in ("403", "404"):
            raise
        told = "is not there" if code(error) == "404" else "is not yours, or you may not list it"
        raise BoardError(f"bucket {bucket} {told}", f"Make it: aws s3 mb s3://{bucket}.") from None


def _is_there(account: Account, bucket: str, key: str, size: int) -> bool:
    try:
        return bool(account.s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == size)
    except ClientError as error:
        if code(error) not in ("403", "404"):  # 403: who may not list a bucket is not told what is in it
            raise
        return False


def _source(
    account: Account, release: Release, place: tuple[str, str, str] | None, args: argparse.Namespace
) -> tuple[str, str]:
    """Where a device gets the file: a URL, or a stream, made where it is not there; a root has neither."""
    if place is None:
        return "", ""
    if args.over == "https":
        return job.url(*place), ""
    role = args.role or job.LOCAL_ROLE
    return "", stream.ensure(account, *place[:2], release.manifest.sha256, role)


def _document(release: Release, url: str, stream_id: str, patch: dict[str, Any] | None) -> str:
    """The job's. Raises BoardError."""
    document = job.document(release.text, release.signatures, url, stream_id, patch)
    if len(document) > DOCUMENT_BYTES:
        raise BoardError(
            f"the job's document: {len(document):,} bytes, AWS IoT takes {DOCUMENT_BYTES:,}",
            "Take a shorter name for the bucket, or fewer signatures.",
        )
    return document


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """How the job goes about it, as CreateJob takes it."""
    found: dict[str, Any] = {}
    if args.rollout_per_minute:
        found["jobExecutionsRolloutConfig"] = {"maximumPerMinute": args.rollout_per_minute}
    if args.abort_at:
        abort = {
            "failureType": "ALL",
            "action": "CANCEL",
            "thresholdPercentage": args.abort_at,
            "minNumberOfExecutedThings": args.abort_min,
        }
        found["abortConfig"] = {"criteriaList": [abort]}
    if args.retries:
        retry = {"failureType": "ALL", "numberOfRetries": args.retries}
        found["jobExecutionsRetryConfig"] = {"criteriaList": [retry]}
    if args.timeout_min:
        found["timeoutConfig"] = {"inProgressTimeoutInMinutes": args.timeout_min}
    return found


def _same_cloud(args: argparse.Namespace) -> str:
    """The options that name the cloud, for another command."""
    if not args.aws:
        return "" if args.state == STATE else f" --state {args.state}"
    found = [("--profile", args.profile), ("--region", args.region)]
    return " --aws" + "".join(f" {option} {value}" for option, value in found if value)
