"""A stream of AWS IoT, by which a device gets a release's file over its MQTT connection."""

from botocore.exceptions import ClientError

from tools.thing.account import Account
from tools.thing.failures import code, explained

from .job import STREAM_FILE


def ensure(account: Account, bucket: str, key: str, sha256: str, role: str) -> str:
    """The id of the stream that has this file alone, called by the file's hash. Raises BoardError.

    One that is there is told again: it counts on the object's ETag, which another upload may have changed.
    """
    stream_id = f"release-{sha256[:40]}"
    made = {
        "streamId": stream_id,
        "files": [{"fileId": STREAM_FILE, "s3Location": {"bucket": bucket, "key": key}}],
        "roleArn": role,
    }
    with explained(account.where):
        try:
            account.iot.create_stream(**made)
        except ClientError as error:
            if code(error) != "ResourceAlreadyExistsException":
                raise
            account.iot.update_stream(**made)
    return stream_id
