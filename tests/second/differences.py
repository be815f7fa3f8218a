"""Where the two clouds answer differently, each with AWS's own word on it; docs/second-cloud.md shows it.

`python3 -m tests.second.differences` writes it there anew.
"""

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs/second-cloud.md"
BEGIN, END = "<!-- the table begins -->\n", "<!-- the table ends -->\n"
_GUIDE = "https://docs.aws.amazon.com/iot/latest/developerguide/"
_API = "https://docs.aws.amazon.com/iot/latest/apireference/"
_QUOTAS = "https://docs.aws.amazon.com/general/latest/gr/iot-core.html"
_SHADOW_ERRORS = _GUIDE + "device-shadow-error-messages.html"
_SHADOW_SIZE = _GUIDE + "diagnosing-shadows.html"
_SHADOW_NULLS = _GUIDE + "device-shadow-data-flow.html"
_SHADOW_DOCUMENT = _GUIDE + "device-shadow-document.html"
_SHADOW_TOPICS = _GUIDE + "device-shadow-mqtt.html"
_JOB_TOPICS = _GUIDE + "jobs-mqtt-api.html"
_JOB_LIMITS = _GUIDE + "job-limits.html"
_RESERVED = _GUIDE + "reserved-topics.html"
_TOPICS = _GUIDE + "topics.html"
_MQTT = _GUIDE + "mqtt.html"
_PROVISION = _GUIDE + "fleet-provision-api.html"
_GREENGRASS = "https://github.com/aws-greengrass/aws-greengrass-shadow-manager"


class Difference(NamedTuple):
    """One question of tests/second/asked.

    side: whose answer follows AWS's word, "local" or "ministack"; "" where AWS says nothing that decides it.
    """

    question: str
    local: str
    ministack: str
    side: str
    word: str
    page: str


