"""The page and what it asks for: a WSGI application, for a Lambda behind API Gateway as for this computer."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.exceptions import HTTPException

from . import ids
from .access import Access, RefusedError
from .snapshots import Snapshots

PAGE = Path(__file__).with_name("page")
_FILES = {
    "index.html": "text/html",
    "app.js": "text/javascript",
    "words.js": "text/javascript",
    "style.css": "text/css",
    "common.css": "text/css",  # of the pages that set devices up, too: the project has it once
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' {pictures}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KEPT = "private, max-age=86400, immutable"  # a picture does not change, and its URL is its own
_log = logging.getLogger(__name__)


def make_app(snapshots: Snapshots, access: Access, folders: Sequence[Path] = (PAGE,)) -> Flask:
    """The application.

    Args:
        snapshots: what it shows and asks for.
        access: who may come.
        folders: have the page's files, the first that has one counts.
    """
    app = Flask(__name__, static_folder=None)
    policy = _POLICY.format(pictures=snapshots.pictures.origin())
    pictures = snapshots.pictures

    @app.before_request
    def watch() -> Response | None:
        return access.check(request)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in {**_HEADERS, "Content-Security-Policy": policy}.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/", defaults={"name": "index.html"})
    @app.get("/<name>")
    def file(name: str) -> Response:
        path = next((one / name for one in folders if (one / name).is_file()), None)
        if name not in _FILES or path is None:
            raise RefusedError(404, "There is no such file.")
        return _conditional(Response(path.read_bytes(), content_type=f"{_FILES[name]}; charset=utf-8"))

    @app.get("/api/cameras")
    def cameras() -> Response:
        found = [{"name": name, "online_s": online_s} for name, online_s in pictures.cameras()]
        return _conditional(jsonify(cameras=found))

    @app.get("/api/cameras/<thing>")
    def camera(thing: str) -> Response:
        return _conditional(jsonify(snapshots.look(_checked(thing))))

    @app.post("/api/cameras/<thing>/snapshots")
    def ask(thing: str) -> tuple[Response, int]:
        return jsonify(id=snapshots.ask(_checked(thing))), 202

    @app.get("/pictures/<thing>/<snapshot>.jpg")
    def picture(thing: str, snapshot: str) -> Any:
        found = pictures.find(_checked(thing), snapshot) if ids.made_ms(snapshot) is not None else None
        if found is None:
            raise RefusedError(404, "There is no such picture; after its days here it is removed.")
        if found.url:
            return redirect(found.url)
        response = Response(found.data, content_type="image/jpeg", headers={"Cache-Control": _KEPT})
        response.set_etag(found.etag.strip('"'))
        return response.make_conditional(request)

    @app.errorhandler(RefusedError)
    def refused(error: RefusedError) -> tuple[Response, int]:
        return jsonify(error=error.text), error.status

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[Response, int]:
        if isinstance(error, HTTPException):
            return jsonify(error=error.description), error.code or 500
        _log.error("%s %s: %s: %s", request.method, request.path, type(error).__name__, error)
        return jsonify(error="The service cannot reach its cloud now; its log has the reason."), 502

    def _checked(thing: str) -> str:
        if not ids.THING.fullmatch(thing):
            raise RefusedError(404, "No camera can be called so.")
        return thing

    return app


def _conditional(response: Response) -> Response:
    """With an ETag of what it has, and 304 without a body for who has it already."""
    response.add_etag()
    response.make_conditional(request)
    return response
