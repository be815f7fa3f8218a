"""MicroPython's `cryptolib` as the ESP32 has it: AES in ECB and CBC, without padding."""

_ECB, _CBC = 1, 2
_BLOCK_BYTES = 16


class aes:
    """A cipher for one direction: the first call decides which."""

    def __init__(self, key, mode, IV=None):
        if len(key) not in (16, 32):
            raise ValueError("key")
        if mode not in (_ECB, _CBC) or (mode == _CBC and IV is None):
            raise ValueError("mode")
        if mode == _CBC and len(IV) != _BLOCK_BYTES:
            raise ValueError("IV")
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # takes a while

        chosen = modes.ECB() if mode == _ECB else modes.CBC(bytes(IV))  # noqa: S305
        self._cipher = Cipher(algorithms.AES(bytes(key)), chosen)
        self._direction = None

    def encrypt(self, in_buf, *out_buf):
        """The ciphertext, or None where it went to `out_buf`."""
        return self._process("encryptor", in_buf, *out_buf)

    def decrypt(self, in_buf, *out_buf):
        """The plaintext, or None where it went to `out_buf`."""
        return self._process("decryptor", in_buf, *out_buf)

    def _process(self, direction, in_buf, *out_buf):
        if len(in_buf) % _BLOCK_BYTES:
            raise ValueError("blksize % 16")
        if self._direction is None:
            self._direction, self._context = direction, getattr(self._cipher, direction)()
        elif self._direction != direction:
            raise ValueError("can't encrypt & decrypt")
        result = self._context.update(bytes(in_buf))
        if not out_buf:
            return result
        if len(out_buf[0]) < len(result):
            raise ValueError("output too small")
        out_buf[0][: len(result)] = result
        return None
