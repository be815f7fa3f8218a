#!/usr/bin/env bash
# Guess:    publish() that returns an error code has not taken the message: whoever wants it sent calls again.
# Reality:  without a connection a QoS 1 message is answered by MQTT_ERR_NO_CONN (4), "not connected", and kept
#           all the same: it goes out with the next connection. Who had tried again has sent it twice, with two
#           packet ids. A QoS 0 message with the same answer is gone.
# Version:  paho-mqtt 2.1.0 (PyPI)
# Source:   paho/mqtt/client.py, publish(): the message is in _out_messages before _send_publish returns the code
# Whom:     services and gateways that keep messages of their own while there is no network: a counter, a door or
#           a bill is moved twice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check paho-mqtt==2.1.0
cat >look.py <<'PY'
import socket
import threading

from paho.mqtt.client import CallbackAPIVersion, Client

listener = socket.create_server(("127.0.0.1", 0))
received = []


def broker():
    """Takes one connection, and what is published on it in packets below 128 bytes."""
    peer, _ = listener.accept()
    file = peer.makefile("rb")
    while head := file.read(2):
        body = file.read(head[1])
        if head[0] >> 4 == 1:
            peer.sendall(b"\x20\x02\x00\x00")
        elif head[0] >> 4 == 3:
            topic_end = 2 + int.from_bytes(body[:2], "big")
            packet_id = body[topic_end : topic_end + 2]
            received.append((body[2:topic_end].decode(), int.from_bytes(packet_id, "big")))
            peer.sendall(b"\x40\x02" + packet_id)


thread = threading.Thread(target=broker)
thread.start()
client = Client(CallbackAPIVersion.VERSION2, client_id="gateway")
print("answers:", [int(client.publish(topic, b"1", qos).rc) for topic, qos in (("one", 1), ("one", 1), ("zero", 0))])
acknowledged = []
client.on_publish = lambda client, data, mid, reason, properties: acknowledged.append(mid)
client.connect("127.0.0.1", listener.getsockname()[1])
while len(acknowledged) < 2:
    client.loop(0.1)
client.disconnect()
thread.join()
print("arrived:", received)
PY
timeout 60 venv/bin/python look.py | tee seen
diff seen - <<'END'
answers: [4, 4, 4]
arrived: [('one', 1), ('one', 2)]
END
