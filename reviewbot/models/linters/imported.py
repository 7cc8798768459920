"""Read the results of another tool: SARIF 2.1.0 or rdjson. Pure.

The file is hostile data: a tool quotes the code that it has read. Sizes are limited, paths must
stay inside the repository, and the texts are made safe, without links.

Formats: OASIS Standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0";
reviewdog's rdjson (``proto/rdf`` of its repository).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from reviewbot.core.safety.markdown import code_block, code_span
from reviewbot.core.safety.safe_text import safe_line, safe_markdown, safe_terminal
from reviewbot.errors import SourceError
from reviewbot.models.linters.hits import LintHit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from reviewbot.core.findings.finding import Category, Severity

MAX_BYTES: Final = 10_000_000
MAX_RESULTS: Final = 5_000
MAX_LINE: Final = 10_000_000
TITLE_LENGTH: Final = 200
MESSAGE_LENGTH: Final = 1_000
_MAX_MARKS: Final = 50
"""Marks of a text that is parsed as Markdown. Time is some 0.1 ms a mark, and there may be
:data:`MAX_RESULTS` texts; a text with more of them is shown as code."""
_SARIF_LEVELS: Final[Mapping[str, Severity]] = {
    "error": "error",
    "warning": "warning",
    "note": "note",
}
_RDJSON_LEVELS: Final[Mapping[str, Severity]] = {
    "ERROR": "error",
    "WARNING": "warning",
    "INFO": "note",
}
_MARK: Final = re.compile(r"[^\w\s]|_")
_LINK: Final = re.compile(r"\[([^\[\]\n]{0,300})\]\([^)\n]{0,2000}\)")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]")
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9_.:@-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedHit(LintHit):
    """A result of another tool on lines of the new file.

    ``rule`` is ``imported/TOOL/RULE``. ``title`` and ``message`` are safe to show.
    """

    path: str


def read_results(data: bytes, paths: Collection[str]) -> tuple[ImportedHit, ...]:
    """Return the results in a file of another tool. Call it in a thread: it can take seconds.

    Left out are results on other files than ``paths`` or without a line, and results that SARIF
    marks as passed or suppressed.

    Raises:
        SourceError: the file is too large, is neither SARIF 2.1.0 nor rdjson, is invalid, has too
            many results, or names a path outside the repository.
    """
    if len(data) > MAX_BYTES:
        raise SourceError(f"the file to import must not be larger than {MAX_BYTES:,} bytes")
    try:
        whole = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError("the file to import is not JSON; export SARIF or rdjson") from error
    if isinstance(whole, dict) and whole.get("version") == "2.1.0" and "runs" in whole:
        found = _sarif(whole)
    elif isinstance(whole, dict) and "diagnostics" in whole:
        found = _rdjson(whole)
    else:
        raise SourceError("the file to import must be SARIF 2.1.0 or rdjson")
    hits: list[ImportedHit] = []
    number = 1
    try:
        for result in found:
            if number > MAX_RESULTS:
                text = f"the file to import must not have more than {MAX_RESULTS:,} results"
                raise SourceError(text)
            if result is not None and (path := _inside(result.path)) in paths:
                hits.append(_hit(result, path))
            number += 1
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        text = f"result {number} of the file to import is invalid; export it again"
        raise SourceError(text) from error
    return tuple(hits)


def _sarif(whole: Mapping[str, Any]) -> Iterator[_ImportedResult | None]:
    for run in whole["runs"]:
        driver = run["tool"]["driver"]
        rules = driver.get("rules") or []
        by_id = {rule["id"]: rule for rule in rules}
        for result in run.get("results") or ():
            about = result.get("rule") or {}
            index = result.get("ruleIndex", -1)
            numbered = rules[index] if 0 <= index < len(rules) else {}
            name = result.get("ruleId") or about.get("id") or numbered.get("id") or "unnamed"
            yield _sarif_hit(driver["name"], name, by_id.get(name, numbered), result)


def _sarif_hit(
    tool: str, name: str, rule: Mapping[str, Any], result: Mapping[str, Any]
) -> _ImportedResult | None:
    usual = rule.get("defaultConfiguration") or {}
    level = result.get("level") or usual.get("level", "warning")
    kind, places = result.get("kind", "fail"), result.get("locations") or ()
    if kind != "fail" or level not in _SARIF_LEVELS or result.get("suppressions") or not places:
        return None
    physical = places[0].get("physicalLocation", {})
    region, uri = physical.get("region", {}), physical.get("artifactLocation", {}).get("uri")
    if uri is None or "startLine" not in region:
        return None
    message = result.get("message", {})
    text = message.get("text") or rule.get("shortDescription", {}).get("text") or name
    tags = (rule.get("properties") or {}).get("tags") or ()
    return _ImportedResult(
        path=unquote(uri, errors="strict"),
        lines=(region["startLine"], region.get("endLine", region["startLine"])),
        rule=(tool, name),
        severity=_SARIF_LEVELS[level],
        category="security" if "security" in tags else "bug",
        text=text,
    )


def _rdjson(whole: Mapping[str, Any]) -> Iterator[_ImportedResult | None]:
    for result in whole["diagnostics"]:
        location = result["location"]
        if "start" not in location.get("range", {}):
            yield None
            continue
        span = location["range"]
        start = span["start"]["line"]
        source = result.get("source") or whole.get("source") or {}
        severity = str(result.get("severity") or whole.get("severity"))
        yield _ImportedResult(
            path=location["path"],
            lines=(start, span.get("end", {}).get("line", start)),
            rule=(source.get("name", "tool"), result.get("code", {}).get("value", "unnamed")),
            severity=_RDJSON_LEVELS.get(severity, "warning"),
            category="bug",
            text=result["message"],
        )


@dataclass(frozen=True, slots=True)
class _ImportedResult:
    """A result as it is in the file; ``rule`` is the name of the tool and of the rule."""

    path: str
    lines: tuple[int, int]
    rule: tuple[str, str]
    severity: Severity
    category: Category
    text: str


def _hit(result: _ImportedResult, path: str) -> ImportedHit:
    line, end_line = result.lines
    if not all(type(one) is int for one in result.lines) or not 1 <= line <= end_line <= MAX_LINE:
        raise ValueError(result.lines)
    text = _LINK.sub(r"\1", result.text[: 2 * MESSAGE_LENGTH]).strip()
    title, _, rest = text.partition("\n")
    title, message = title[:TITLE_LENGTH], rest.strip()[:MESSAGE_LENGTH]
    return ImportedHit(
        path=path,
        line=line,
        end_line=end_line,
        rule="/".join(("imported", *map(_name, result.rule))),
        severity=result.severity,
        category=result.category,
        title=_safe(title, safe_line, code_span) or _name(result.rule[1]),
        message=_safe(message, lambda one: safe_markdown(one, link_hosts=()), code_block),
    )


def _safe(text: str, make_safe: Callable[[str], str], as_code: Callable[[str], str]) -> str:
    if len(_MARK.findall(text)) > _MAX_MARKS:
        return as_code(safe_terminal(text))
    return make_safe(text)


def _inside(path: str) -> str:
    """Return a path relative to the repository.

    Raises:
        SourceError: it is absolute, or leads out of the repository.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or _ABSOLUTE.match(path) or ".." in parts or "\0" in path:
        shown = safe_line(path, limit=100)
        raise SourceError(
            f"the path {shown} of the file to import must be relative to the repository"
        )
    return "/".join(parts)


def _name(text: str) -> str:
    return _UNUSUAL.sub("-", text)[:80].strip("-") or "unnamed"
