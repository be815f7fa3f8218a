"""`python3 -m tools aws`: an account of ministack's from nothing to nothing, by what a user types."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import aws_account
from tests.patience import until
from tests.peers.boto import CREDENTIALS
from tests.second.aws import Aws
from tests.second.life import Life, call, serial
from tests.system.house import ALL, HOST, WIFI, Site
from tools.aws.functions import hook
from tools.aws.stacks import STACKS, Definition, Function
from tools.sim import World

ANOTHER = """
Parameters: {Name: {Type: String}, Bucket: {Type: String}, Code: {Type: String}}
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub ${Name}-camera
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: !Ref Bucket, S3Key: !Ref Code}
      LoggingConfig: {LogGroup: !Ref Log}
  Log:
    Type: AWS::Logs::LogGroup
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
Outputs: {Function: {Value: !Ref Function}}
"""


@pytest.fixture
async def life(another: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Life]:
    """As against AWS: what tells the tools where they are is the environment alone."""
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": another.url, "SIM_SPEED": "5"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr("tools.thing.account._AWS_POLL_S", 0.2)
    root = tmp_path / "root.pem"
    root.write_text(another.root_ca)
    options = ["--endpoint", HOST, "--port", str(another.port), "--root", str(root)]
    async with World({WIFI["ssid"]: WIFI["password"]}) as world:
        world.hosts[HOST] = ("127.0.0.1", another.port)
        site = Site(tmp_path, another, world, server_chain="rsa", first=200)
        try:
            yield Life(site, "shop", options, keys="service")  # this AWS has no create-from-csr
        finally:
            for device in site.devices:
                await device.power_off()


def everything(aws: Aws) -> dict[str, Any]:
    """All that an account has which a stack could leave behind."""
    iot, listed = aws.iot, {}
    certificates = iot.list_certificates(pageSize=250)[
        "certificates"
    ]  # what was refused is pending for an hour
    listed["certificates"] = [
        one["certificateId"] for one in certificates if one["status"] != "PENDING_ACTIVATION"
    ]
    listed["policies"] = [one["policyName"] for one in iot.list_policies(pageSize=250)["policies"]]
    listed["things"] = [one["thingName"] for one in iot.list_things(maxResults=250)["things"]]
    listed["types"] = [one["thingTypeName"] for one in iot.list_thing_types()["thingTypes"]]
    listed["templates"] = [one["templateName"] for one in iot.list_provisioning_templates()["templates"]]
    listed["rules"] = [one["ruleName"] for one in iot.list_topic_rules()["rules"]]
    listed["indexing"] = iot.get_indexing_configuration()["thingIndexingConfiguration"]["thingIndexingMode"]
    listed["buckets"] = [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]]
    listed["functions"] = [one["FunctionName"] for one in aws.client("lambda").list_functions()["Functions"]]
    iam = aws.client("iam")
    listed["roles"] = [one["RoleName"] for one in iam.list_roles()["Roles"]]
    listed["iam policies"] = [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]]
    listed["parameters"] = [one["Name"] for one in aws.client("ssm").describe_parameters()["Parameters"]]
    listed["logs"] = [one["logGroupName"] for one in aws.client("logs").describe_log_groups()["logGroups"]]
    listed["tables"] = aws.client("dynamodb").list_tables()["TableNames"]
    stacks = aws.client("cloudformation").list_stacks()["StackSummaries"]
    listed["stacks"] = [one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"]
    return {name: sorted(one) if isinstance(one, list) else one for name, one in listed.items()}


async def test_from_nothing_to_nothing(
    life: Life, another: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(another)
    outputs = await life.make()
    made = everything(another)
    assert made["indexing"] == "REGISTRY_AND_SHADOW" and before["indexing"] == "OFF"

    device = await life.register()
    thing = another.iot.describe_thing(thingName=serial(device))
    assert (thing["thingTypeName"], thing["attributes"]) == ("shop", {"serialNumber": serial(device)})
    (principal,) = another.iot.list_thing_principals(thingName=serial(device))["principals"]
    policies = another.iot.list_attached_policies(target=principal)["policies"]
    assert [one["policyName"] for one in policies] == ["shop-device"]
    assert "403 AccessDenied" in await life.refuse()
    await until(lambda: len(verdicts(another, outputs["HookLog"])) >= 2, "the hook's lines")
    allowed, refused = verdicts(another, outputs["HookLog"])[:2]
    assert allowed["allowed"] and allowed["serial"] == serial(device)
    assert not refused["allowed"] and refused["reason"] == hook.UNKNOWN
    await device.power_off()
    check_hook(another, outputs["Serials"])
    check_rotation(another, outputs["RotationRoleArn"], thing["thingArn"])

    monkeypatch.setitem(STACKS, "camera", another_stack(tmp_path))
    check_another_stack(life, another, outputs["Bucket"])
    await life.stay(device)
    after = everything(another)
    assert [name for name in after if after[name] != made[name]] == ["certificates", "things"]
    another.client("s3").put_object(Bucket=outputs["Bucket"], Key="lamp/1.bin", Body=b"1")
    another.client("s3").delete_object(Bucket=outputs["Bucket"], Key="lamp/1.bin")
    await life.remove(serial(device))
    assert everything(another) == before
    assert not life.aws("down", "--yes")["value"]["removed"]


def verdicts(aws: Aws, group: str) -> list[dict[str, Any]]:
    """What the hook has logged."""
    events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(one["message"]) for one in events if one["message"].startswith("{")]


def check_hook(aws: Aws, table: str) -> None:
    """Who may register when, by the table's own conditions."""
    dynamodb, now_s = aws.client("dynamodb"), int(time.time())
    environment = pytest.MonkeyPatch()
    environment.setenv("SERIALS", table)

    def asked(client: str, later_s: int = 0) -> str:
        return hook.refusal(dynamodb, "lamp-1", client, now_s + later_s)

    assert asked("claim-lamp-1") == asked("lamp-1") == hook.UNKNOWN
    assert call("aws", "serials", "add", "lamp-1", "--name", "shop")[-1]["value"]["changed"] == 1
    assert not asked("claim-lamp-1") and not asked("claim-lamp-1", hook.AGAIN_S - 1)
    assert "was registered" in asked("claim-lamp-1", hook.AGAIN_S + 1)
    assert not asked("lamp-1", hook.AGAIN_S + 1)  # by its own certificate, for the next one
    assert "client id" in asked("claim-lamp-2") and "client id" in asked("lamp-2")
    assert call("aws", "serials", "add", "lamp-1", "--name", "shop")[-1]["value"]["changed"] == 0
    assert call("aws", "serials", "release", "lamp-1", "--name", "shop")[-1]["value"]["changed"] == 1
    assert not asked("claim-lamp-1", hook.AGAIN_S + 1)
    assert call("aws", "serials", "remove", "lamp-1", "--name", "shop")[-1]["value"]["changed"] == 1
    assert asked("lamp-1") == hook.UNKNOWN
    environment.undo()


