"""boto3's clients for a cloud that runs; what they sign with is nobody's."""

import os
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.patience import PATIENCE_S

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def client(service: str, url: str, validated: bool = True, **settings: Any) -> Any:
    """A client of `iot`, `iot-data` or `iot-jobs-data`.

    Args:
        service: by boto3's name.
        url: the cloud's control plane.
        validated: False: what botocore would not send, it sends.
        settings: more of botocore's Config.
    """
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            retries={"max_attempts": 0}, read_timeout=PATIENCE_S, parameter_validation=validated, **settings
        ),
    )


def environment(home: Path) -> dict[str, str]:
    """For the aws CLI, which then finds nothing of whoever runs the tests."""
    nothing = {"AWS_CONFIG_FILE": str(home / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "none")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | CREDENTIALS | nothing | {"HOME": str(home), "AWS_PAGER": ""}
