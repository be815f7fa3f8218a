"""MicroPython's `tls` (mbedTLS) on CPython's: its defaults, its errors, dates by the device's own clock."""

import contextlib
import datetime
import errno
import select
import ssl as _ssl
import sys
import tempfile

from cryptography.hazmat.primitives import serialization

from tools.sim.cpython import certificates
from tools.sim.cpython.reading import Reads
from tools.sim.cpython.verify import MbedTlsError, Refused, parse, verify

__all__ = [
    "CERT_NONE",
    "CERT_OPTIONAL",
    "CERT_REQUIRED",
    "PROTOCOL_TLS_CLIENT",
    "PROTOCOL_TLS_SERVER",
    "SSLContext",
]

CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 0, 1

_UNIX_2000_S = 946_684_800
_HANDSHAKE, _CERTIFICATE = b"\x16", b"\x0b"  # of a record, and of a message in it
_ALERT = (21, 3, 3, 0, 2, 2)  # a fatal one in TLS 1.2; what it says comes behind it
_SIGNING_S = 0.02  # a chip takes ten times as long, and nothing else runs meanwhile, as here
_RECORD_BYTES = 4096  # MBEDTLS_SSL_OUT_CONTENT_LEN of the ESP32
_ENCODING_DER = 2
# As MicroPython's ESP32 has them; a short key is for `verify` to refuse.
_CIPHERS = "ECDHE+AESGCM:ECDHE+AESCCM:ECDHE+AES:kRSA+AES:@SECLEVEL=0"
_CONN_EOF = -0x7280, "MBEDTLS_ERR_SSL_CONN_EOF"
_BAD_INPUT = -0x7100, "MBEDTLS_ERR_SSL_BAD_INPUT_DATA"
_FATAL_ALERT = -0x7780, "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE"
_HANDSHAKE_FAILURE = -0x6E00, "MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE"
_BY_REASON = {  # of OpenSSL
    "WRONG_VERSION_NUMBER": (-0x7200, "MBEDTLS_ERR_SSL_INVALID_RECORD"),
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": (-0x7180, "MBEDTLS_ERR_SSL_INVALID_MAC"),
    "ENCRYPTED_LENGTH_TOO_LONG": _BAD_INPUT,
    "PACKET_LENGTH_TOO_LONG": _BAD_INPUT,
    "UNSUPPORTED_PROTOCOL": (-0x6E80, "MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION"),
}


def _cipher(name):
    """OpenSSL's name of "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256" and its like."""
    return name.removeprefix("TLS-").replace("-WITH-", "-").replace("AES-", "AES")


