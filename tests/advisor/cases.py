"""Device Advisor's cases by AWS's ids, and what the device does in each, as docs/device-advisor.md has them.

From the AWS IoT Core Developer Guide, "Device Advisor test cases", all but those of TLS 1.3. The test of a
case is called by its id in lower case. "Pass with warnings" is AWS's, for what is odd and does no harm.
"""

PASS, WARNED = "pass", "pass with warnings"

CASES = {
    "TLS_Connect": (PASS, "completes the handshake, with a chain of P-256 and with one as Amazon's"),
    "TLS_Receive_Maximum_Size_Fragments": (
        PASS,
        "takes records of 16 KB; acknowledges what it has no room for",
    ),
    "TLS_Support_AWS_IoT_Cipher_Suites": (
        WARNED,
        "offers all recommended ones, and CCM's, which AWS lacks; with a root of P-256 two of ECDSA alone",
    ),
    "TLS_Large_Size_Server_Cert": (PASS, "completes the handshake with a chain a fifth larger than Amazon's"),
    "TLS_Unsecure_Server_Cert": (PASS, "closes the connection with alert 48, unknown CA"),
    "TLS_Incorrect_Subject_Name_Server_Cert": (PASS, "closes the connection with alert 42, bad certificate"),
    "TLS_Expired_Server_Cert": (PASS, "closes the connection with alert 45, certificate expired"),
    "MQTT_Connect": (PASS, "sends CONNECT, keep-alive 60 s, for a persistent session"),
    "MQTT_Client_Puback_QoS1": (PASS, "acknowledges what the application has taken"),
    "MQTT_Connect_Jitter_Backoff_Retries": (PASS, "gives up after 30 s, tries again by full jitter"),
    "MQTT_Connect_Exponential_Backoff_Retries": (PASS, "the same; the ceiling doubles from 1 s to 64 s"),
    "MQTT_ReconnectionAfterSuccessfulConnection": (
        PASS,
        "sends a CONNECT a second at most",
    ),
    "MQTT_Reconnect_Backoff_Retries_On_Server_Disconnect": (PASS, "by full jitter"),
    "MQTT_Reconnect_Backoff_Retries_On_Unstable_Connection": (
        PASS,
        "by full jitter; only a connection of 30 s starts it anew",
    ),
    "MQTT_Publish": (PASS, "publishes with QoS 0"),
    "MQTT_Publish_Retry_No_Puback": (PASS, "after 10 s again, with DUP and the same packet id"),
    "MQTT_Publish_Retained_Messages": (PASS, "publishes with RETAIN where the application asks for it"),
    "MQTT_Subscribe": (PASS, "subscribes with QoS 1"),
    "MQTT_Subscribe_Retry_No_Suback": (PASS, "after 10 s again, with the same packet id"),
    "MQTT_No_Ack_PingResp": (PASS, "ends the connection 10 s after a PINGREQ, 70 s after the last answer"),
    "MQTT_Persistent_Session_Happy_Case": (PASS, "gets what was kept, and subscribes no second time"),
    "MQTT_Expired_Persistent_Session": (PASS, "subscribes again"),
    "Shadow_Publish_Reported_State": (PASS, "reports once it is connected"),
    "Shadow_Update_Reported_State": (PASS, "does what is desired, and reports it"),
    "Job_Execution": (PASS, "takes the job: IN_PROGRESS, its progress, SUCCEEDED"),
    "Security_Device_Policies": (PASS, "the template's policy: wildcards only behind the thing's own name"),
    "MQTT_Long_Duration": (PASS, "all scenarios in one life, in `make test-slow` with half an hour alone"),
}


def table() -> str:
    """As that page has it."""
    rows = [f"| `{name}` | {does} | {verdict} |" for name, (verdict, does) in CASES.items()]
    return "\n".join(["| case | what the device does | |", "|---|---|---|", *rows])
