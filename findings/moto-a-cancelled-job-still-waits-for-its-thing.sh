#!/usr/bin/env bash
# Guess:    CancelJob takes back what no device has begun: its executions are CANCELED, and a device that asks
#           gets nothing (AWS: "CancelJob", "Jobs and job execution states").
# Reality:  the job is CANCELED and its executions stay QUEUED, for ever; the thing's list has it as well. A job for
#           a thing that does not exist is made, too, where AWS answers ResourceNotFoundException.
# Version:  moto 5.2.5, boto3 1.44.8 (PyPI)
# Source:   moto/iot/models.py, cancel_job: sets the job's status alone; create_job: targets are not looked up
# Whom:     who tests the cloud's side of updates with moto: a roll-back that forgets to cancel an execution, and
#           one that does not, look alike; a typing error in a thing's name is a job that nobody ever does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check 'moto[iot]==5.2.5' boto3==1.44.8
cat >look.py <<'PY'
import boto3
from moto import mock_aws


@mock_aws
def look():
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    iot = boto3.client("iot", **keys)
    arn = iot.create_thing(thingName="lamp")["thingArn"]
    iot.create_job(jobId="update-7", targets=[arn], document='{"action": "update"}')
    iot.cancel_job(jobId="update-7", comment="taken back")
    print("the job:", iot.describe_job(jobId="update-7")["job"]["status"])
    execution = iot.describe_job_execution(jobId="update-7", thingName="lamp")["execution"]
    print("its execution:", execution["status"])
    listed = iot.list_job_executions_for_thing(thingName="lamp", status="QUEUED")["executionSummaries"]
    print("what waits for the thing:", [one["jobId"] for one in listed])
    iot.create_job(jobId="update-8", targets=[arn.replace("lamp", "lmap")], document="{}")
    print("a job for a thing that is not there:", iot.describe_job(jobId="update-8")["job"]["status"])


look()
PY
venv/bin/python look.py | tee seen
diff seen - <<'END'
the job: CANCELED
its execution: QUEUED
what waits for the thing: ['update-7']
a job for a thing that is not there: QUEUED
END
