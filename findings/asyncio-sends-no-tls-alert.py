# Guess:    a server of asyncio that refuses a client's certificate tells it so by the TLS alert.
# Reality:  the alert stays in the outgoing MemoryBIO. The socket is closed, and the client is told
#           nothing, or "connection reset". A server on blocking sockets sends it.
#           What helps: an SSLObject whose do_handshake sends what is left there (tools/cloud/alerts.py).
# Version:  CPython 3.11.7
# Source:   Lib/asyncio/sslproto.py, _do_handshake: _process_outgoing() only where the handshake goes on
# Whom:     clients that have to tell a refused certificate from a broken connection.
# Run:      .venv/bin/python findings/asyncio-sends-no-tls-alert.py; status 0 where it is so
import asyncio
import ssl
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.cloud.ca import Authority


async def told(context: ssl.SSLContext, root: str) -> str:
    """What a client without a certificate hears of a server that asks for one."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    client = ssl.create_default_context(cadata=root)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        await asyncio.open_connection(
            *server.sockets[0].getsockname(), ssl=client, server_hostname="localhost"
        )
    except OSError as error:
        return str(error)
    finally:
        server.close()
    return "welcome"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        authority.server_context(("localhost",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder) / "server.pem")
        context.load_verify_locations(cadata=authority.root_pem)
        context.verify_mode = ssl.CERT_REQUIRED
        heard = asyncio.run(told(context, authority.root_pem))
    print("the client hears:", heard)
    return 0 if "ALERT" not in heard.upper() else 1


if __name__ == "__main__":
    raise SystemExit(main())
