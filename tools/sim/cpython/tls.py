"""MicroPython's `tls` (mbedTLS) on CPython's: its defaults, its errors, dates by the device's own clock."""

import contextlib
import datetime
import re
import select
import ssl as _ssl
import sys
import tempfile

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

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

_NO_CHECK_TIME, _PARTIAL_CHAIN = 0x200000, 0x80000  # X509_V_FLAG_…
_UNIX_2000_S = 946_684_800
_HOSTNAME_MISMATCH, _IP_MISMATCH = 62, 64  # X509_V_ERR_…
# With newlines around each, as MicroPython has mbedTLS say it.
_FUTURE = "\nThe certificate validity starts in the future\n"
_EXPIRED = "\nThe certificate validity has expired\n"
_WRONG_NAME = "\nThe certificate Common Name (CN) does not match with the expected CN\n"
_NOT_TRUSTED = "\nThe certificate is not correctly signed by the trusted CA\n"
_ALERT_EXPIRED, _ALERT_UNKNOWN = 45, 46  # RFC 5246 section 7.2
_HANDSHAKE, _CERTIFICATE = b"\x16", b"\x0b"  # of a record, and of a message in it
_SIGNING_S = 0.02  # a chip takes ten times as long, and nothing else runs meanwhile, as here
_RECORD_BYTES = 4096  # MBEDTLS_SSL_OUT_CONTENT_LEN of the ESP32
_ENCODING_DER = 2
_FATAL_ALERT = -0x7780  # MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
_CONN_EOF = -0x7280  # MBEDTLS_ERR_SSL_CONN_EOF
_HEADER_END = re.compile(rb" ?\r?\n")
_IN_LINE = re.compile(rb"[ \t]+[^ \n]")  # blanks may end a line, and nothing else
_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class SSLContext:
    """A TLS 1.2 configuration. A client verifies its server."""

    def __init__(self, protocol):
        server = protocol == PROTOCOL_TLS_SERVER
        self._context = _ssl.SSLContext(_ssl.PROTOCOL_TLS_SERVER if server else _ssl.PROTOCOL_TLS_CLIENT)
        self._context.maximum_version = self._context.minimum_version = _ssl.TLSVersion.TLSv1_2
        self._context.verify_flags |= _NO_CHECK_TIME | _PARTIAL_CHAIN
        self.verify_mode = CERT_NONE if server else CERT_REQUIRED

    @property
    def verify_mode(self):
        """CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED."""
        return int(self._context.verify_mode)

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.check_hostname = False
        self._context.verify_mode = _ssl.VerifyMode(mode)

    def load_cert_chain(self, certificate, key, /):
        """Use a certificate and its key, PEM or DER; ValueError if bad."""
        _want_of_memory("key")
        try:
            pem_key = _key_as_pem(bytes(key))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("invalid key") from None
        pem_chain = b"\n".join(_certificate_as_pem(one) for one in _certificates(certificate))
        with tempfile.NamedTemporaryFile() as file:  # OpenSSL takes no bytes; only the owner can read it
            file.write(pem_chain + b"\n" + pem_key)
            file.flush()
            try:
                self._context.load_cert_chain(file.name)
            except _ssl.SSLError:
                raise ValueError("invalid key") from None

    def load_verify_locations(self, data, /):
        """Trust the certificates of `data`, PEM or DER; one that cannot be parsed spoils them all."""
        for certificate in _certificates(data):
            self._context.load_verify_locations(cadata=certificate.public_bytes(serialization.Encoding.DER))

    def wrap_socket(self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        """TLS on a connected (or connecting) socket."""
        if self.verify_mode == CERT_REQUIRED and not server_side:
            if not server_hostname:
                raise ValueError("CERT_REQUIRED requires server_hostname")
            self._context.check_hostname = True
        _want_of_memory("connect")
        return SSLSocket(self._context, sock, server_side, server_hostname, do_handshake_on_connect)


class SSLSocket:
    """A TLS stream; the handshake runs in whatever is called first. None from a call means: not ready yet."""

    def __init__(self, context, sock, server_side, server_hostname, handshake):
        self.sock = sock
        self._in, self._out = _ssl.MemoryBIO(), _ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side, server_hostname)
        self._verify = context.verify_mode != _ssl.CERT_NONE and not server_side
        self._unsent = b""
        self._accepted = 0  # bytes of a write that is encrypted, but not sent yet
        self._shaken = False
        if handshake:
            self._run(lambda: None)

    def fileno(self):
        return self.sock.fileno()

    def setblocking(self, flag):
        self.sock.setblocking(flag)

    def close(self):
        self.sock.close()  # without a goodbye, as MicroPython

    def pending(self):
        """Bytes that can be read without the socket."""
        return (self._tls.pending() or self._in.pending) if self._shaken else 0

    def wants_write(self, writing):
        """Whether it is the socket's writability to wait for: in a handshake, a write may wait for a read."""
        return writing if self._shaken else bool(self._unsent)

    def read(self, size=-1):
        data = b""
        while True:
            part = self._run(lambda: self._tls.read(4096 if size < 0 else size))
            if part is None:
                return data or None
            if size >= 0 or not part:
                return data + part
            data += part

    def readinto(self, buffer, size=None):
        size = len(buffer) if size is None else size
        data = self._run(lambda: self._tls.read(size))
        if data is not None:
            buffer[: len(data)] = data
            return len(data)
        return None

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            part = self.read(1)
            if not part:
                return line or part
            line += part
        return line

    def write(self, data):
        """Send some of `data`. After None, the same data have to be given again."""
        if self._accepted:
            self._flush()
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

    def _run(self, action):
        while True:
            try:
                if not self._shaken:
                    self._tls.do_handshake()
                    self._check_dates()
                    self._shaken = True
                result = action()
            except _ssl.SSLWantReadError:
                self._check_dates()
                self._flush()
                if not self._fill():
                    return None
                continue
            except _ssl.SSLZeroReturnError:
                return b""
            except _ssl.SSLCertVerificationError as error:
                self._flush()  # the alert
                raise ValueError(_verification_text(error)) from None
            except _ssl.SSLEOFError:
                if self._shaken:
                    return b""
                raise OSError(_CONN_EOF, "MBEDTLS_ERR_SSL_CONN_EOF") from None
            except _ssl.SSLError as error:
                with contextlib.suppress(OSError):
                    self._flush()
                raise OSError(_FATAL_ALERT, f"MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: {error.reason}") from None
            self._flush()
            return result

    def _fill(self):
        """Take what the socket has; False if that is nothing yet."""
        try:
            data = self.sock.recv(16384)
        except BlockingIOError:
            return False
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        return True

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

    def _check_dates(self):
        """Check the dates of the server's chain before anything of ours that follows it leaves."""
        if not self._verify or self._shaken:
            return
        chain = self._tls._sslobj.get_unverified_chain()
        if chain:
            _want_of_memory("handshake")
        now = datetime.datetime.fromtimestamp(sys.modules["time"].time() + _UNIX_2000_S, datetime.UTC)
        for raw in chain or ():
            certificate = x509.load_der_x509_certificate(raw.public_bytes(_ENCODING_DER))
            if now < certificate.not_valid_before_utc:
                self._refuse(_ALERT_UNKNOWN, _FUTURE)
            if now > certificate.not_valid_after_utc:
                self._refuse(_ALERT_EXPIRED, _EXPIRED)

    def _refuse(self, alert, text):
        self._out.read()
        self._unsent += bytes((21, 3, 3, 0, 2, 2, alert))
        self._flush()
        raise ValueError(text)


