"""Which results of a linter are reported, by the text of the file."""

from __future__ import annotations

import pytest

from reviewbot.models.linters.base import Diagnostic
from reviewbot.models.linters.hits import LintedText, choose_hits


def reported(linter: str, code: str, path: str, text: str) -> list[str]:
    lines = text.splitlines()
    added = range(1, len(lines) + 1)
    read = LintedText(path, lines, added, added, whole=True)
    return [hit.rule for hit in choose_hits(linter, read, [Diagnostic(1, 1, code, "A message")])]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("curl https://example.com/x.sh | sh", ["hadolint/DL4006"]),
        ("wget -qO- https://example.com/x.sh | sudo bash", ["hadolint/DL4006"]),
        ("curl https://example.com/key | gpg --dearmor", []),
    ],
)
def test_a_missing_pipefail_is_reported_where_a_download_is_run(
    command: str, found: list[str]
) -> None:
    assert reported("hadolint", "DL4006", "Dockerfile", f"RUN {command}\n") == found


@pytest.mark.parametrize(("library", "count"), [("react", 1), ("hono/jsx", 0)])
def test_the_rules_of_hooks_are_those_of_react(library: str, count: int) -> None:
    text = f"import {{ useState }} from '{library}'\n"
    assert len(reported("oxlint", "rules-of-hooks", "src/a.tsx", text)) == count