class SSLContext:
    """A TLS 1.2 configuration. A client verifies its server."""

    def __init__(self, protocol):
        self._is_server = protocol == PROTOCOL_TLS_SERVER
        self._context = _ssl.SSLContext(
            _ssl.PROTOCOL_TLS_SERVER if self._is_server else _ssl.PROTOCOL_TLS_CLIENT
        )
        self._context.maximum_version = self._context.minimum_version = _ssl.TLSVersion.TLSv1_2
        self._context.set_ciphers(_CIPHERS)
        self._context.check_hostname = False
        self._context.verify_mode = _ssl.CERT_NONE
        self._trusted = []
        self._verify_mode = CERT_NONE
        self.verify_mode = CERT_NONE if self._is_server else CERT_REQUIRED

    @property
    def verify_mode(self):
        """CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED."""
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._verify_mode = int(mode)
        if self._is_server:  # a client has its server verified by `verify`, not by OpenSSL
            self._context.verify_mode = _ssl.VerifyMode(mode)

    def set_ciphers(self, names, /):
        """Offer or take these alone, by mbedTLS's names; those of OpenSSL have the same words."""
        self._context.set_ciphers(":".join(_cipher(name) for name in names))

    def load_cert_chain(self, certificate, key, /):
        """Use a certificate and a key, PEM or DER, be it of another certificate; ValueError if bad."""
        _want_of_memory("key")
        pem = certificates.pair(certificate, key)
        with tempfile.NamedTemporaryFile() as file:  # OpenSSL takes no bytes; only the owner can read it
            file.write(pem)
            file.flush()
            self._context.load_cert_chain(file.name)

    def load_verify_locations(self, data, /):
        """Trust the certificates of `data`, PEM or DER; one that cannot be parsed spoils them all."""
        for certificate in certificates.parse(data):
            self._trusted.append(certificate)
            self._context.load_verify_locations(cadata=certificate.public_bytes(serialization.Encoding.DER))

    def wrap_socket(self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        """TLS on a connected (or connecting) socket."""
        if self.verify_mode == CERT_REQUIRED and not server_side and server_hostname is None:
            raise ValueError("CERT_REQUIRED requires server_hostname")
        _want_of_memory("connect")
        tls = SSLSocket(sock, self, server_side, server_hostname)
        if do_handshake_on_connect:
            tls._shake()
        return tls

    def _wrap(self, *arguments):
        return self._context.wrap_bio(*arguments)

    def _check(self, raw_chain, host):
        """Raise Refused where the server's certificates are not to be had."""
        chain = parse(raw_chain)
        try:
            _want_of_memory("handshake")
        except OSError as error:
            raise Refused(-abs(error.errno), None, error) from None
        if self._verify_mode == CERT_NONE:
            return
        now = datetime.datetime.fromtimestamp(sys.modules["time"].time() + _UNIX_2000_S, datetime.UTC)
        try:
            verify(chain, self._trusted, host, now)
        except Refused:
            if self._verify_mode == CERT_REQUIRED:
                raise


class SSLSocket(Reads):
    """A TLS stream; the handshake runs in whatever is called first. None from a call means: not ready yet.

    Its first error is also its last: all that is called after it says the same, but without words.
    """

    def __init__(self, sock, context, server_side, server_hostname):
        self.sock = sock
        self._in, self._out = _ssl.MemoryBIO(), _ssl.MemoryBIO()
        self._tls = context._wrap(self._in, self._out, server_side, server_hostname or None)
        self._check = context._check
        self._host = server_hostname
        self._unsent = b""
        self._accepted = 0  # bytes of a write that is encrypted, but not sent yet
        self._is_checked = server_side
        self._shaken = False
        self.error = 0  # mbedTLS's number, or minus the socket's

    def fileno(self):
        return self.sock.fileno() if self.sock else -1

    def setblocking(self, flag):
        self.sock.setblocking(flag)

    def close(self):
        """Close the socket, without a goodbye; not one whose handshake failed: mbedTLS let go of that."""
        if self.sock:
            self.sock.close()
            self.sock = None

    def pending(self):
        """Bytes that can be read without the socket."""
        return (self._tls.pending() or self._in.pending) if self._shaken else 0

    def wants_write(self, writing):
        """Whether it is the socket's writability to wait for: in a handshake, a write may wait for a read."""
        return writing if self._shaken else bool(self._unsent)

    def write(self, data):
        """Send some of `data`. After None, the same data have to be given again."""
        if self._accepted:
            self._run(lambda: 0)
        elif len(data):
            self._accepted = self._run(lambda: self._tls.write(data[:_RECORD_BYTES])) or 0
            if not self._accepted:
                return None
        if self._unsent:
            return None
        sent, self._accepted = self._accepted, 0
        return sent

    def getpeercert(self, binary_form=False):
        """The peer's certificate as DER bytes."""
        return self._tls.getpeercert(binary_form)

    def _some(self, size):
        return self._run(lambda: self._tls.read(size))

    def _blocks(self):
        return bool(self.sock) and self.sock.gettimeout() != 0

    def _shake(self):
        """Do the whole handshake; the socket blocks."""
        try:
            self._run(lambda: None)
        except OSError as error:
            if error.args == _CONN_EOF[:1]:
                raise MbedTlsError(*_CONN_EOF) from None
            raise

    def _run(self, action):
        """Do what may go on now; raise what is wrong, as the stream it happens in does."""
        if self.error:
            raise MbedTlsError(self.error)
        if not self.sock:
            self.error = _BAD_INPUT[0]
            raise MbedTlsError(*_BAD_INPUT)
        try:
            return self._go_on(action)
        except Refused as refused:
            self._out.read()  # the answer to the server: it gets none, or an alert
            if refused.alert is not None:
                self._unsent += bytes((*_ALERT, refused.alert))
            self._flush_if_possible()
            self.error, self.sock = refused.number, None
            raise refused.told from None
        except _ssl.SSLError as error:
            self._flush_if_possible()  # the alert
            raise self._failed(*_meaning(error)) from None
        except OSError as error:
            raise self._failed(-error.errno) from None

    def _failed(self, number, *name):
        """The error to raise: in the handshake with its name, or as the socket's; later as a number alone."""
        self.error = number
        if self._shaken or number == _CONN_EOF[0]:
            return MbedTlsError(number)
        self.sock = None
        return MbedTlsError(number, *name) if name else OSError(-number, errno.errorcode[-number])

    def _go_on(self, action):
        while True:
            try:
                if not self._shaken:
                    self._tls.do_handshake()
                    self._check_server()
                    self._shaken = True
                result = action()
            except _ssl.SSLWantReadError:
                self._check_server()
                self._flush()
                try:
                    data = self.sock.recv(16384)
                except BlockingIOError:
                    return None
                if data:
                    self._in.write(data)
                    continue
                if not self._shaken:
                    raise _ssl.SSLEOFError from None
                return b""
            except _ssl.SSLZeroReturnError:
                return b""
            self._flush()
            return result

    def _flush(self):
        self._unsent += self._out.read()
        if not self._shaken and self._unsent[:1] == _HANDSHAKE and self._unsent[5:6] == _CERTIFICATE:
            self._send_slowly()
        while self._unsent:
            try:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            except BlockingIOError:
                return

    def _send_slowly(self):
        """Send certificate and key exchange, and then sign, as the chip does: the server may hang up."""
        for _ in range(2):
            end = 5 + int.from_bytes(self._unsent[3:5], "big")
            try:
                self._unsent = self._unsent[self.sock.send(self._unsent[:end]) :]
            except BlockingIOError:
                return
            select.select((), (), (), _SIGNING_S)

    def _check_server(self):
        """Check the server's certificates before anything of ours that follows them leaves."""
        if self._is_checked:
            return
        chain = self._tls._sslobj.get_unverified_chain()
        if chain:
            self._is_checked = True
            self._check([raw.public_bytes(_ENCODING_DER) for raw in chain], self._host)

    def _flush_if_possible(self):
        with contextlib.suppress(OSError):
            self._flush()


def _want_of_memory(stage):
    """Raise what mbedTLS does where the world gives it no memory."""
    import _memory  # there in a simulated chip alone

    _memory.tls(stage)


def _meaning(error):
    """mbedTLS's number and name for an error of OpenSSL's."""
    if isinstance(error, _ssl.SSLEOFError):
        return _CONN_EOF
    reason = error.reason or ""
    return _FATAL_ALERT if "ALERT" in reason else _BY_REASON.get(reason, _HANDSHAKE_FAILURE)
