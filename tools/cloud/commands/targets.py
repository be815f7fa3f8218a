"""Whom a command is for: a thing or a client, as an ARN and as the levels of a topic."""

from .. import names
from ..errors import ValidationException
from ..registry import Registry
from .values import is_unicode

_KINDS = {"thing": "things", "client": "clients"}


class Targets:
    """Takes ARNs apart; raises ValidationException for one that is of nothing here.

    Args:
        registry: the things.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def name(self, arn: str) -> str:
        """`things/NAME` of `…:thing/NAME`, `clients/ID` of `…:client/ID`."""
        kind = "client" if arn.startswith(self._registry.arn("client/")) else "thing"
        return f"{_KINDS[kind]}/{self._rest('targetArn', arn, kind)}"

    def existing(self, arn: str) -> str:
        """The same, of a thing of the registry or of any client. Raises ResourceNotFoundException."""
        kind, _, name = (target := self.name(arn)).partition("/")
        if kind == "things":
            names.check("targetArn: thing", name, names.THING_NAME)
            self._registry.describe_thing(thingName=name)
        elif set(name) & set("+#\0") or len(name.encode()) > 128:
            raise ValidationException(f"targetArn: {name!r} is no client id that a topic can have")
        return target

    def arn(self, target: str) -> str:
        """The ARN of `things/NAME` or `clients/ID`."""
        kind, _, name = target.partition("/")
        return self._registry.arn(f"{kind.removesuffix('s')}/{name}")

    def command_id(self, arn: str) -> str:
        return self._rest("commandArn", arn, "command")

    def _rest(self, what: str, arn: str, kind: str) -> str:
        prefix = self._registry.arn(f"{kind}/")
        if not arn.startswith(prefix) or arn == prefix or not is_unicode(arn):
            raise ValidationException(f"{what}: {arn!r} is none ({prefix}…)")
        return arn.removeprefix(prefix)
