"""Parse the streamed JSON text of a report; a finding is available once its brace closes. Pure.

The interface resembles h11: :meth:`ToolStream.feed`, :meth:`ToolStream.drain`, and at the end
:meth:`ToolStream.close`, which returns whether the answer counts. The text is
``{"findings": [{...}, ...], "files": [{"path": ..., "change": ...}, ...], "outcome": "complete"}``.
It comes from a model, so its size, depth and shape are bounded and nothing in it is trusted. ijson
reads the JSON in linear time. ``files`` is a by-product: entries of another shape are dropped.

ijson's C backend (yajl) refuses integers outside 64 bits, so the Python backend is made to refuse
them too. The Python backend alone
admits ``+1``, ``1.e5`` and Unicode blanks, which no JSON writer emits.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reviewbot.core.findings.json_text import JsonTextCleaner
from reviewbot.core.wording import count
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from types import ModuleType

MAX_CHARS: Final = 8 << 20
"""Limit of the whole text. The longest response of today's models is near 0.6 MB (128k tokens)."""
MAX_FINDING_CHARS: Final = 256 << 10
"""Limit of one finding: characters of decoded keys and strings, plus 8 for each other value."""
MAX_FINDINGS: Final = 2000
MAX_FILES: Final = 2000
MAX_FILE_CHARS: Final = 4096
"""Limit of each string in ``files``; longer strings are cut."""
MAX_DEPTH: Final = 16
"""Maximum number of nesting of arrays and objects, the report included. Our findings need 3."""
_Value: TypeAlias = str | int | float | bool | None
_HOLD_CHARS: Final = 4096
_STRAYS_NAMED: Final = 3

_ANY_ESCAPE: Final = re.compile(r"\\.", re.DOTALL)


class ToolStreamError(ReviewbotError):
    """The report cannot be read any further. ``str(error)`` is the reason, without a quote."""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """Result of reading the whole report.

    ``complete`` is True if exactly one ``findings`` array was opened and closed, and the report was
    closed without text after it. ``outcome`` is the value in the report, or None. ``problem`` is a
    sentence if the report is not complete. For a complete report, ``problem`` names invalid items,
    or is None.
    """

    complete: bool
    outcome: str | None
    problem: str | None
    strays: tuple[str, ...] = field(default=(), compare=False)
    """Descriptions of items that were not findings, even if the report was truncated."""
    files: tuple[tuple[str, str], ...] = ()
    """The complete entries of ``files``: path and change, as the model wrote them."""


