"""Choosing what to report takes time linear in the file and in the number of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.models.linters.base import Diagnostic, TextEdit
from reviewbot.models.linters.hits import LintedText, choose_hits
from tests.support.timing import least_time

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 3
LONGEST_S = 1.0
"""Seconds of processor time for the largest file; it takes a tenth, on a slow machine, too."""


def each_line(code: str, text: str, message: str = "`x`") -> list[Diagnostic]:
    """Return one result for each line."""
    return [Diagnostic(n, n, code, message) for n in range(1, text.count("\n") + 1)]


def users(size: int) -> tuple[str, list[Diagnostic]]:
    half = size // 14
    return "USER a\n" * half + "USER root\n" * half + "USER a", [Diagnostic(1, 1, "DL3002", "m")]


def padded(unit: str, code: str) -> Callable[[int], tuple[str, list[Diagnostic]]]:
    def make(size: int) -> tuple[str, list[Diagnostic]]:
        text = unit * (size // (2 * len(unit))) + f"# {'p' * (size // 2)}"
        return text, each_line(code, text)

    return make


def names(size: int) -> tuple[str, list[Diagnostic]]:
    lines = size // 9
    results = [Diagnostic(n, n, "F811", f"again `x{n}`") for n in range(1, lines)]
    return "def x():\n" * lines, results


def spans(size: int) -> tuple[str, list[Diagnostic]]:
    """Results with an edit that end on a long line, many on one short line."""
    text = "x\n" + "y" * size
    edit = TextEdit(1, 1, 1, 2, "z")
    return text, [Diagnostic(1, 2, "F632", str(n), edits=(edit,)) for n in range(size // 20)]


SHAPES: dict[str, tuple[str, str, int, Callable[[int], tuple[str, list[Diagnostic]]]]] = {
    "other users": ("hadolint", "Dockerfile", 50_000, users),
    "downloads": (
        *("hadolint", "Dockerfile", 50_000),
        lambda size: ("curl " * (size // 5), [Diagnostic(1, 1, "DL4006", "m")]),
    ),
    "blank lines": (
        *("hadolint", "Dockerfile", 50_000),
        lambda size: ("ENTRYPOINT a\n" + "\n" * size, [Diagnostic(1, 1, "DL3025", "m")]),
    ),
    "tests of files": (
        *("shellcheck", "a.sh", 50_000),
        lambda size: (text := f"[{' ' * 900}\n" * (size // 902), each_line("SC2088", text)),
    ),
    "undefined names": ("ruff", "a.py", 400_000, padded("undefined\n", "F821")),
    "hooks": ("oxlint", "a.tsx", 400_000, padded("useX()\n", "rules-of-hooks")),
    "definitions": ("ruff", "a.py", 200_000, names),
    "long edits": ("ruff", "a.py", 400_000, spans),
}


@pytest.mark.parametrize(("linter", "path", "most", "make"), SHAPES.values(), ids=SHAPES)
def test_the_time_is_linear(
    linter: str, path: str, most: int, make: Callable[[int], tuple[str, list[Diagnostic]]]
) -> None:
    took = []
    for size in (most // 4, most // 2, most):
        text, results = make(size)
        lines = text.split("\n")
        added = range(1, len(lines) + 1)
        # Each run gets a text of its own: a text keeps what it has worked out.
        read = [LintedText(path, lines, added, added, whole=True) for _ in range(RUNS)]
        took.append(least_time(lambda: choose_hits(linter, read.pop(), results), RUNS))  # noqa: B023 - called at once
        # Small sizes first: quadratic or cubic time fails here, and does not hang.
        assert took[-1] < LONGEST_S, (size, took)
    assert took[2] < 8 * max(took[0], 0.02)
