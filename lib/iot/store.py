"""The configuration and the thing's certificate as they are stored, each replaced whole or not at all."""

from micropython import const

from iot.memory import borrow

_CONFIG_SETS = const(
    ("config0", "config1")
)  # the certificates of a configuration; the record in NVS says which set
_THING_SET = const("thing")
_DOCUMENT = const("document")  # of which iot.configure may have left the start, with its keys
_RENEWAL = const("renewal")  # what iot.renewal remembers of certificates that were asked for
_BEING_ERASED = const(b"")  # as the record's value: the mark of a factory reset that has begun


class Store:
    """Keeps a validated configuration: certificates and keys in files, the rest in a record in NVS.

    The record is written last and names its set of files, so it alone decides which configuration counts.
    What other firmware has stored is read by iot.schema, and left as it is: loading changes nothing.

    Args:
        record: the Record for what is no certificate.
        credentials: the Credentials that hold the sets.
    """

    def __init__(self, record, credentials):
        self._record = record
        self._credentials = credentials

    def load(self):
        """The configuration without its certificates and keys, or None where there is none that is whole.

        Finishes a factory reset that was begun; else nothing is changed by it, whatever is found.
        """
        stored = self._stored()
        if stored is None and self._record.load() == _BEING_ERASED:
            self.erase()
        return stored["config"] if stored and self._credentials.load(_CONFIG_SETS[stored["set"]]) else None

    def save(self, document):
        """Replaces the configuration by a validated `document`; OSError where flash is full or fails."""
        from iot import schema  # not needed for reading what is stored

        aws = document["aws"]
        parts = {name: value for name, value in aws.items() if isinstance(value, bytes)}  # in DER
        plain = dict(document)
        plain["aws"] = {name: value for name, value in aws.items() if name not in parts}
        stored = self._stored()
        number = 1 - stored["set"] if stored else 0
        try:
            self._credentials.save(_CONFIG_SETS[number], parts)
            self._record.store(schema.written(number, plain))
        except (OSError, ValueError, MemoryError):
            if self._stored() == stored:  # it does not count, so its keys are not to stay behind
                self._credentials.remove(_CONFIG_SETS[number])
            raise
        for name in (_CONFIG_SETS[1 - number], _RENEWAL):
            self._credentials.remove(name)

    def erase(self):
        """Forgets the configuration, its certificates and the thing's own certificate.

        A mark comes first and goes last: cut anywhere, the next start finishes it.
        """
        self._record.store(_BEING_ERASED)
        for name in _CONFIG_SETS + (_THING_SET, _DOCUMENT, _RENEWAL):
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
        """Name, certificate and key of the thing: (str, DER, DER), or None where this endpoint gave none."""
        stored = self._stored()
        if stored is None:
            return None
        aws = stored["config"]["aws"]
        if "thing_name" in aws:
            own = self.certificates()
            return aws["thing_name"], own["certificate"], own["key"]
        parts = self._credentials.load(_THING_SET)
        if not parts or parts["endpoint"] != aws["endpoint"].encode():
            return None
        return str(parts["name"], "utf-8"), parts["certificate"], parts["key"]

    def save_thing(self, endpoint, name, certificate, key):
        """Stores what provisioning at `endpoint` earned; `certificate` and `key` in PEM, else ValueError."""
        pem = borrow("iot.pem")
        parts = {
            "name": name.encode(),
            "endpoint": endpoint.encode(),
            "certificate": pem.certificate(certificate),
            "key": pem.key(key),
        }
        self._credentials.save(_THING_SET, parts)

    def renewal(self, state=None):
        """The state of iot.renewal (bytes), None where there is none; `state` takes its place."""
        if state:
            self._credentials.save(_RENEWAL, {_RENEWAL: state})
            return state
        parts = self._credentials.load(_RENEWAL)
        return parts[_RENEWAL] if parts else None

    def _stored(self):
        """{"set": number, "config": with defaults filled in}, or None for none that can be read."""
        value = self._record.load()
        if not value:
            return None
        return borrow("iot.schema").read(value)
