"""The reserved topics of AWS IoT Core (Developer Guide, "Reserved topics")."""


def create_keys():
    """CreateKeysAndCertificate of the device provisioning MQTT API."""
    return "$aws/certificates/create/json"


def register_thing(template):
    """RegisterThing of the device provisioning MQTT API; `template` has 1 to 36 of `0-9A-Za-z_-`."""
    return "$aws/provisioning-templates/" + template + "/provision/json"


def accepted(topic):
    """Where the service answers a request on `topic` that it grants."""
    return topic + "/accepted"


def rejected(topic):
    """Where the service answers a request on `topic` that it refuses."""
    return topic + "/rejected"