_TEXTS = 'the list of texts has "Invalid JSON"'
_CLOSED = "the connection is closed"
_SIZE = '8 KB of desired and reported; 413 "The payload exceeds the maximum size allowed"'
_NODE = 'the list of texts has "State contains an invalid node"'
_TOO_BIG = "413 The payload exceeds the maximum size allowed"
_NULL = "a null deletes its field, so that none is ever kept"
_BOOLEAN = "the delta is what differs; JSON's true is not its 1"
_MQTT_SAYS = "MQTT 3.1.1, which AWS is based on"
TABLE = [
    # Shadows
    Difference("shadow, no JSON", "400 Invalid JSON", "400 Payload contains invalid json", "local", _TEXTS,
               _SHADOW_ERRORS),
    Difference("shadow, an array", "400 Invalid JSON", "400 Missing required node: state", "",
               "the list of texts has both", _SHADOW_ERRORS),
    Difference("shadow, a state that is a number", "400 State node must be an object",
               "400 Missing required node: state", "local",
               'the list of texts has "State node must be an object"', _SHADOW_ERRORS),
    Difference("shadow, a section that is a number", "400 Desired node must be an object", "accepted",
               "local", 'the list of texts has "Desired node must be an object"', _SHADOW_ERRORS),
    Difference("shadow, a section of another name", "400 State contains an invalid node: 'other'",
               "accepted", "",
               '"State contains an invalid node", and here: what is outside of the sections is ignored',
               _SHADOW_SIZE),
    Difference("shadow, a version that is a text", "400 Invalid version", "409 Version conflict", "local",
               'the list of texts has "Invalid version"', _SHADOW_ERRORS),
    Difference("shadow, a client token of 65 bytes", "400 Invalid clientToken", "accepted", "local",
               "a token longer than 64 bytes will cause Invalid clientToken", _SHADOW_ERRORS),
    Difference("shadow, a client token that is a number", "400 Invalid clientToken", "accepted", "local",
               'the list of texts has "Invalid clientToken"', _SHADOW_ERRORS),
    Difference("shadow, 7 names deep", "400 JSON contains too many levels of nesting; maximum is 6",
               "accepted", "local", '"JSON contains too many levels of nesting; maximum is 6"',
               _SHADOW_ERRORS),
    Difference("shadow, a null in an array", "400 State contains an invalid node: null in an array",
               "accepted", "local", _NODE, _SHADOW_ERRORS),
    Difference("shadow, 8193 bytes", _TOO_BIG, "accepted", "local", _SIZE, _SHADOW_SIZE),
    Difference("shadow, 8193 bytes by two updates", _TOO_BIG, "accepted", "local", _SIZE, _SHADOW_SIZE),
    Difference("shadow, the number 1e400", "400 Invalid JSON", "accepted", "", "not said", _SHADOW_ERRORS),
    Difference("shadow, a name twice in an object", "400 Invalid JSON", "accepted", "", "not said",
               _SHADOW_ERRORS),
    Difference("shadow, bytes that are not UTF-8",
               "415 Unsupported documented encoding; supported encoding is UTF-8",
               "400 Payload contains invalid json", "local", "415, in these words", _SHADOW_ERRORS),
    Difference("shadow, get of a shadow that is not there", "404 No shadow exists with name: 'lamp~NAME'",
               "404 No shadow exists with name: lamp/NAME", "", '"No shadow exists with name: shadowName"',
               _SHADOW_ERRORS),
    Difference("shadow, delete of a shadow that is not there",
               "404 No shadow exists with name: 'lamp~NAME'", "404 No shadow exists with name: lamp/NAME",
               "", '"No shadow exists with name: shadowName"', _SHADOW_ERRORS),
    Difference("shadow, get with a payload that is no JSON", "400 Invalid JSON",
               "400 Payload contains invalid json", "local", _TEXTS, _SHADOW_ERRORS),
    Difference("shadow, a shadow's name with a blank",
               "400 shadowName 'NAME': must be 1 to 64 of a-z A-Z 0-9 : _ - $", "accepted", "local",
               "a name is of [$a-zA-Z0-9:_-]+", _API + "API_iotdata_UpdateThingShadow.html"),
    Difference("shadow, a shadow's name of 65 bytes",
               "400 shadowName 'NAME': must be 1 to 64 of a-z A-Z 0-9 : _ - $", "accepted", "local",
               "a name has at most 64", _API + "API_iotdata_UpdateThingShadow.html"),
    Difference("shadow, messages of a report that leaves a delta",
               "update/accepted, update/delta, update/documents",
               "update, update/accepted, update/delta, update/documents", "",
               "AWS answers on these three; whether a request is heard is not said", _SHADOW_TOPICS),
    Difference("shadow, messages of a report that leaves none", "update/accepted, update/documents",
               "update, update/accepted, update/documents", "",
               "AWS answers on these two; whether a request is heard is not said", _SHADOW_TOPICS),
    Difference("shadow, sections in a get's metadata", '["delta", "desired"]',
               '["delta", "desired", "reported"]', "",
               "metadata has a timestamp for each attribute of the sections", _SHADOW_DOCUMENT),
    Difference("shadow's document, the state", "{}", "400 Missing required node: state", "local",
               "a null for the state empties the shadow", _SHADOW_NULLS),
    Difference("shadow's document, the state of a new shadow", "{}", "400 Missing required node: state",
               "local", "a null for the state empties the shadow", _SHADOW_NULLS),
    Difference("shadow's document, in a new object",
               '{"delta": {"id": 100, "new": true}, "desired": {"id": 100, "new": true}}',
               '{"delta": {"id": 100, "new": true, "parent": {"one": null, "two": {"three": null}}}, '
               '"desired": {"id": 100, "new": true, "parent": {"one": null, "two": {"three": null}}}}',
               "local", "JsonMergerTest of AWS's own shadow service for the edge", _GREENGRASS),
    Difference("shadow's document, beside a value in a new object",
               '{"delta": {"a": {"b": 1}}, "desired": {"a": {"b": 1}}}',
               '{"delta": {"a": {"b": 1, "c": null}}, "desired": {"a": {"b": 1, "c": null}}}', "local",
               _NULL, _SHADOW_NULLS),
    Difference("shadow's document, in an object that replaces a value",
               '{"delta": {"b": 1}, "desired": {"b": 1}}',
               '{"delta": {"a": {"c": null}, "b": 1}, "desired": {"a": {"c": null}, "b": 1}}', "local",
               _NULL, _SHADOW_NULLS),
    Difference("shadow's document, true is not 1",
               '{"delta": {"a": true}, "desired": {"a": true}, "reported": {"a": 1}}',
               '{"desired": {"a": true}, "reported": {"a": 1}}', "local", _BOOLEAN, _SHADOW_DOCUMENT),
    Difference("shadow's document, not in an array either",
               '{"delta": {"a": [false]}, "desired": {"a": [false]}, "reported": {"a": [0]}}',
               '{"desired": {"a": [false]}, "reported": {"a": [0]}}', "local", _BOOLEAN, _SHADOW_DOCUMENT),
    # Jobs
    Difference("job, a status that is the cloud's", "rejected InvalidRequest",
               "rejected InvalidStateTransition", "",
               'a device may set IN_PROGRESS, FAILED, SUCCEEDED, REJECTED; by which code else '
               'is not said', _JOB_TOPICS),
    Difference("job, back to QUEUED", "rejected InvalidRequest", "rejected InvalidStateTransition", "",
               'a device may set IN_PROGRESS, FAILED, SUCCEEDED, REJECTED; by which code else '
               'is not said', _JOB_TOPICS),
    Difference("job, a detail's name of 129 characters", "rejected InvalidRequest", "accepted", "local",
               "a detail's name has at most 128", _API + "API_JobExecutionStatusDetails.html"),
    Difference("job, a detail of 1025 characters", "rejected InvalidRequest", "accepted", "local",
               "a detail's value has at most 1,024",
               _API + "API_iot-jobs-data_StartNextPendingJobExecution.html"),
    Difference("job, a step's timeout of 0 minutes", "rejected InvalidRequest", "accepted execution",
               "local", "1 to 10,080 minutes", _JOB_TOPICS),
    Difference("job, a step's timeout of 10081 minutes", "rejected InvalidRequest", "accepted execution",
               "local", "1 to 10,080 minutes", _JOB_TOPICS),
    Difference("job, a topic that is none", "rejected InvalidTopic", "no answer", "local",
               "InvalidTopic: a topic that does not map to an operation", _JOB_TOPICS),
    Difference("job, messages of an end", "notify, notify-next, JOB/update/accepted",
               "JOB/update, JOB/update/accepted, notify, notify-next", "",
               "in which order is not said; ministack's authors say they saw theirs on AWS", _JOB_TOPICS),
    Difference("job, FAILED, to be retried", "execution 2, QUEUED", "nothing", "local",
               "what fails is retried as often as jobExecutionsRetryConfig says",
               _GUIDE + "jobs-configurations-details.html"),
    Difference("job, a document that is an array", "InvalidRequestException", "done", "",
               "a document is UTF-8 encoded JSON; whether an object is not said", _JOB_LIMITS),
    Difference("job, 11 retries", "InvalidRequestException", "done", "local", "0 to 10",
               _API + "API_RetryCriteria.html"),
    Difference("job, a description of 2029 characters", "InvalidRequestException", "done", "local",
               "at most 2,028 characters", _API + "API_CreateJob.html"),
    # The broker
    Difference("broker, a payload of 128 KiB and a byte", _CLOSED, "delivered", "local", "128 KB", _QUOTAS),
    Difference("broker, 8 slashes", _CLOSED, "delivered", "local", "a topic has at most 7 slashes",
               _QUOTAS),
    Difference("broker, 8 slashes in a filter", _CLOSED, "granted", "local",
               "a filter has at most 7 slashes", _QUOTAS),
    Difference("broker, 9 filters in a SUBSCRIBE", _CLOSED, "granted", "local", "8 in a request", _QUOTAS),
    Difference("broker, 51 filters on a connection", _CLOSED, "granted", "local", "50 on a connection",
               _QUOTAS),
    Difference("broker, QoS 2", _CLOSED, "delivered", "local", "QoS 0 and 1 alone", _MQTT),
    Difference("broker, a filter with # in its middle", _CLOSED, "granted", "local",
               "# must be the last character of a filter", _TOPICS),
    Difference("broker, a client id of 129 bytes", "refused, code 2", "connected", "local", "128 bytes",
               _QUOTAS),
    Difference("broker, MQTT 5", "refused, 0x84", "connected", "ministack", "MQTT 5 is there", _MQTT),
    Difference("broker, 1000 messages at once", "some discarded", "all delivered", "local",
               "100 publishes a second on a connection", _QUOTAS),
    Difference("broker, a filter that begins with $", "granted", _CLOSED, "ministack",
               "unsupported operations on reserved topics can end the connection", _RESERVED),
    Difference("broker, retain on a service's topic", _CLOSED, "delivered", "local",
               "a retained message on a reserved topic is an error", _MQTT),
    Difference("broker, # hears a service's answer", "not heard", "heard", "local",
               f"{_MQTT_SAYS}: a wildcard at a filter's begin does not match a topic with $", _MQTT),
    Difference("broker, a request to a service is heard by others", "not heard", "heard", "",
               "whether a request is heard is not said", _SHADOW_TOPICS),
    # Provisioning
    Difference("provisioning, a certificate for a device's own key",
               "accepted certificateId certificateOwnershipToken certificatePem", "no answer", "local",
               "CreateCertificateFromCsr over MQTT", _PROVISION),
    Difference("provisioning, no signing request", "400 InvalidCertificateSigningRequest", "no answer",
               "local", "a refusal comes on …/create-from-csr/json/rejected", _PROVISION),
    Difference("provisioning, keys, asked for in CBOR", _CLOSED, "no answer", "",
               "payload-format is cbor or json: neither cloud has CBOR", _PROVISION),
    Difference("provisioning, a template that is not there", "404 ResourceNotFound", "400 InvalidTemplate",
               "", "which codes there are is not said", _PROVISION),
    Difference("provisioning, a token twice", "400 InvalidCertificateOwnershipToken",
               "accepted deviceConfiguration thingName", "",
               "a token expires after an hour; whether it is good for a second time is not said",
               _PROVISION),
    # What an operator calls
    Difference("operator, a policy without statements", "MalformedPolicyException", "done", "",
               "MalformedPolicyException where a document is not valid", _API + "API_CreatePolicy.html"),
    Difference("operator, a sixth version of a policy", "VersionsLimitExceededException", "done", "local",
               "at most five versions", _API + "API_CreatePolicyVersion.html"),
    Difference("operator, 251 things on a page", "InvalidRequestException", "done", "local", "at most 250",
               _API + "API_ListThings.html"),
    Difference("operator, publish on a service's topic", "InvalidRequestException", "done", "",
               "which topics are taken is not said", _API + "API_iotdata_Publish.html"),
    Difference("operator, publish 128 KiB and a byte", "InvalidRequestException", "done", "local", "128 KB",
               _QUOTAS),
    Difference("operator, publish with 8 slashes", "InvalidRequestException", "done", "local",
               "a topic has at most 7 slashes", _QUOTAS),
    Difference("operator, a connection that is not there", "ResourceNotFoundException",
               "InvalidRequestException", "local", "ministack has no GetConnection",
               _API + "API_iotdata_GetConnection.html"),
    Difference("operator, end a connection that is not there", "ResourceNotFoundException",
               "InvalidRequestException", "local", "ministack has no DeleteConnection",
               _API + "API_iotdata_DeleteConnection.html"),
    Difference("operator, a command", "done", "InvalidRequestException", "local",
               "ministack has no commands", _API + "API_CreateCommand.html"),
    Difference("operator, a custom metric", "done", "InvalidRequestException", "local",
               "ministack has no Device Defender", _API + "API_CreateCustomMetric.html"),
    Difference("operator, the shadow service's list", "done", "InvalidRequestException", "local",
               "ListNamedShadowsForThing", _API + "API_iotdata_ListNamedShadowsForThing.html"),
    Difference("operator, a job of a thing that is not there", "ResourceNotFoundException", "done", "local",
               "ResourceNotFoundException", _API + "API_iot-jobs-data_GetPendingJobExecutions.html"),
]  # fmt: skip


def rows() -> str:
    """The table as the page has it."""
    lines = ["| asked | the local cloud | ministack | AWS's word | who follows it |", "|---|---|---|---|---|"]
    for one in TABLE:
        local, ministack = _code(one.local), _code(one.ministack)
        side = {"local": "the local cloud"}.get(one.side, one.side or "not decided")
        lines.append(f"| {one.question} | {local} | {ministack} | [{one.word}]({one.page}) | {side} |")
    return "\n".join(lines) + "\n"


def _code(answer: str) -> str:
    return f"`{answer}`" if answer.startswith(("{", "[")) else answer


def page(text: str) -> str:
    """The page with the table in it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + rows() + END + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
