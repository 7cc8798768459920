"""The adapter of ruff, for Python. Pure."""

from __future__ import annotations

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
from reviewbot.models.linters.rules import codes_of

_EXTENSIONS: Final = ("py", "pyi", "pyw")


@dataclass(frozen=True, slots=True)
class _Position:
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class _Edit:
    content: str
    location: _Position
    end_location: _Position


@dataclass(frozen=True, slots=True)
class _RuffFix:
    applicability: str
    edits: tuple[_Edit, ...]


@dataclass(frozen=True, slots=True)
class _RuffResult:
    message: str
    location: _Position
    end_location: _Position
    code: str | None = None
    fix: _RuffFix | None = None


def _reads(path: str, first_line: str) -> bool:  # noqa: ARG001 - the name decides
    return extension_of(path) in _EXTENSIONS


def _arguments(name: str) -> tuple[str, ...]:
    codes = codes_of("ruff")
    return (
        *("check", "--isolated", "--no-cache", "--no-fix", "--output-format=json"),
        "--target-version=py314",  # it evaluates annotations late, so that no name is missing
        f"--select={','.join(codes.reported)}",
        f"--ignore={','.join(codes.off)}",
        f"./{name}",
    )


def parse(code: int, output: bytes) -> list[Diagnostic]:
    """Return the results in ruff's JSON output.

    Raises:
        NotLintedError: ruff failed, or the file has a syntax error.
    """
    results = decode_output(tuple[_RuffResult, ...], code, output)
    for one in results:
        if one.code in (None, "invalid-syntax"):
            raise NotLintedError(f"line {one.location.row} has a syntax error.")
        if one.code == "E902":
            raise NotLintedError("it could not be opened.")
    return [
        Diagnostic(
            line=one.location.row,
            end_line=one.end_location.row,
            code=str(one.code),
            message=one.message,
            edits=_edits(one.fix),
        )
        for one in results
    ]


def _edits(fix: _RuffFix | None) -> tuple[TextEdit, ...]:
    if fix is None or fix.applicability != "safe":
        return ()
    return tuple(
        TextEdit(
            one.location.row,
            one.location.column,
            one.end_location.row,
            one.end_location.column,
            one.content,
        )
        for one in fix.edits
    )


RUFF: Final = Linter(
    name="ruff",
    package="ruff",
    needs_whole=True,
    max_bytes=1_000_000,
    reads=_reads,
    arguments=_arguments,
    parse=parse,
)
