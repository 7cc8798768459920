"""The server's log: one line per record, as JSON or for people, with ids, without reviewed text.

Our own messages contain no text of a request. Everything else is not trusted:

- Of ``extra=``, only the names in :data:`FIELDS` are shown, if their values look valid.
- Of an exception, only the kind and the location are shown
  (:mod:`reviewbot.server.telemetry.tracebacks`).
- Of other libraries' messages, only text that their source contains is shown, not the arguments.
"""

from __future__ import annotations

import json
import linecache
import logging
import math
import re
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import PurePath
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, get_args

from reviewbot.core.safety.escape import cut, show
from reviewbot.server.telemetry.tracebacks import shown_error, shown_traceback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LogFormat = Literal["json", "text"]
FORMATS: Final[tuple[LogFormat, ...]] = get_args(LogFormat)

FIELDS: Final = (
    *("review_id", "run", "batch", "delivery_id", "request_id"),
    *("method", "route", "status", "duration_s", "stream"),
    "node",
)
"""Fields that a record may have, from ``extra=`` or :func:`bound`. Others are left out."""
MESSAGE_LIMIT: Final = 1_000
NO_FILES: Final = "socket.accept() out of system resource"
"""Message of asyncio when the process may open no more files for connections."""
NO_FILES_EVERY_S: Final = 60.0
_VALUE: Final = re.compile(r"[A-Za-z0-9_./:{}-]{1,200}")
"""Pattern of a text in a field: an id or a route, never a sentence."""
_RUN_ID: Final = re.compile(r"([0-9a-f]{32})-(\d+)")
_WORTH_SHOWING: Final = 12
"""Minimum characters of a message to show, if found in its source; fewer may match by chance."""

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add ``fields`` to each record that this task and its child tasks log in the context."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def configure(kind: LogFormat, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logging of this process to ``stream``; standard error by default.

    ``level`` is for our own records. Other libraries log from ``warning`` on, since below that
    level they log the data they send and receive. uvicorn logs from ``info`` on.
    """
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if kind == "json" else TextLines())
    handler.addFilter(_NoFiles())
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    own = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger("reviewbot").setLevel(own)
    logging.getLogger("uvicorn").setLevel(max(own, logging.INFO))
    logging.getLogger("uvicorn.error").setLevel(max(own, logging.INFO))
    dbos = logging.getLogger("dbos")
    # DBOS adds its own handler if it has no handler.
    dbos.handlers, dbos.propagate = [handler], False
    threading.excepthook = _of_thread
    sys.unraisablehook = _unraisable


class _Handler(logging.StreamHandler[TextIO]):
    """Handler that ignores failed writes: the standard handler prints the record's arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        del record


class _NoFiles(logging.Filter):
    """Filter that replaces a message that asyncio logs thousands of times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name != "asyncio" or not str(record.msg).startswith(NO_FILES):
            return True
        now = monotonic()
        if now - self._logged_at >= NO_FILES_EVERY_S:
            self._logged_at = now
            logging.getLogger(__name__).error(
                "no more files can be opened, so new connections wait; ulimit -n sets the limit"
            )
        return False


class JsonLines(logging.Formatter):
    """Formatter of a record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return ASCII only, which cannot break a line or move a cursor."""
        return json.dumps(_document(record))


class TextLines(logging.Formatter):
    """Formatter of a record for people; a traceback follows on separate lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time, level, logger, message and fields of a record."""
        found = _document(record)
        head = [found.pop(name) for name in ("time", "level", "logger", "message")]
        trace = found.pop("exception", None)
        fields = " ".join(f"{name}={value}" for name, value in found.items())
        line = f"{head[0]} {head[1].upper():7} {head[2]}: {head[3]}{'  ' if fields else ''}{fields}"
        if trace is None:
            return line
        return "\n".join([line, *(f"    {show(one)}" for one in trace.split("\n"))])


def _document(record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.fromtimestamp(record.created, tz=UTC)
    found = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": cut(show(_message(record)), MESSAGE_LIMIT),
        **_fields(record),
    }
    if record.exc_info and record.exc_info[1] is not None:
        found["exception"] = shown_traceback(record.exc_info[1])
    return found


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = {**_bound.get(), **record.__dict__}
    run = _RUN_ID.fullmatch(str(given.get("operationUUID", "")))  # name of the run id in DBOS
    if run:
        given = {"review_id": run[1], "run": int(run[2])} | given
    return {name: given[name] for name in FIELDS if name in given and _is_plain(given[name])}


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, str) and _VALUE.fullmatch(value) is not None
    )


def _message(record: logging.LogRecord) -> str:
    try:
        if record.name == "reviewbot" or record.name.startswith("reviewbot."):
            return record.getMessage()
        return _foreign(record)
    except Exception as error:  # noqa: BLE001 - a log must not fail
        return f"(a message that cannot be shown: {shown_error(error)})"


def _foreign(record: logging.LogRecord) -> str:
    """Return the part of another library's message that its source contains."""
    place = f"{PurePath(record.pathname).name}:{record.lineno}"
    if not isinstance(record.msg, str):
        return f"({type(record.msg).__qualname__}, {place})"
    template = record.msg.strip("\n")
    shown = _in_source(template, record.pathname)
    if shown != template:
        start = f"{shown}... " if len(shown) >= _WORTH_SHOWING else ""
        return f"{start}(the rest is withheld; {place})" if start else f"(withheld; {place})"
    args = record.args
    if not args:
        return template
    if isinstance(args, tuple):
        return template % tuple(map(_number, args))
    return template % {name: _number(value) for name, value in args.items()}


def _in_source(text: str, path: str) -> str:
    """Return the longest prefix of ``text`` that the source file contains."""
    source = "".join(linecache.getlines(path))
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[:middle] in source else (low, middle - 1)
    return text[:low]


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else f"<{type(value).__name__}>"


def _of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        logging.getLogger(__name__).error(
            "a thread ended with %s", type(args.exc_value).__name__, exc_info=args.exc_value
        )


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    if args.exc_value is not None:
        logging.getLogger(__name__).error(
            "an error could not be raised: %s",
            type(args.exc_value).__name__,
            exc_info=args.exc_value,
        )
