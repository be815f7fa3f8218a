"""What the service says (AWS: "Response state documents", "Error response document")."""

from ..errors import AwsError, InternalFailureException
from .document import Document, Tree, stamped


def found(document: Document, now_s: int) -> Tree:
    """get/accepted: all there is, the delta too."""
    state, metadata = document.state, document.metadata
    difference, stamps = document.delta()
    if difference:
        state, metadata = state | {"delta": difference}, metadata | {"delta": stamps}
    return _snapshot(document.version, state, metadata) | {"timestamp": now_s}


def accepted(document: Document, patch: Tree | None, now_s: int) -> Tree:
    """update/accepted: what was asked for, nulls too."""
    return _snapshot(document.version, patch, stamped(patch, now_s)) | {"timestamp": now_s}


def difference(document: Document, now_s: int) -> Tree | None:
    """update/delta, None where nothing differs."""
    state, metadata = document.delta()
    return _snapshot(document.version, state, metadata) | {"timestamp": now_s} if state else None


def documents(previous: Document, current: Document, now_s: int) -> Tree:
    """update/documents: before and after; before the first there was nothing."""
    before, after = (_snapshot(it.version, it.state, it.metadata) for it in (previous, current))
    return {"previous": before if previous.exists else None, "current": after, "timestamp": now_s}


def deleted(document: Document, now_s: int) -> Tree:
    """delete/accepted."""
    return {"version": document.version, "timestamp": now_s}


def rejected(error: AwsError) -> Tree:
    """…/rejected."""
    text = "Internal service failure" if isinstance(error, InternalFailureException) else str(error)
    return {"code": error.status, "message": text}


def _snapshot(version: int, state: Tree | None, metadata: Tree) -> Tree:
    return {"state": state, "metadata": metadata, "version": version}
