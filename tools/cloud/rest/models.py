"""Which operation a request means, by AWS's own service models, which botocore brings."""

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

SERVICES = ("iot", "iot-data", "iot-jobs-data")

_SCOPE = re.compile(r"Credential=[^/,]*/[^/,]*/[^/,]*/([^/,]+)/aws4_request")
_LABEL = re.compile(r"\{([A-Za-z0-9]+)(\+?)\}")
_WHOLE_REST = ("topic",)  # AWS takes a topic's slashes as they are, too


@dataclass(frozen=True)
class Request:
    """What a method and a path mean: the service, its operation and the values in the path."""

    service: str
    operation: OperationModel
    labels: dict[str, str]


@dataclass(frozen=True)
class _Route:
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    operation: OperationModel


class Models:
    """The operations of the three services; reading them takes 0.1 s."""

    def __init__(self) -> None:
        loader = Loader()
        self.services = {
            name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in SERVICES
        }
        self._by_scope = {model.signing_name: name for name, model in self.services.items()}
        self._routes: dict[tuple[str, str], list[_Route]] = {}
        for name, model in self.services.items():
            for operation_name in model.operation_names:
                operation = model.operation_model(operation_name)
                route = _route(operation)
                self._routes.setdefault((name, operation.http["method"]), []).append(route)
        for routes in self._routes.values():  # a path that a template has word for word is before a label's
            routes.sort(key=lambda route: len(route.labels))

    def find(self, authorization: str, method: str, path: str) -> Request | None:
        """The operation of a request, None where there is none.

        Args:
            authorization: the header of this name, whose scope names the service; where it does not, the
                services are tried in turn.
            method: HTTP's.
            path: as it was sent, percent-encoded.
        """
        scope = _SCOPE.search(authorization)
        signed = self._by_scope.get(scope[1]) if scope else None
        canonical = _canonical(path)
        for service in (signed,) if signed else SERVICES:
            for route in self._routes.get((service, method), ()):
                if found := route.pattern.fullmatch(canonical):
                    values = map(unquote, found.groups())
                    return Request(service, route.operation, dict(zip(route.labels, values, strict=True)))
        return None


def is_for_s3(authorization: str) -> bool:
    """Whether a request is signed for S3."""
    scope = _SCOPE.search(authorization)
    return scope is not None and scope[1] == "s3"


def _route(operation: OperationModel) -> _Route:
    template = operation.http["requestUri"]
    labels = tuple(name for name, _ in _LABEL.findall(template))
    parts: list[str] = []
    end = 0
    for label in _LABEL.finditer(template):
        parts.append(re.escape(_canonical(template[end : label.start()])))
        parts.append("(.+)" if label[2] or label[1] in _WHOLE_REST else "([^/]+)")
        end = label.end()
    parts.append(re.escape(_canonical(template[end:])))
    return _Route(re.compile("".join(parts)), labels, operation)


def _canonical(path: str) -> str:
    """boto3 writes `$next` where another client writes `%24next`: one form for both."""
    return "/".join(quote(unquote(part), safe="") for part in path.split("/"))


@cache
def models() -> Models:
    """The models, read once in a process."""
    return Models()