class ToolStream:
    """Reader of one report.

    Args:
        backend: an ijson backend module; by default the fastest of the two that are tested.
    """

    def __init__(self, *, backend: ModuleType | None = None) -> None:
        backend = backend or _fastest_backend()
        self._reader = _StreamReader(backend)
        self._parser = backend.basic_parse_coro(self._reader, use_float=True)
        self._room = MAX_CHARS
        self._cleaner = JsonTextCleaner()
        # Nothing can be complete before a bracket closes outside of strings, so text is passed on
        # up to the last such bracket. Both backends parse an unfinished token again with each new
        # piece. So this, and the doubling, keep the total time linear.
        self._held: list[str] = []
        self._held_chars = 0
        self._hold = _HOLD_CHARS
        self._in_string = False
        self._error: str | None = None
        self._closed: StreamResult | None = None

    def feed(self, text: str) -> None:
        """Take the next piece of the text, which may end anywhere.

        Raises:
            ToolStreamError: the text is not JSON, not a report, or exceeds a limit. Findings that
                were complete before can still be drained. Later calls raise the same error.
        """
        if self._closed:
            raise ToolStreamError("the report was closed already")
        self._check()
        self._room -= len(text)
        if self._room < 0:
            self._error = "the report is too long"
        else:
            self._hand_on(self._cleaner.clean(text))
        self._check()

    def drain(self) -> list[dict[str, Any]]:
        """Return the findings completed since the last call, in the order of the text."""
        findings, self._reader.findings = self._reader.findings, []
        return findings

    def close(self) -> StreamResult:
        """End the text, and return the result.

        This never raises; a second call returns the same result.
        """
        if self._closed:
            return self._closed
        if self._error is None:
            self._held.append(self._cleaner.rest())
            self._parse("".join(self._held))
        late = self._end_parser()
        self._error = self._error or late
        self._closed = self._reader.report(self._error)
        return self._closed

    def __del__(self) -> None:
        # ijson's Python backend prints an error when it is dropped in the middle of a text. At the
        # end of the process other objects may be gone, so this does nothing else.
        with suppress(Exception):
            self._parser.close()

    def _hand_on(self, text: str) -> None:
        end = self._last_closing(text)
        self._held_chars += len(text)
        if end:
            self._hold = _HOLD_CHARS
        elif self._held_chars >= self._hold:
            self._hold, end = 2 * self._hold, len(text)
        self._held.append(text[:end] if end else text)
        if end:
            ready, rest = "".join(self._held), text[end:]
            self._held, self._held_chars = [rest], len(rest)
            self._parse(ready)

    def _last_closing(self, text: str) -> int:
        """Return the index after the last closing bracket outside of strings; 0 without one."""
        plain = _ANY_ESCAPE.sub("..", text) if "\\" in text else text
        last = start = 0
        for number, part in enumerate(plain.split('"')):
            self._in_string ^= number > 0
            if not self._in_string:
                end = max(part.rfind("}"), part.rfind("]"))
                last = start + end + 1 if end >= 0 else last
            start += len(part) + 1
        return last

    def _parse(self, text: str) -> None:
        from ijson import JSONError

        if not text:
            return  # ijson takes an empty text for the end
        try:
            self._parser.send(text.encode())
        except ToolStreamError as error:
            self._error = str(error)
        except (JSONError, ValueError):
            # The parser's own message quotes the text, which may hold a secret.
            self._error = self._reader.syntax_error()

    def _check(self) -> None:
        if self._error is not None:
            raise ToolStreamError(self._error)

    def _end_parser(self) -> str | None:
        """Close the parser, which buffers the last token, and return its error, if any."""
        from ijson import JSONError

        try:
            self._parser.close()
        except ToolStreamError as error:
            return str(error)
        except JSONError:
            # The reader detects truncation; only an error after the end needs a message.
            return self._reader.syntax_error() if self._reader.ended else None
        return None