def _want_of_memory(stage):
    """Raise what mbedTLS does where the world gives it no memory."""
    import _memory  # there in a simulated chip alone

    _memory.tls(stage)


def _verification_text(error):
    if error.verify_code in (_HOSTNAME_MISMATCH, _IP_MISMATCH):
        return _WRONG_NAME
    return _NOT_TRUSTED


def _certificates(data):
    """Every certificate of PEM or DER data; ValueError if there is none or one that mbedTLS cannot load."""
    data = data.encode() if isinstance(data, str) else bytes(data)
    try:
        if b"-----BEGIN " not in data:
            found = [x509.load_der_x509_certificate(data)]
        else:
            found = [x509.load_pem_x509_certificate(block) for block in _PEM_CERTIFICATE.findall(data)]
            if len(found) != data.count(b"-----BEGIN CERTIFICATE-----") or not _in_lines(data):
                raise ValueError
        loads = all(_loads(one.public_key()) and _hashes(one) for one in found)
    except (ValueError, UnsupportedAlgorithm):
        loads = found = False
    if not found or not loads:
        raise ValueError("invalid cert") from None
    return found


def _in_lines(data):
    """Whether each PEM block has its lines: without them mbedTLS finds no block, or bad base64."""
    bodies = [block.partition(b"-----")[2].partition(b"-----")[0] for block in data.split(b"-----BEGIN ")[1:]]
    return all(_HEADER_END.match(body) and not _IN_LINE.search(body.replace(b"\r", b"")) for body in bodies)


def _loads(public_key):
    """Whether mbedTLS as MicroPython's ESP32 port has it knows a key's kind."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return isinstance(public_key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
    return isinstance(public_key, rsa.RSAPublicKey)


def _hashes(certificate):
    """Whether it knows the signature's: not RSA-PSS, nor those without a hash, such as Ed25519's."""
    is_pss = certificate.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS
    return certificate.signature_hash_algorithm is not None and not is_pss


def _certificate_as_pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_as_pem(data):
    is_pem = b"-----BEGIN " in data
    load = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
    key = load(data, None)
    if (is_pem and not _in_lines(data)) or not _loads(key.public_key()):
        raise ValueError
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
