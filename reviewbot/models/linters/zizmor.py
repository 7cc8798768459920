"""The adapter of zizmor, for workflows and actions of GitHub. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from reviewbot.models.linters.base import (
    Diagnostic,
    Linter,
    NotLintedError,
    copy_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.findings.finding import Severity

_WORKFLOW: Final = re.compile(r"\.github/workflows/[^/]+\.ya?ml")
_ACTION: Final = re.compile(r"(?:.*/)?action\.ya?ml")
_UNREAD: Final = 3
_RATED: Final = ("Medium", "High")
_DOUBTFUL: Final = frozenset({"github-env"})
"""Rules that are reported with a low confidence, too."""
_FROM_OUTSIDE: Final = re.compile(
    r"""
    github\.head_ref
    | github\.event\.(?:
        (?:issue|pull_request|discussion)\.(?:title|body)
      | (?:comment|review|review_comment)\.body
      | pull_request\.head\.(?:ref|label|repo\.default_branch)
      | workflow_run\.(?:head_branch|display_title)
      | (?:workflow_run\.)?head_commit\.(?:message|author\.(?:name|email))
      | commits\S{0,40}?\.(?:message|author\.(?:name|email))
      | pages\S{0,40}?\.page_name
      | client_payload\.pull_request\.(?:title|body)
    )
    """,
    re.VERBOSE,
)
"""Values that anyone can write: titles, bodies, messages, and the names of branches of a fork."""
_HARMLESS: Final = re.compile(
    r"github\.(?:actor|triggering_actor|repository|repository_owner|repository_id|sha|run_id|run_number"
    r"|run_attempt|workspace|event_name|token|server_url|api_url|job)|secrets\.GITHUB_TOKEN"
)
"""Values without characters that a shell reads as anything else than text."""


def _reads(path: str, first_line: str) -> bool:  # noqa: ARG001 - the name decides
    return _WORKFLOW.fullmatch(path) is not None or _ACTION.fullmatch(path) is not None


def _copy_path(path: str) -> str:
    """Return the path of the copy: zizmor tells workflows and actions apart by their paths."""
    if _WORKFLOW.fullmatch(path):
        return f".github/workflows/{copy_name(path)}"
    return copy_name(path)


def _arguments(name: str) -> tuple[str, ...]:
    return (
        *("--offline", "--no-config", "--no-progress", "--quiet"),
        *("--collect=all", "--format=json-v1", f"./{name}"),
    )


def parse(code: int, output: bytes) -> list[Diagnostic]:
    """Return the results in zizmor's JSON output that it is confident of.

    Raises:
        NotLintedError: zizmor failed, or the file is not a valid workflow or action.
    """
    if code == _UNREAD:
        raise NotLintedError("it is not valid YAML, or not a valid workflow or action.")
    try:
        found = [_diagnostic(result) for result in json.loads(output)]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise NotLintedError(f"it failed with exit code {code}.", failed=True) from None
    return [one for one in found if one is not None]


def _diagnostic(result: Mapping[str, Any]) -> Diagnostic | None:
    """Return a result with a rating of medium or more; None for another one."""
    rule, rated = result["ident"], result["determinations"]
    confident = rated["confidence"] in _RATED or rule in _DOUBTFUL
    if rated["severity"] not in _RATED or not confident:
        return None
    primary, *_ = [one for one in result["locations"] if one["symbolic"]["kind"] == "Primary"]
    symbolic, location = primary["symbolic"], primary["concrete"]["location"]
    start, end = location["start_point"], location["end_point"]
    # Rows count from 0. A block ends at the start of the row after it.
    last = end["row"] if end["column"] == 0 and end["row"] > start["row"] else end["row"] + 1
    kind = symbolic["feature_kind"]
    expression = kind["Subfeature"]["fragment"].get("Raw", "") if isinstance(kind, dict) else ""
    if rule == "template-injection" and _HARMLESS.fullmatch(expression.strip()):
        return None
    severity: Severity = "warning"
    if rule == "template-injection":
        severity = "error" if _FROM_OUTSIDE.search(expression) else "note"
    about = f"`{expression}` {symbolic['annotation']}" if expression else symbolic["annotation"]
    return Diagnostic(
        line=start["row"] + 1,
        end_line=last,
        code=rule,
        message=f"{result['desc']}: {about}",
        severity=severity,
    )


ZIZMOR: Final = Linter(
    name="zizmor",
    package="zizmor",
    needs_whole=True,
    max_bytes=50_000,
    reads=_reads,
    arguments=_arguments,
    parse=parse,
    copy_path=_copy_path,
)
