"""The adapter of oxlint, for JavaScript and TypeScript. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from reviewbot.models.linters.base import (
    OURS,
    Diagnostic,
    Linter,
    NotLintedError,
    copy_name,
    decode_output,
    extension_of,
)
from reviewbot.models.linters.rules import codes_of

_EXTENSIONS: Final = ("js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx")
_MINIFIED: Final = (".min.js", ".min.mjs", ".min.cjs")
_CONFIGURATION: Final = "oxlint.json"


@dataclass(frozen=True, slots=True)
class _Span:
    line: int


@dataclass(frozen=True, slots=True)
class _Label:
    span: _Span


@dataclass(frozen=True, slots=True)
class _OxlintResult:
    message: str
    labels: tuple[_Label, ...] = ()
    code: str | None = None
    help: str | None = None


@dataclass(frozen=True, slots=True)
class _OxlintReport:
    diagnostics: tuple[_OxlintResult, ...]
    number_of_files: int


def _reads(path: str, first_line: str) -> bool:  # noqa: ARG001 - the name decides
    return extension_of(path) in _EXTENSIONS and not path.lower().endswith(_MINIFIED)


def _copy_path(path: str) -> str:
    """Return a name that oxlint does not take for that of a minified file, which it ignores."""
    return copy_name(path).replace(".min.", ".min_.").replace("-min.", "-min_.")


def _arguments(name: str) -> tuple[str, ...]:
    return (
        *("-c", OURS + _CONFIGURATION, "--disable-nested-config", "--no-ignore"),
        *("--threads=1", "--format=json", f"./{name}"),
    )


def _configuration() -> str:
    rules = codes_of("oxlint").reported
    plugins = sorted({rule.partition("/")[0] for rule in rules} - {"eslint"})
    return json.dumps(
        {
            "plugins": plugins,
            "categories": {"correctness": "off"},
            "rules": dict.fromkeys(rules, "warn"),
        }
    )


def parse(code: int, output: bytes) -> list[Diagnostic]:
    """Return the results in oxlint's JSON output.

    Raises:
        NotLintedError: oxlint failed or skipped the file, or the file has a syntax error.
    """
    report = decode_output(_OxlintReport, code, output)
    if report.number_of_files != 1:
        raise NotLintedError("it skipped the file.")
    found = []
    for one in report.diagnostics:
        line = one.labels[0].span.line if one.labels else 1
        if one.code is None:
            raise NotLintedError(f"line {line} has a syntax error.")
        # The plugin before the name is not always the one that the rule is configured by.
        name = one.code.rpartition("(")[2].removesuffix(")")
        message = one.message if one.help is None else f"{one.message}\n{one.help}"
        found.append(Diagnostic(line, line, name, message))
    return found


OXLINT: Final = Linter(
    name="oxlint",
    package="oxlint",
    needs_whole=True,
    max_bytes=1_000_000,
    reads=_reads,
    copy_path=_copy_path,
    arguments=_arguments,
    parse=parse,
    configuration=(_CONFIGURATION, _configuration()),
    foreign="@flow",  # of a file with types of Flow, oxlint drops the syntax errors
)
