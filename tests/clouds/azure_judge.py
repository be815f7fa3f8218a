"""A device on Microsoft's own SDK, for the environment `.azure`: one JSON object a line, in and out.

The SDK knows no port but 8883. Here its connections go to the stand-in's; names in the handshake and in its
tokens stay the vendor's.
"""

import json
import queue
import socket
import sys
import threading

import azure.iot.device as sdk

_connect = socket.create_connection
_asked = json.loads(sys.stdin.readline())
_lines = threading.Lock()


def _redirected(address, *arguments, **options):
    return _connect(("127.0.0.1", _asked["port"]), *arguments, **options)


def say(what, **values):
    with _lines:
        print(json.dumps({"what": what, **values}), flush=True)


def x509():
    if "certificate" not in _asked:
        return None
    return sdk.X509(_asked["certificate"], _asked["key_file"], None)


def register():
    """Register with DPS by a symmetric key or a certificate."""
    common = {
        "provisioning_host": "global.azure-devices-provisioning.net",
        "registration_id": _asked["registration_id"],
        "id_scope": _asked["id_scope"],
        "server_verification_cert": _asked["root"],
    }
    make = sdk.ProvisioningDeviceClient
    if x509():
        client = make.create_from_x509_certificate(x509=x509(), **common)
    else:
        client = make.create_from_symmetric_key(symmetric_key=_asked["key"], **common)
    try:
        result = client.register()
    except Exception as error:
        say("refused", error=f"{error!r} {error.__cause__!r}")
        return
    state = result.registration_state
    say("registered", status=result.status, hub=state.assigned_hub, device=state.device_id)


def live():
    """Connect to the hub and answer everything, until told to send or to end."""
    options = {"server_verification_cert": _asked["root"], "connection_retry": False}
    if x509():
        client = sdk.IoTHubDeviceClient.create_from_x509_certificate(
            x509=x509(), hostname=_asked["hub"], device_id=_asked["device"], **options
        )
    else:
        client = sdk.IoTHubDeviceClient.create_from_connection_string(_asked["connection"], **options)
    try:
        client.connect()
    except Exception as error:
        say("refused", error=f"{error!r} {error.__cause__!r}")
        return
    calls: queue.Queue[sdk.MethodRequest] = queue.Queue()
    client.on_message_received = lambda m: say(
        "message", data=m.data.decode(), id=m.message_id, properties=m.custom_properties
    )
    client.on_twin_desired_properties_patch_received = lambda patch: say("desired", patch=patch)
    client.on_method_request_received = calls.put
    say("connected", twin=client.get_twin())
    while order := sys.stdin.readline():
        order = json.loads(order)
        if "telemetry" in order:
            message = sdk.Message(order["telemetry"], content_type="application/json")
            message.custom_properties.update(order["properties"])
            client.send_message(message)
        elif "reported" in order:
            client.patch_twin_reported_properties(order["reported"])
        elif "answer" in order:
            call = calls.get()
            payload = {"method": call.name, "payload": call.payload}
            client.send_method_response(sdk.MethodResponse(call.request_id, order["answer"], payload))
        say("done")
    client.shutdown()


socket.create_connection = _redirected
register() if "registration_id" in _asked else live()
say("end")
