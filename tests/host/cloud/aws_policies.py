"""Policies of the forms that AWS's Developer Guide shows, with other names; see test_aws_documents.py.

Each with the decisions that the guide's text promises: action, resource, variables, whether it is allowed.
"""

from dataclasses import dataclass
from typing import Any

ARN = "arn:aws:iot:us-east-1:123456789012:"
THING = "${iot:Connection.Thing.ThingName}"
LAMP = {
    "iot:ClientId": "lamp",
    "iot:Connection.Thing.ThingName": "lamp",
    "iot:Connection.Thing.IsAttached": "true",
}
STRANGER = {"iot:ClientId": "lamp", "iot:Connection.Thing.IsAttached": "false"}
CONNECT, PUBLISH, SUBSCRIBE, RECEIVE = "iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive"

Decision = tuple[str, str, dict[str, Any], bool]


@dataclass(frozen=True)
class Example:
    statements: list[dict[str, Any]]
    decisions: list[Decision]

    @property
    def document(self) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": self.statements}


def allow(action: str | list[str], *resources: str, **condition: Any) -> dict[str, Any]:
    return _statement("Allow", action, resources, condition)


def deny(action: str | list[str], *resources: str, **condition: Any) -> dict[str, Any]:
    return _statement("Deny", action, resources, condition)


def _statement(
    effect: str, action: Any, resources: tuple[str, ...], condition: dict[str, Any]
) -> dict[str, Any]:
    made = {"Effect": effect, "Action": action, "Resource": [r if r == "*" else ARN + r for r in resources]}
    return made | ({"Condition": condition["condition"]} if condition else {})


def attributes(operator: str, *names: str) -> dict[str, Any]:
    return {"condition": {operator: {"iot:ConnectAttributes": list(names)}}}


def connecting(*names: str, will: str | None = None) -> dict[str, Any]:
    variables: dict[str, Any] = {"iot:ClientId": "lamp", "iot:ConnectAttributes": names}
    return variables | ({"iot:LastWillTopic": f"{ARN}topic/{will}"} if will else {})


def connects(*allowed: tuple[str, ...], denied: tuple[tuple[str, ...], ...] = ()) -> list[Decision]:
    """CONNECT with these attributes, and with those."""
    return [
        *((CONNECT, "client/lamp", connecting(*names), True) for names in allowed),
        *((CONNECT, "client/lamp", connecting(*names), False) for names in denied),
    ]


P, W, NEW = "PersistentConnect", "LastWill", "SomethingNew"
CORPORATIONS = {
    "ForAllValues:StringEquals": {"iot:Certificate.Subject.Organization.List": ["Lamps Ltd", "Doors Ltd"]}
}
ORGANIZATION = "iot:Certificate.Subject.Organization.List"
COMMON_NAME = "iot:Certificate.Subject.CommonName"

