"""The configuration and the thing's certificate as they are stored, each replaced whole or not at all."""

import binascii
import errno
import os
import struct

from micropython import const

from iot.memory import borrow

_CONFIG_SETS = const(
    ("config0", "config1")
)  # the certificates of a configuration; the record in NVS says which set
_THING_SET = const("thing")
_NEXT_SET = const("next")  # what takes its place once the broker has taken it
_DOCUMENT = const("document")  # of which iot.console.configure may have left the start, with its keys
_JOB = const("job")  # the last one of a cloud that keeps none (iot.clouds.execution)
_RENEWAL = const("renewal")  # what iot.aws.renewal remembers of certificates that were asked for
_CORES = const("greengrass.cores")  # what iot.aws.discovery keeps
_BEFORE = const("before")  # the record of the configuration that comes back, while another is on trial
_PART = const(">BH")  # length of a part's name, length of its bytes
_PART_SIZE = const(3)
_CHECKSUM = const(">I")  # CRC-32 of all before it, at the end of a set's file
_CHECKSUM_SIZE = const(4)
_FILE_MAX = const(16384)
_BEING_ERASED = const(b"")  # as the record's value: the mark of a factory reset that has begun


class Store:
    """Keeps a validated configuration: certificates and keys in files, the rest in a record in NVS.

    The record is written last and names its set of files, so it alone decides which configuration counts.
    What other firmware has stored is read by iot.storage.schema, and left as it is: loading changes nothing.

    Args:
        record: the Record for what is no certificate.
        credentials: the Credentials that hold the sets.
        stored: that of another Store since which nothing was saved or erased: the record is not read again.

    Attributes:
        stored: {"set": number, "cloud": name of its section, "config": with defaults filled in}, once it is
            loaded also "light", as iot.crypto.x509.is_light of all that it connects to; None where none
            is, or none was read.
        on_trial: whether what `thing` found is a certificate that no broker has taken yet.
    """

    def __init__(self, record, credentials, stored=None):
        self._record = record
        self._credentials = credentials
        self.stored = stored
        self.on_trial = False

    def load(self):
        """The configuration without its certificates and keys, or None where there is none that is whole.

        Finishes a factory reset that was begun; else nothing is changed by it, whatever is found.
        """
        value = self._record.load()
        if value == _BEING_ERASED:
            self.erase()
        self.stored = stored = _parsed(value)
        own = stored and self._credentials.load(_CONFIG_SETS[stored["set"]])
        if not own:
            return None
        config = stored["config"]
        roots, section = own.get("root_ca", b""), config[stored["cloud"]]
        is_light = borrow("iot.crypto.x509").is_light(roots, section["endpoint"])
        stored["light"] = is_light and _CORES[:10] not in section  # whose keys are RSA's
        return config

    def save(self, document, on_trial=False):
        """Replaces the configuration by a validated `document`; OSError where flash is full or fails.

        on_trial: the one before it stays beside it, until `settle_configuration`.
        """
        cloud = borrow("iot.storage.schema").cloud(document)
        section = document[cloud]
        parts = {name: value for name, value in section.items() if isinstance(value, bytes)}
        plain = dict(document)
        plain[cloud] = {name: value for name, value in section.items() if name not in parts}
        before = self._record.load()
        stored = _parsed(before)
        number = 1 - stored["set"] if stored else 0
        if on_trial:
            self._credentials.save(_BEFORE, {_BEFORE: before})
        else:  # first: what comes next takes the place of its certificates
            self._credentials.remove(_BEFORE)
        try:
            self._credentials.save(_CONFIG_SETS[number], parts)
            self._record.store(borrow("iot.storage.schema").written(number, plain))
        except (OSError, ValueError, MemoryError):
            if self._read() == stored:  # it does not count, so neither its keys nor its trial stay behind
                for name in (_BEFORE, _CONFIG_SETS[number]):
                    self._credentials.remove(name)
            raise
        self.stored = None
        for name in (_RENEWAL,) if on_trial else (_CONFIG_SETS[1 - number], _RENEWAL):
            self._credentials.remove(name)

    def settle_configuration(self, is_kept):
        """Ends the trial of a configuration, which stays or gives way to the one before it.

        Returns whether there was one on trial. OSError, ValueError where flash is full or fails.
        """
        parts = self._credentials.load(_BEFORE)
        if not parts:
            return False
        if not is_kept:
            self._record.store(parts[_BEFORE])
        self.stored = None
        other = _CONFIG_SETS[1 - self._stored()["set"]]
        # What leads to them goes before the other's certificates.
        for name in (_BEFORE, other) if is_kept else (_BEFORE, other, _NEXT_SET):
            self._credentials.remove(name)
        if is_kept and "hub" in (self._credentials.load(_NEXT_SET) or ()):  # there is no certificate to try
            self.settle(True)
        return True

    def erase(self):
        """Forgets the configuration, its certificates and the thing's own certificate.

        A mark comes first and goes last: cut anywhere, the next start finishes it.
        """
        self.stored = None
        self._record.store(_BEING_ERASED)
        for name in _CONFIG_SETS + (_THING_SET, _NEXT_SET, _DOCUMENT, _RENEWAL, _BEFORE, _JOB, _CORES):
            self._credentials.remove(name)
        self._record.erase()

    def certificates(self):
        """The certificates and keys of the configuration in DER: {"root_ca": one or more, "claim_key": …}."""
        return self._credentials.load(_CONFIG_SETS[self._stored()["set"]]) or {}

    def claim_credentials(self):
        """Root certificates, certificate and key for a connection by the claim."""
        own = self.certificates()
        return own["root_ca"], own["claim_certificate"], own["claim_key"]

    def thing_credentials(self):
        """Root certificates, certificate and key for a connection as the thing."""
        _, certificate, key = self.thing()
        return self.certificates()["root_ca"], certificate, key

    def thing(self):
        """Name, certificate and key of the thing: (str, DER, DER), or None where this endpoint gave none.

        Those on trial come first. Clouds that know a device by its id have perhaps no certificate (None);
        "{id}" in the name is the device's own.
        """
        self.on_trial = False
        if self._stored() is None:
            return None
        section = self._section()
        known = section.get("thing_name", section.get("device_id"))
        if known and "id_scope" not in section:
            own = self.certificates()
            return known, own.get("certificate"), own.get("key")
        name, parts = self._earned()
        if name is None:
            return None
        self.on_trial = name == _NEXT_SET
        own = parts if "key" in parts else self.certificates()
        return str(parts["name"], "utf-8"), own.get("certificate"), own.get("key")

    def hub(self):
        """The host that provisioning has assigned to the thing (Azure's), None where none has."""
        hub = self._earned()[1].get("hub")
        return hub and str(hub, "utf-8")

    def save_assigned(self, name, hub):
        """Stores what provisioning of the configuration's has assigned: the thing's name, and its host."""
        parts = {"name": name.encode(), "endpoint": _origin(self._section()), "hub": hub.encode()}
        self._save_earned(parts, False)

    def job(self, parts=None):
        """What is known of the last job where the cloud does not keep it: {name: bytes}, or None."""
        if parts:
            self._credentials.save(_JOB, parts)
        return parts or self._credentials.load(_JOB)

    def save_thing(self, endpoint, name, certificate, key, on_trial=False):
        """Stores what provisioning at `endpoint` earned; ValueError where it is no certificate or no key.

        Args:
            certificate: in PEM.
            key: in PEM or DER.
            on_trial: the one before it stays beside it, until `settle`; so it does while the configuration is
                on trial, which may have led to another cloud.
        """
        pem = borrow("iot.crypto.pem")
        parts = {
            "name": name.encode(),
            "endpoint": endpoint.encode(),
            "certificate": pem.certificate(certificate),
            "key": pem.key(key),
        }
        self._save_earned(parts, on_trial)

    def settle(self, is_kept):
        """Ends the trial: the certificate takes the place of the one before it, or is thrown away."""
        if is_kept:
            self._credentials.rename(_NEXT_SET, _THING_SET)
        else:
            self._credentials.remove(_NEXT_SET)

    def renewal(self, state=None):
        """The state of iot.aws.renewal (bytes), None where there is none; `state` takes its place."""
        if state:
            self._credentials.save(_RENEWAL, {_RENEWAL: state})
            return state
        parts = self._credentials.load(_RENEWAL)
        return parts[_RENEWAL] if parts else None

    def _earned(self):
        """The set that this configuration's endpoint gave: its name and its parts; (None, {}) for none."""
        origin = _origin(self._section())
        for name in (_NEXT_SET, _THING_SET):
            parts = self._credentials.load(name)
            if parts and parts["endpoint"] == origin:
                return name, parts
        return None, {}

    def _save_earned(self, parts, on_trial):
        if on_trial or self._credentials.load(_BEFORE):
            self._credentials.save(_NEXT_SET, parts)
        else:
            self._credentials.save(_THING_SET, parts)
            self._credentials.remove(_NEXT_SET)

    def _section(self):
        stored = self._stored()
        return stored["config"][stored["cloud"]]

    def _stored(self):
        if self.stored is None:
            self.stored = self._read()
        return self.stored

    def _read(self):
        return _parsed(self._record.load())


