"""The page as a WSGI application: `/`, its files, what it asks for, and the export.

It only reads. No answer may be taken by a page of another origin, and the page itself asks nobody
but the exporter that served it.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from exporter.page.answers import about_lake, json_bytes, newest_ranking, view_of_pair
from exporter.page.download import csv_of_view
from exporter.page.files import page_files
from exporter.page.parameters import parse_query
from exporter.page.rules import beside_view
from exporter.page.slots import BusyError, Slots
from spreadlake.errors import (
    InputError,
    ObjectStorageError,
    RemovedError,
    SpreadlakeError,
    UnavailableError,
)
from spreadlake.lake import Lake
from spreadlake.lake.cold.note import check_record

_log = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = [
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_JSON = "application/json"


class Answer(NamedTuple):
    """Status, headers beside those of every answer, and body."""

    status: str
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


class Page:
    """Answers what is asked of the page; two questions and two exports at a time by default.

    Some more wait for their turn, and whoever comes beyond them is told to ask again: metrics
    are scraped meanwhile, whatever is asked here.
    """

    def __init__(
        self,
        lake: Lake,
        questions: Slots | None = None,
        program: str = "spreadlake",
        grafana: str | None = None,
    ) -> None:
        self._lake = lake
        self._files = page_files()
        self._questions = questions or Slots(2, waiting=16, seconds=20.0)
        self._exports = Slots(2, waiting=4, seconds=20.0)
        self._answers: dict[str, Callable[[str], object]] = {
            "/api/lake": lambda query: _without(query, about_lake, lake),
            "/api/screen": lambda query: _without(query, newest_ranking, lake),
            "/api/pair": lambda query: view_of_pair(lake, query),
            "/api/rule": lambda query: beside_view(lake, query, program, grafana),
        }

    def has(self, path: str) -> bool:
        """Whether the path is one of the page's."""
        return path in self._files or path in self._answers or path == "/pair.csv"

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        answer = self._answer(environ)
        start_response(answer.status, [*answer.headers, *_ALWAYS])
        if environ["REQUEST_METHOD"] == "HEAD":
            _close(answer.body)
            return []
        return answer.body

    def _answer(self, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            told = _told("405 Method Not Allowed", "the page is only read: GET and HEAD")
            return told._replace(headers=[*told.headers, ("Allow", "GET, HEAD")])
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if path in self._files:
            return self._file(path, environ)
        try:
            return self._export(query) if path == "/pair.csv" else self._ask(path, query)
        except (InputError, RemovedError) as error:
            return _told("400 Bad Request", str(error))
        except (BusyError, UnavailableError, ObjectStorageError) as error:
            told = _told("503 Service Unavailable", str(error))
            return told._replace(headers=[*told.headers, ("Retry-After", "1")])
        except SpreadlakeError as error:
            return _told("500 Internal Server Error", str(error))
        except Exception:  # noqa: BLE001 whatever it is, the exporter goes on
            _log.exception("could not answer %s?%s", path, query)
            return _told("500 Internal Server Error", "an error of the exporter; its log has it")

    def _file(self, path: str, environ: dict[str, Any]) -> Answer:
        file = self._files[path]
        headers = [("ETag", file.tag), ("Cache-Control", "no-cache")]
        if environ.get("HTTP_IF_NONE_MATCH") == file.tag:
            return Answer("304 Not Modified", headers, [])
        return Answer("200 OK", [*headers, *_about(file.kind, file.content)], [file.content])

    def _ask(self, path: str, query: str) -> Answer:
        check_record(self._lake)
        with self._questions.one():
            body = json_bytes(self._answers[path](query))
        return Answer("200 OK", [("Cache-Control", "no-store"), *_about(_JSON, body)], [body])

    def _export(self, query: str) -> Answer:
        check_record(self._lake)
        self._exports.take()
        try:
            file = csv_of_view(self._lake, query)
        except BaseException:
            self._exports.give_back()
            raise
        headers = [
            ("Content-Type", "text/csv; charset=utf-8"),
            ("Content-Disposition", file.disposition),
            ("Cache-Control", "no-store"),
        ]
        return Answer("200 OK", headers, _Held(file.pieces, self._exports))


class _Held:
    """Pieces of a file; whoever serves them closes it, and then the slot is free again."""

    def __init__(self, pieces: Iterator[bytes], slots: Slots) -> None:
        self._pieces = pieces
        self._slots: Slots | None = slots

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back()


def _without(query: str, read: Callable[[Lake], object], lake: Lake) -> object:
    parse_query(query, ())
    return read(lake)


def _told(status: str, message: str) -> Answer:
    body = json_bytes({"error": message})
    return Answer(status, [("Cache-Control", "no-store"), *_about(_JSON, body)], [body])


def _about(kind: str, body: bytes) -> list[tuple[str, str]]:
    return [("Content-Type", kind), ("Content-Length", str(len(body)))]


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
