#!/usr/bin/env bash
# Guess:    {"state": {"desired": null}} takes the whole section away (AWS: "Device Shadow service documents":
#           setting it to null deletes it), and a state of over 8 KB is refused with 413.
# Reality:  null for a key works, null for the section changes nothing but the version: what was desired stays, and
#           the delta with it. Nine kilobytes are taken.
# Version:  moto 5.2.5, boto3 1.44.8 (PyPI)
# Source:   moto/iotdata/models.py, FakeShadow.create_from_previous_version: merges by keys below a section alone
# Whom:     who tests with moto that a device's orders are cleared, after a factory reset for instance: the test
#           fails where AWS would pass; and one that grows a shadow passes where AWS would refuse it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check 'moto[iot,iotdata]==5.2.5' boto3==1.44.8
cat >look.py <<'PY'
import json

import boto3
from moto import mock_aws


@mock_aws
def look():
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    boto3.client("iot", **keys).create_thing(thingName="lamp")
    data = boto3.client("iot-data", endpoint_url="https://data.iot.us-east-1.amazonaws.com", **keys)

    def update(state):
        data.update_thing_shadow(thingName="lamp", payload=json.dumps({"state": state}).encode())
        shadow = json.loads(data.get_thing_shadow(thingName="lamp")["payload"].read())
        return shadow["version"], shadow["state"]

    print("first:", update({"desired": {"led": True, "level": 3}, "reported": {"led": False, "level": 3}}))
    print("a key:", update({"desired": {"level": None}}))
    print("the section:", update({"desired": None}))
    version, state = update({"desired": {"text": "x" * 9000}})
    print("nine kilobytes:", version, len(state["desired"]["text"]))


look()
PY
venv/bin/python look.py | tee seen
diff seen - <<'END'
first: (1, {'desired': {'led': True, 'level': 3}, 'reported': {'led': False, 'level': 3}, 'delta': {'led': True}})
a key: (2, {'desired': {'led': True}, 'reported': {'led': False, 'level': 3}, 'delta': {'led': True}})
the section: (3, {'desired': {'led': True}, 'reported': {'led': False, 'level': 3}, 'delta': {'led': True}})
nine kilobytes: 4 9000
END
