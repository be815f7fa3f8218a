"""The pre-provisioning hook, a Lambda function: AWS IoT asks it at each RegisterThing whether to go on.

A table has the serial numbers of devices that were made. A claim registers each of them once: again within
an hour, as a device does whose answer got lost, or after `tools aws serials release`. A thing that asks over
its own connection for its next certificate may do so at any time.
"""

import json
import os
import time
from typing import Any

import botocore.session

AGAIN_S = 3600
UNKNOWN = "is not on the list of serial numbers"
_clients: dict[str, Any] = {}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Allow it or not; the log has a line on each, and of a refusal the reason."""
    serial = str((event.get("parameters") or {}).get("SerialNumber", ""))
    client = str(event.get("clientId", ""))
    reason = refusal(table(), serial, client, int(time.time()))
    line = {"allowed": not reason, "serial": serial[:128], "client": client[:128]}
    line["claim"] = str(event.get("claimCertificateId", ""))[:12]
    print(json.dumps(line | ({"reason": reason} if reason else {})))
    return {"allowProvisioning": not reason}


def table() -> Any:
    """DynamoDB's client, made once for the life of this process."""
    if "dynamodb" not in _clients:
        _clients["dynamodb"] = botocore.session.get_session().create_client("dynamodb")
    return _clients["dynamodb"]


def refusal(dynamodb: Any, serial: str, client: str, now_s: int) -> str:
    """Why a device is not registered; "" where it may be."""
    if not serial:
        return "no serial number"
    if client not in (serial, f"claim-{serial}"):
        return f"the client id is neither {serial} nor claim-{serial}"
    where = {"TableName": os.environ["SERIALS"], "Key": {"serial": {"S": serial}}}
    if client == serial:  # the thing itself, by the certificate that it has
        found = dynamodb.get_item(**where, ConsistentRead=True).get("Item")
        return "" if found else UNKNOWN
    try:
        dynamodb.update_item(
            **where,
            UpdateExpression="SET claimed_at = if_not_exists(claimed_at, :now)",
            ConditionExpression="attribute_exists(serial) AND "
            "(attribute_not_exists(claimed_at) OR claimed_at > :since)",
            ExpressionAttributeValues={":now": {"N": str(now_s)}, ":since": {"N": str(now_s - AGAIN_S)}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        found = dynamodb.get_item(**where, ConsistentRead=True).get("Item")
        if not found:
            return UNKNOWN
        return f"was registered at {found['claimed_at']['N']}; to allow it again: tools aws serials release"
    return ""
