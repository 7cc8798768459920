"""Mistakes in the configuration file of a change become findings, whatever the file holds."""

from __future__ import annotations

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.finding import Placement
from reviewbot.pipeline.config_check import (
    MOST_FINDINGS,
    MOST_MESSAGE,
    MOST_QUOTE,
    config_findings,
)
from reviewbot.pipeline.run_context import RunContext, context_from_json, context_to_json

FILE = ".reviewbot.yml"


def added(text: str, path: str = FILE) -> bytes:
    lines = text.split("\n")
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    body = "".join(f"+{line}\n" for line in lines)
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n{body}".encode()


def found(text: str) -> list[tuple[int, str, str]]:
    findings = config_findings(
        parse_diff(added(text)), {FILE: text.encode(), ".reviewbot.yaml": None}
    )
    assert all(finding.placement == Placement("inline") for finding in findings)
    return [(finding.line, finding.title, finding.message) for finding in findings]


@pytest.mark.parametrize(
    ("text", "line", "title", "message"),
    [
        ("jobs: 1\nverify: maybe", 2, "Invalid setting: verify", "must be true or false"),
        ("a: [1", 1, "The configuration of reviewbot is invalid", "is not valid YAML"),
        ("jobs: 1\njobs: 2", 2, "Invalid setting: jobs", "is set twice, first in line 1"),
        ("\nexclude: ['!']", 2, "Invalid setting: exclude", ""),
        ("rules:\n  python/nothing: off", 2, "Invalid setting: rules.python/nothing", ""),
        (
            "jobs: 1\nbase_url: http://x.example",
            2,
            "Invalid setting: base_url",
            "who gets your key",
        ),
        ("models:\n  m:\n    context: 0", 3, "Invalid setting: models.m.context", "at least"),
    ],
)
def test_a_mistake_is_on_its_line(text: str, line: int, title: str, message: str) -> None:
    [(number, shown, said)] = found(text)
    assert (number, shown.replace("`", "")) == (line, title)
    assert message in said.replace("`", "")


def test_a_correct_file_has_no_finding() -> None:
    assert found("jobs: 2\nexclude: ['docs/**']\nrules:\n  custom/own: off\n") == []


def test_mistakes_on_one_line_are_one_finding() -> None:
    [(line, title, message)] = found("{jobs: many, summary: 3}")
    assert (line, title) == (1, "Invalid setting: jobs")
    assert message.count("\n\n") == 1


def test_other_files_are_not_checked() -> None:
    text = "jobs: many"
    files = parse_diff(added(text, "docs/.reviewbot.yml"))
    assert config_findings(files, {FILE: text.encode()}) == ()


def test_a_deleted_file_has_no_finding() -> None:
    diff = (
        "diff --git a/.reviewbot.yml b/.reviewbot.yml\ndeleted file mode 100644\n"
        "--- a/.reviewbot.yml\n+++ /dev/null\n@@ -1 +0,0 @@\n-jobs: many\n"
    )
    assert config_findings(parse_diff(diff.encode()), {FILE: None}) == ()


def test_removed_lines_alone_have_the_finding_at_their_hunk() -> None:
    diff = (
        "diff --git a/.reviewbot.yml b/.reviewbot.yml\n--- a/.reviewbot.yml\n"
        "+++ b/.reviewbot.yml\n@@ -2,2 +2,1 @@\n jobs: 1\n-summary: true\n"
    )
    contents: dict[str, bytes | None] = {FILE: b"# 1\njobs: 1\n", ".reviewbot.yaml": b""}
    [finding] = config_findings(parse_diff(diff.encode()), contents)
    assert finding.line == 2
    assert "keep one of the two" in finding.message


@pytest.mark.parametrize("text", ["\u2028" * 40 + "jobs: many", "jobs: 1\r\x85\rjobs: 2"])
def test_line_breaks_that_are_none_of_git_move_no_finding(text: str) -> None:
    assert [line for line, _, _ in found(text)] == [1]


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 60_000,
        b"a: &a [*a]\n" * 5_000,
        b"\n".join(b"key%d: 1" % number for number in range(6_000)),
        b"exclude: [" + b"1," * 30_000 + b"]",
        b"k" * 60_000 + b": 1",
        b"model: \xff\xfe",
        b" " * 2_000_000,
        b"\n" * 60_000 + b"{",
        b"a: !!python/object/apply:os.system [x]",
    ],
    ids=["nested", "anchors", "keys", "items", "long key", "no text", "large", "lines", "tag"],
)
def test_a_hostile_file_has_few_short_findings(data: bytes) -> None:
    files = parse_diff(added("jobs: 1"))
    findings = config_findings(files, {FILE: data})
    assert 0 < len(findings) <= MOST_FINDINGS
    for finding in findings:
        assert len(finding.message) <= MOST_FINDINGS * (MOST_MESSAGE + 2)
        assert len(finding.quote) <= MOST_QUOTE + 40


def test_a_secret_in_the_file_is_shown_nowhere() -> None:
    key = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyzABCD"[:36]
    text = f'model: "{key} {"x" * 300}"\n{key}: 1\njobs: {key}'
    for finding in config_findings(parse_diff(added(text)), {FILE: text.encode()}):
        shown = f"{finding.title}{finding.message}{finding.quote}"
        assert key not in shown
        assert key[:24] not in shown


def test_findings_about_the_file_are_stored_with_a_review() -> None:
    text = "jobs: many"
    findings = config_findings(parse_diff(added(text)), {FILE: text.encode()})
    context = RunContext(config_findings=findings)
    assert context_from_json(context_to_json(context)) == context