def another_stack(folder: Path) -> Definition:
    """With a function that says `one`, and one package."""
    (folder / "says.py").write_text("import segno\n\ndef handler(event, context):\n    return 'one'\n")
    (folder / "another.yaml").write_text(ANOTHER)
    function = Function("Code", {"index.py": folder / "says.py"}, ("segno",))
    return Definition("", folder / "another.yaml", needs=("Bucket",), functions=(function,))


def check_another_stack(life: Life, aws: Aws, bucket: str) -> None:
    """Its code is uploaded, is replaced, and goes with it; the base stays as long as it is there."""

    def zips() -> list[str]:
        versions = aws.client("s3").list_object_versions(Bucket=bucket)
        return [one["Key"] for name in ("Versions", "DeleteMarkers") for one in versions.get(name, [])]

    def says() -> Any:
        return json.load(aws.client("lambda").invoke(FunctionName="shop-camera")["Payload"])

    assert life.aws("up", "camera", "--yes")["value"]["outputs"] == {"Function": "shop-camera"}
    (first,) = zips()
    assert says() == "one" and not life.aws("up", "camera", "--yes")["value"]["changed"]
    code = STACKS["camera"].functions[0].modules["index.py"]
    code.write_text(code.read_text().replace("one", "two"))
    assert life.aws("up", "camera", "--yes")["value"]["changed"] and says() == "two"
    assert len(zips()) == 1 and zips() != [first]
    kept = life.aws("down", "--yes")
    assert not kept["ok"] and "shop-camera needs it" in kept["text"] and "down camera" in kept["remedy"]
    assert life.aws("down", "camera", "--yes")["value"]["removed"] and zips() == []


def check_rotation(aws: Aws, role: str, target: str) -> None:
    """The role starts jobs that rotate, and no others."""
    assumed = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="rotates")["Credentials"]
    iot = boto3.client(
        "iot",
        endpoint_url=aws.url,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
    document = json.dumps({"action": "rotate-certificate"})
    iot.create_job(jobId="rotate-certificate-1", targets=[target], document=document)
    for refused in (
        lambda: iot.create_job(jobId="update-1", targets=[target], document=document),
        lambda: iot.delete_thing(thingName=target.rpartition("/")[2]),
    ):
        with pytest.raises(ClientError) as denied:
            refused()
        assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    aws.iot.delete_job(jobId="rotate-certificate-1", force=True)


async def test_what_cannot_be_made_tells_its_first_cause_and_leaves_nothing(life: Life, another: Aws) -> None:
    another.iot.create_policy(policyName="shop-device", policyDocument=json.dumps(ALL))
    before = everything(another)
    failed = life.aws("up", "--yes")
    another.iot.delete_policy(policyName="shop-device")
    assert not failed["ok"] and "DevicePolicy (IoT::Policy" in failed["text"], failed
    assert "already exists" in failed["text"] and "nothing of it is left" in failed["text"]
    assert "--name" in failed["remedy"] and everything(another)["stacks"] == before["stacks"]
    assert {**everything(another), "policies": []} == {**before, "policies": []}


async def test_on_aws_itself_all_is_removed_after_a_failure(
    life: Life, another: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(another)

    async def fail(self: Life) -> None:
        product = json.loads(self.product.read_text())["aws"]
        assert product["root_ca"].count("BEGIN") == 2 and product["template"] == "iot-test-1"
        assert everything(another) != before
        raise OSError("the network went")

    monkeypatch.setattr(Life, "register", fail)
    with pytest.raises(OSError, match="the network went"):
        await aws_account.run(tmp_path, "iot-test-1")
    assert everything(another) == before


def test_on_aws_itself_nothing_begins_without_a_profile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    assert aws_account.main() == 2 and "AWS_PROFILE=name" in capsys.readouterr().err


async def test_asked_and_not_agreed_nothing_is_made(life: Life, another: Aws) -> None:
    before = everything(another)
    refused = life.aws("up")  # nobody is at a terminal
    assert not refused["ok"] and refused["remedy"] == "Say --yes."
    assert everything(another) == before
