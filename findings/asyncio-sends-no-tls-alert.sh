#!/usr/bin/env bash
# Guess:    a server of asyncio that refuses a client's certificate tells it so by the TLS alert, as one on
#           blocking sockets does.
# Reality:  the alert stays in the outgoing MemoryBIO; the socket is closed, and the client is told nothing, or
#           "connection reset". What helps: an SSLObject whose do_handshake sends what is left there.
# Version:  CPython 3.11.7, OpenSSL 3; certificates by trustme 1.2.1
# Source:   Lib/asyncio/sslproto.py, _do_handshake: _process_outgoing() only where the handshake goes on
# Whom:     MQTT clients, and whoever tests them against a broker on asyncio: they cannot tell a refused
#           certificate, after which a device earns a new one, from a network that failed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check trustme==1.2.1
"$folder/venv/bin/python" - <<'PY'
import asyncio, socket, ssl, threading

import trustme

authority = trustme.CA()
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("localhost").configure_cert(server)
authority.configure_trust(server)
server.verify_mode = ssl.CERT_REQUIRED  # and the client below has none
client = ssl.create_default_context()
client.maximum_version = ssl.TLSVersion.TLSv1_2
authority.configure_trust(client)


def told(address):
    try:
        with client.wrap_socket(socket.create_connection(address), server_hostname="localhost"):
            return "welcome"
    except OSError as error:
        return str(error)


def blocking():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            server.wrap_socket(listener.accept()[0], server_side=True)
        except ssl.SSLError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    return told(listener.getsockname())


async def on_asyncio():
    it = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=server)
    return await asyncio.to_thread(told, it.sockets[0].getsockname())


heard = blocking(), asyncio.run(on_asyncio())
print("blocking:", heard[0], "\nasyncio: ", heard[1])
raise SystemExit(not ("alert" in heard[0].lower() and "alert" not in heard[1].lower()))
PY
