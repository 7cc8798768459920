"""Files with one planted fault each, and the linter that must find it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from reviewbot.models.linters.programs import versions

if TYPE_CHECKING:
    from reviewbot.models.linters.linters import Linted


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, and the rule that it breaks on one line."""

    path: str
    text: str
    line: int
    rule: str

    @property
    def linter(self) -> str:
        return self.rule.partition("/")[0]

    @property
    def lines(self) -> range:
        return range(1, self.text.count("\n") + 1)


SAMPLES = (
    Sample("src/a.py", "def f():\n    # ü\n    return undefined_name\n", 3, "ruff/F821"),
    Sample("src/a.ts", "let x = 1;\n/* ü */ debugger;\n", 2, "oxlint/no-debugger"),
    Sample("bin/a.sh", "#!/bin/bash\n# ü\ncd /tmp\nrm -rf a\n", 3, "shellcheck/SC2164"),
    Sample("Dockerfile", "FROM debian:12\n# ü\nRUN sudo true\n", 3, "hadolint/DL3004"),
    Sample(
        ".github/workflows/a.yml",
        "on: issues\njobs:\n  a:\n    runs-on: ubuntu-latest\n    permissions: {}\n    steps:\n"
        "      - run: echo ü ${{ github.event.issue.title }}\n",
        7,
        "zizmor/template-injection",
    ),
)


def need(linter: str) -> None:
    """Skip the test where the linter has no wheel."""
    if linter not in versions():
        pytest.skip(f"{linter} is not installed")


def found(linted: Linted) -> list[tuple[int, str]]:
    """Return line and rule of each hit; the linter must have read the file."""
    assert linted.problem is None
    assert linted.ran
    return [(hit.line, hit.rule) for hit in linted.hits]