class _StreamReader:
    """Builder of findings from ijson's events. ijson requires the name ``send``."""

    def __init__(self, backend: ModuleType) -> None:
        self.findings: list[dict[str, Any]] = []
        self._backend = backend
        self._depth = 0
        self._key = ""
        self._arrays_open = self._arrays_closed = 0
        self._encoded = False
        self._items = 0
        self._builder: Any = None
        self._finding_chars = 0
        self._outcome: str | None = None
        self._outcomes = 0
        self.ended = False
        self._strays: list[str] = []
        self._files: list[dict[str, str]] = []
        self._file: dict[str, str] = {}
        self._field = ""

    def send(self, parsed: tuple[str, _Value]) -> None:
        """Process one event of ijson's ``basic_parse``."""
        event, value = parsed
        if isinstance(value, int | float) and not _in_range(value):
            raise ToolStreamError(self.syntax_error())
        if event in ("end_map", "end_array"):
            self._depth -= 1
        if self._builder is not None:
            self._build(event, value)
        elif event == "map_key":
            if self._depth == 1:
                self._key = str(value)
            self._field = str(value)
        elif event == "end_array":
            if self._depth == 1 and self._key == "findings":
                self._arrays_closed += 1
        elif event == "end_map":
            self.ended = self._depth == 0
        else:
            self._begin(event, value)
        if event in ("start_map", "start_array"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ToolStreamError(f"the report is nested too deeply {self._where()}")

    def report(self, error: str | None) -> StreamResult:
        """Return the result at the end of the text. The argument is the error of the reading."""
        if not self.ended:
            error = error or f"the report was cut off {self._where()}"
        elif not self._arrays_closed:
            error = error or "the report has no findings array"
        elif self._arrays_open > 1 or self._outcomes > 1:
            error = error or "the report says findings or outcome twice"
        return StreamResult(
            complete=error is None,
            outcome=self._outcome,
            problem=error or "; ".join(self._strays) or None,
            strays=tuple(self._strays),
            files=tuple(
                (entry["path"], entry["change"])
                for entry in self._files
                if entry.keys() >= {"path", "change"}
            ),
        )

    def syntax_error(self) -> str:
        """Return the sentence for text that the parser refused."""
        if self.ended:
            return "text follows the end of the report"
        return f"the report cannot be read as JSON {self._where()}"

    def _where(self) -> str:
        if self._builder is not None:
            return f"in finding {self._items}"
        return f"after {count(self._items, 'finding')}"

    def _begin(self, event: str, value: _Value) -> None:
        """Process the beginning of a value outside of any finding."""
        if self._depth == 0 and event != "start_map":
            raise ToolStreamError(f"the report is {_name(event)}, not an object")
        if self._depth == 1 and self._key == "findings":
            self._begin_findings(event, value)
        elif self._depth == 1 and self._key == "outcome":
            self._outcomes += 1
            self._outcome = value if isinstance(value, str) else None
            if event not in ("string", "null"):
                self._note(f"outcome is {_name(event)}, not a string")
        elif self._depth == 2 and self._key == "findings":
            self._begin_item(event)
        elif self._key == "files":
            self._read_file(event, value)

    def _begin_findings(self, event: str, value: _Value) -> None:
        if event == "start_array":
            self._arrays_open += 1
        elif isinstance(value, str) and not self._encoded:
            self._read_encoded(value)
        else:
            raise ToolStreamError(f"findings is {_name(event)}, not an array")

    def _begin_item(self, event: str) -> None:
        from ijson import ObjectBuilder

        if self._items == MAX_FINDINGS:
            raise ToolStreamError(f"the report has more than {MAX_FINDINGS} findings")
        self._items += 1
        if event == "start_map":
            self._builder, self._finding_chars = ObjectBuilder(), 0
            self._builder.event(event, None)
        else:
            self._note(f"item {self._items} of findings is {_name(event)}, not an object")

    def _read_file(self, event: str, value: _Value) -> None:
        """Process the beginning of a value in ``files``; values of another shape are ignored."""
        if self._depth == 2:
            self._file = {}
            if event == "start_map" and len(self._files) < MAX_FILES:
                self._files.append(self._file)
        elif self._depth == 3 and self._field in ("path", "change") and isinstance(value, str):
            self._file.setdefault(self._field, value[:MAX_FILE_CHARS])

    def _note(self, stray: str) -> None:
        if len(self._strays) < _STRAYS_NAMED:
            self._strays.append(stray)
        elif len(self._strays) == _STRAYS_NAMED:
            self._strays.append("and more of this kind")

    def _build(self, event: str, value: _Value) -> None:
        self._builder.event(event, value)
        self._finding_chars += len(value) if isinstance(value, str) else 8
        if self._finding_chars > MAX_FINDING_CHARS:
            raise ToolStreamError(f"finding {self._items} is too long")
        if event == "end_map" and self._depth == 2:
            self.findings.append(self._builder.value)
            self._builder = None

    def _read_encoded(self, text: str) -> None:
        """Parse an array that a model encoded again, as a string, as if it were not encoded."""
        self._encoded = True
        parser = self._backend.basic_parse_coro(self, use_float=True)
        parser.send(JsonTextCleaner().clean(text).encode() or b" ")
        parser.close()


def _fastest_backend() -> ModuleType:
    from ijson import get_backend

    try:
        backend: ModuleType = get_backend("yajl2_c")
    except ImportError:  # no compiled wheel for this platform
        backend = get_backend("python")
    return backend


def _in_range(number: float) -> bool:
    """Return whether yajl accepts a number. It rejects the two extreme 64-bit integers."""
    if isinstance(number, int):
        return -(2**63) < number < 2**63
    return math.isfinite(number)


def _name(event: str) -> str:
    names = {"start_map": "an object", "start_array": "an array", "null": "null"}
    return names.get(event, f"a {event}")