EXAMPLES: dict[str, Example] = {
    "connect: with the thing's name alone": Example(
        [allow([CONNECT], f"client/{THING}")],
        [
            (CONNECT, "client/lamp", LAMP, True),
            (CONNECT, "client/door", LAMP, False),
            (CONNECT, "client/lamp", STRANGER, False),
        ],
    ),
    "connect: one client id, not another": Example(
        [allow([CONNECT], "client/client1"), deny([CONNECT], "client/client2")],
        [(CONNECT, "client/client1", {}, True), (CONNECT, "client/client2", {}, False)],
    ),
    "connect: what is attached": Example(
        [allow([CONNECT], "*", condition={"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}})],
        [(CONNECT, "client/lamp", LAMP, True), (CONNECT, "client/lamp", STRANGER, False)],
    ),
    "connect: a persistent session": Example(
        [allow([CONNECT], "*", **attributes("ForAllValues:StringEquals", P))],
        connects((P,), (), denied=((W,), (P, W))),
    ),
    "connect: no persistent session": Example(
        [allow([CONNECT], "*", **attributes("ForAllValues:StringNotEquals", P))],
        connects((), (W,), (NEW,), denied=((P,), (P, W))),
    ),
    "connect: no persistent session, by a denial": Example(
        [allow([CONNECT], "*"), deny([CONNECT], "*", **attributes("ForAnyValue:StringEquals", P))],
        connects((), (W,), (NEW,), denied=((P,), (P, W))),
    ),
    "connect: both, nothing new": Example(
        [allow([CONNECT], "*", **attributes("ForAllValues:StringEquals", P, W))],
        connects((), (P,), (W,), (P, W), denied=((NEW,), (P, NEW))),
    ),
    "connect: by default features": Example(
        [allow([CONNECT], "*", **attributes("ForAllValues:StringEquals"))],
        connects((), denied=((P,), (W,))),
    ),
    "connect: only with a persistent session": Example(
        [allow([CONNECT], "*", **attributes("ForAnyValue:StringEquals", P))],
        connects((P,), (P, NEW), denied=((), (W,))),
    ),
    "connect: with both, nothing less and nothing new": Example(
        [
            allow([CONNECT], "*", **attributes("ForAllValues:StringEquals", P, W)),
            deny([CONNECT], "*", **attributes("ForAllValues:StringEquals", P)),
            deny([CONNECT], "*", **attributes("ForAllValues:StringEquals", W)),
            deny([CONNECT], "*", **attributes("ForAllValues:StringEquals")),
        ],
        connects((P, W), denied=((), (P,), (W,), (P, W, NEW))),
    ),
    "connect: a will or none, no persistent session": Example(
        [
            deny([CONNECT], "*", **attributes("ForAnyValue:StringEquals", P)),
            allow([CONNECT], "*", **attributes("ForAllValues:StringEquals", W)),
        ],
        connects((), (W,), denied=((P,), (P, W), (NEW,))),
    ),
    "connect: with this will": Example(
        [
            allow(
                [CONNECT],
                "*",
                condition={"ArnEquals": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/my/will"}},
            ),
            deny([CONNECT], "*", **attributes("ForAnyValue:StringEquals", P)),
        ],
        [
            (CONNECT, "client/lamp", connecting(W, will="my/will"), True),
            (CONNECT, "client/lamp", connecting(W, will="other/will"), False),
            (CONNECT, "client/lamp", connecting(P, W, will="my/will"), False),
            (CONNECT, "client/lamp", connecting(), False),
        ],
    ),
    "connect: over one endpoint of a virtual cloud, which there is none of here": Example(
        [allow([CONNECT], f"client/{THING}", condition={"StringEquals": {"aws:SourceVpce": "vpce-0a1b"}})],
        [(CONNECT, "client/lamp", LAMP, False)],
    ),
    "connect: by the name of one endpoint": Example(
        [allow([CONNECT], "*", condition={"StringEquals": {"iot:DomainName": "iot.example.com"}})],
        [
            (CONNECT, "client/lamp", {"iot:DomainName": "iot.example.com"}, True),
            (CONNECT, "client/lamp", {}, False),
        ],
    ),
    "connect: from some addresses": Example(
        [allow([CONNECT], "*", condition={"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.7"]}})],
        [
            (CONNECT, "client/lamp", {"aws:SourceIp": "192.0.2.99"}, True),
            (CONNECT, "client/lamp", {"aws:SourceIp": "203.0.113.8"}, False),
        ],
    ),
    "certificate: a topic of its id": Example(
        [allow([PUBLISH], "topic/${iot:CertificateId}"), allow([CONNECT], f"client/{THING}")],
        [
            (PUBLISH, "topic/0a1b", {"iot:CertificateId": "0a1b"}, True),
            (PUBLISH, "topic/0a1c", {"iot:CertificateId": "0a1b"}, False),
        ],
    ),
    "certificate: a topic of its common name": Example(
        [allow([PUBLISH], f"topic/${{{COMMON_NAME}}}")],
        [
            (PUBLISH, "topic/lamp", {COMMON_NAME: "lamp"}, True),
            (PUBLISH, "topic/l*p", {COMMON_NAME: "l*p"}, False),
        ],
    ),
    "certificate: its third common name": Example(
        [
            allow(
                [PUBLISH], "topic/admin/*", condition={"StringEquals": {f"{COMMON_NAME}.2": "Administrator"}}
            )
        ],
        [
            (PUBLISH, "topic/admin/x", {f"{COMMON_NAME}.2": "Administrator"}, True),
            (PUBLISH, "topic/admin/x", {COMMON_NAME: "Administrator"}, False),
        ],
    ),
    "certificate: any of its common names": Example(
        [
            allow(
                [PUBLISH],
                f"topic/admin/{THING}",
                condition={"ForAnyValue:StringEquals": {f"{COMMON_NAME}.List": "Administrator"}},
            )
        ],
        [
            (PUBLISH, "topic/admin/lamp", LAMP | {f"{COMMON_NAME}.List": ("lamp", "Administrator")}, True),
            (PUBLISH, "topic/admin/lamp", LAMP | {f"{COMMON_NAME}.List": ("lamp",)}, False),
            (PUBLISH, "topic/admin/lamp", LAMP, False),
        ],
    ),
    "certificate: of one of two organisations": Example(
        [allow([CONNECT], f"client/{THING}"), allow([PUBLISH], f"topic/my/{THING}", condition=CORPORATIONS)],
        [
            (PUBLISH, "topic/my/lamp", LAMP | {ORGANIZATION: ("Lamps Ltd",)}, True),
            (PUBLISH, "topic/my/lamp", LAMP | {ORGANIZATION: ("Lamps Ltd", "Other")}, False),
        ],
    ),
    "thing: of a type and with an attribute": Example(
        [
            allow(
                [PUBLISH],
                "topic/device/stats",
                condition={
                    "StringEquals": {
                        "iot:Connection.Thing.Attributes[place]": "hall",
                        "iot:Connection.Thing.ThingTypeName": "Lamp",
                    },
                    "Bool": {"iot:Connection.Thing.IsAttached": "true"},
                },
            )
        ],
        [
            (
                PUBLISH,
                "topic/device/stats",
                LAMP
                | {
                    "iot:Connection.Thing.Attributes[place]": "hall",
                    "iot:Connection.Thing.ThingTypeName": "Lamp",
                },
                True,
            ),
            (PUBLISH, "topic/device/stats", LAMP | {"iot:Connection.Thing.Attributes[place]": "hall"}, False),
        ],
    ),
    "thing: a topic that begins with an attribute": Example(
        [allow([PUBLISH], "topic/${iot:Connection.Thing.Attributes[place]}/*")],
        [
            (PUBLISH, "topic/hall/x", {"iot:Connection.Thing.Attributes[place]": "hall"}, True),
            (PUBLISH, "topic/hall/x", {}, False),
        ],
    ),
    "client id: rooms of its own": Example(
        [
            allow([SUBSCRIBE], "topicfilter/${iot:ClientId}/room*"),
            allow([RECEIVE], "topic/${iot:ClientId}/room*"),
        ],
        [
            (SUBSCRIBE, "topicfilter/lamp/room/+", STRANGER, True),
            (RECEIVE, "topic/lamp/room1", STRANGER, True),
            (RECEIVE, "topic/door/room1", STRANGER, False),
        ],
    ),
    "topics: all but some": Example(
        [
            allow(SUBSCRIBE, "topicfilter/a/*"),
            {"Effect": "Allow", "Action": RECEIVE, "NotResource": f"{ARN}topic/a/restricted/*"},
        ],
        [
            (SUBSCRIBE, "topicfilter/a/#", {}, True),
            (RECEIVE, "topic/a/b", {}, True),
            (RECEIVE, "topic/a/restricted/b", {}, False),
        ],
    ),
    "topics: subscribed but not received": Example(
        [allow(SUBSCRIBE, "topicfilter/device/update"), deny(RECEIVE, "topic/device/update")],
        [(SUBSCRIBE, "topicfilter/device/update", {}, True), (RECEIVE, "topic/device/update", {}, False)],
    ),
    "topics: + is itself": Example(
        [allow([SUBSCRIBE], "topicfilter/some/+/topic")],
        [
            (SUBSCRIBE, "topicfilter/some/+/topic", {}, True),
            (SUBSCRIBE, "topicfilter/some/x/topic", {}, False),
        ],
    ),
    "topics: * is anything": Example(
        [allow([SUBSCRIBE], "topicfilter/some/*/topic")],
        [
            (SUBSCRIBE, "topicfilter/some/+/topic", {}, True),
            (SUBSCRIBE, "topicfilter/some/x/y/topic", {}, True),
            (SUBSCRIBE, "topicfilter/some/topic", {}, False),
        ],
    ),
    "topics: a variable that the guide uses and does not define": Example(
        [
            allow([PUBLISH], "topic/${iot:Thing.ThingName}/*"),
            deny([PUBLISH], "topic/${iot:Thing.ThingName}/bar"),
        ],
        [(PUBLISH, "topic/lamp/foo", LAMP, False)],
    ),
    "retained messages": Example(
        [
            allow(["iot:Publish", "iot:RetainPublish"], f"topic/device/{THING}"),
            {"Sid": "", "Effect": "Deny", "Action": ["iot:RetainPublish"], "Resource": "*"},
        ],
        [(PUBLISH, "topic/device/lamp", LAMP, True), ("iot:RetainPublish", "topic/device/lamp", LAMP, False)],
    ),
    "shadows and jobs of one thing": Example(
        [
            allow([PUBLISH], f"topic/$aws/things/{THING}/shadow/*"),
            allow(
                [SUBSCRIBE],
                f"topicfilter/$aws/things/{THING}/shadow/*",
                f"topicfilter/$aws/things/{THING}/jobs/*",
            ),
            allow(["iot:GetThingShadow", "iot:DescribeJobExecution"], f"thing/{THING}"),
        ],
        [
            (PUBLISH, "topic/$aws/things/lamp/shadow/update", LAMP, True),
            (PUBLISH, "topic/$aws/things/door/shadow/update", LAMP, False),
            (SUBSCRIBE, "topicfilter/$aws/things/lamp/jobs/notify", LAMP, True),
        ],
    ),
    "a claim": Example(
        [
            allow([CONNECT], "*"),
            allow(
                ["iot:Publish", "iot:Receive"],
                "topic/$aws/certificates/create/*",
                "topic/$aws/provisioning-templates/Lamps/provision/*",
            ),
            allow(
                SUBSCRIBE,
                "topicfilter/$aws/certificates/create/*",
                "topicfilter/$aws/provisioning-templates/Lamps/provision/*",
            ),
        ],
        [
            (PUBLISH, "topic/$aws/certificates/create/json", {}, True),
            (PUBLISH, "topic/$aws/certificates/create-from-csr/json", {}, False),
        ],
    ),
}

# Policies of the guide that are for IAM and not for a device, or would not work, and why they are refused.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a role's trust, for IAM": (
        allow("sts:AssumeRole", "*") | {"Principal": {"Service": "iot.amazonaws.com"}},
        r"Statement\[0\]: unknown element Principal",
    ),
    "a tunnel's groups, for IAM": (
        allow(
            "iot:OpenTunnel",
            "*",
            condition={"ForAllValues:StringEquals": {"iot:ThingGroupArn": [ARN + "thinggroup/a"]}},
        ),
        r"\.Condition\.ForAllValues:StringEquals\.iot:ThingGroupArn: .* is not a key",
    ),
    "who passes a role, for IAM": (
        allow("iam:PassRole", "*", condition={"StringEquals": {"iam:PassedToService": "iot.amazonaws.com"}}),
        "'iam:PassedToService' is not a key",
    ),
    "a condition beside its block": (
        allow("iot:CreateJob", "*", condition={"IpAddress": {"aws:SourceIp": "192.0.2.1"}})
        | {"Bool": {"aws:ViaAWSService": "true"}},
        r"Statement\[0\]: unknown element Bool",
    ),
}