def _origin(section):
    """Where a thing's name comes from, as bytes."""
    endpoint = section["endpoint"]
    if "id_scope" in section:
        endpoint = " ".join((endpoint, section["id_scope"], section["device_id"]))
    return endpoint.encode()


def _parsed(value):
    return borrow("iot.storage.schema").read(value) if value else None


class Credentials:
    """Named sets of credentials, each a dictionary of byte strings: certificates and keys in DER or PEM.

    A set is a file, so that it is replaced whole or not at all.

    Args:
        folder: path of the folder that holds them; made with the first set.
    """

    def __init__(self, folder):
        self._folder = folder

    def save(self, name, parts):
        """Stores the set `name`: after a cut of power the old or the new one is there (rename is atomic).

        Args:
            name: file name of the set.
            parts: {name: bytes}; names up to 255 bytes, all together up to 16 KiB.

        Raises:
            ValueError: too large.
            OSError: the file system is full or fails.
        """
        size = sum(_PART_SIZE + len(key.encode()) + len(data) for key, data in parts.items())
        if size + _CHECKSUM_SIZE > _FILE_MAX:
            raise ValueError("{}: {} bytes, at most {}".format(name, size, _FILE_MAX - _CHECKSUM_SIZE))
        self._make_folder()
        temporary = self._path(name + ".new")
        checksum = 0
        with open(temporary, "wb") as file:
            for part, data in parts.items():
                key = part.encode()
                for piece in (struct.pack(_PART, len(key), len(data)), key, data):
                    file.write(piece)
                    checksum = binascii.crc32(piece, checksum)
            file.write(struct.pack(_CHECKSUM, checksum))
        os.rename(temporary, self._path(name))

    def load(self, name):
        """The set `name` as {name: bytes}, or None where there is none or it is damaged."""
        try:
            file = open(self._path(name), "rb")  # noqa: SIM115
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return None
        with file:
            size = file.seek(0, 2)
            file.seek(0)
            return _parts(file, size - _CHECKSUM_SIZE)

    def rename(self, name, other):
        """Has the set `name` take the place of `other`: after a cut of power either one or the other has."""
        os.rename(self._path(name), self._path(other))

    def remove(self, name):
        """Removes the set `name` and what a broken-off `save` may have left of it."""
        for path in (self._path(name + ".new"), self._path(name)):
            try:
                os.remove(path)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise

    def _path(self, name):
        return self._folder + "/" + name

    def _make_folder(self):
        try:
            os.stat(self._folder)
        except OSError:
            os.mkdir(self._folder)


def _parts(file, left):
    """The parts in the first `left` bytes of a set's file, or None where it is not whole."""
    parts = []
    checksum = 0
    while left > 0:
        head = file.read(_PART_SIZE)
        if len(head) < _PART_SIZE:
            return None
        key_size, size = struct.unpack(_PART, head)
        left -= _PART_SIZE + key_size + size
        if left < 0:  # a damaged length: it must not be allocated
            return None
        key, data = file.read(key_size), file.read(size)
        for piece in (head, key, data):
            checksum = binascii.crc32(piece, checksum)
        parts.append((key, data))
    if file.read(_CHECKSUM_SIZE) != struct.pack(_CHECKSUM, checksum):
        return None
    return {str(key, "utf-8"): data for key, data in parts}
