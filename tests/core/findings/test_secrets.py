"""A committed secret is one finding a line and rule, and many of them do not drown the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.secrets import MAX_FINDINGS, MAX_QUOTE, secret_findings
from reviewbot.core.plan.chunk_view import ChunkView, view
from reviewbot.core.safety.redact import DetectedSecret, FileRedaction, redact_file
from tests.support.chunk_plans import plan

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunks import Chunk
    from reviewbot.core.safety.search_text import Confidence


class Words:
    per_byte = 0.5

    def count(self, text: str) -> int:
        return len(text) // 2


def token(number: int) -> str:
    return "ghp" + f"_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU{number:07d}"


def key(number: int) -> str:
    return "AKIA" + f"QWERTYUIOPAS{number:04d}"


def parts(
    *lines: str, budget: int = 20_000, path: str = "a.py"
) -> list[tuple[Chunk, ChunkView, FileRedaction]]:
    """A new file of these lines, planned and shown."""
    head = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n"
    (file,) = parse_diff((head + "".join(f"+{line}\n" for line in lines)).encode())
    redaction = redact_file(file)
    planned = plan([file], skip=lambda _: None, count=Words(), budget=budget)
    return [
        (chunk, view(file, chunk, replacements=redaction.replacements), redaction)
        for chunk in planned.chunks
    ]


def findings(
    *lines: str,
    budget: int = 20_000,
    path: str = "a.py",
    rules: dict[str, str] | None = None,
    threshold: float = 0.7,
) -> list[Finding]:
    return [
        finding
        for part in parts(*lines, budget=budget, path=path)
        for finding in secret_findings(*part, rules=rules or {}, threshold=threshold)
    ]


def test_a_secret_is_a_finding_on_its_line_that_does_not_quote_it() -> None:
    (finding,) = findings("a = 1", f"b = '{token(1)}'")
    assert (finding.line, finding.end_line, finding.side) == (2, 2, "RIGHT")
    assert (finding.rule, finding.severity) == ("secrets/github-token", "error")
    assert finding.quote == "b = '[REDACTED:secret]'"
    assert finding.placement.kind == "inline"
    assert token(1) not in repr(finding)
    assert finding.message == (
        "GitHub token. It was not sent to any model. "
        "Revoke it, then read it from the environment or a secret store."
    )


def test_many_secrets_of_a_rule_on_one_line_are_one_finding_that_counts_them() -> None:
    both = findings(" ".join([token(1), key(1), token(2), token(3)]))
    assert sorted((one.rule, one.line) for one in both) == [
        ("secrets/aws-access-key", 1),
        ("secrets/github-token", 1),
    ]
    (finding,) = (one for one in both if one.rule == "secrets/github-token")
    assert finding.message == (
        "GitHub token. There are 3 in this line. They were not sent to any model. "
        "Revoke them, then read them from the environment or a secret store."
    )


@pytest.mark.parametrize(
    ("extra", "end"),
    [
        (0, "secret store."),
        (1, " 1 more line has such a secret, for which there is no finding."),
        (3, " 3 more lines have such a secret, for which there is no finding."),
    ],
)
def test_after_so_many_lines_the_last_finding_says_how_many_more_there_are(
    extra: int, end: str
) -> None:
    found = findings(*(token(number) for number in range(MAX_FINDINGS + extra)), key(1))
    tokens = [one for one in found if one.rule == "secrets/github-token"]
    assert [one.line for one in tokens] == list(range(1, MAX_FINDINGS + 1))
    assert tokens[-1].message.endswith(end)
    assert all("more line" not in one.message for one in tokens[:-1])
    assert [one.line for one in found if one not in tokens] == [MAX_FINDINGS + extra + 1]


def test_a_long_line_is_quoted_in_part() -> None:
    (finding,) = findings(f"x = '{token(1)}' + '{'y' * 2 * MAX_QUOTE}'")
    assert finding.quote.startswith("x = '[REDACTED:secret]'")
    assert len(finding.quote) < MAX_QUOTE + 50


def test_each_chunk_has_the_secrets_of_its_own_lines() -> None:
    rows = [f"value_{number} = {number}" for number in range(900)]
    rows[5] = rows[880] = token(1)
    rows[890] = token(2)
    found = findings(*rows, budget=2_000)
    assert [one.line for one in found] == [6, 881, 891]
    assert found[0].chunk != found[1].chunk


def test_a_rule_that_is_off_is_silent_and_another_severity_is_kept() -> None:
    lines = (token(1), key(1))
    (finding,) = findings(*lines, rules={"secrets/github-token": "off"})
    assert finding.rule == "secrets/aws-access-key"
    by_rule = {one.rule: one for one in findings(*lines, rules={"secrets/github-token": "note"})}
    assert by_rule["secrets/github-token"].severity == "note"


@pytest.mark.parametrize(("removed", "added"), [("+", " "), ("+", "-")])
def test_what_is_not_added_is_no_finding(removed: str, added: str) -> None:
    old, new = (1, 2) if added == " " else (1, 1)
    diff = f"--- a/a.py\n+++ b/a.py\n@@ -1,{old} +1,{new} @@\n{added}{token(1)}\n{removed}x\n"
    (file,) = parse_diff(diff.encode())
    (chunk,) = plan([file], skip=lambda _: None, count=Words()).chunks
    redaction = redact_file(file)
    shown = view(file, chunk, replacements=redaction.replacements)
    assert redaction.secrets
    assert not list(secret_findings(chunk, shown, redaction, rules={}, threshold=0.7))


@pytest.mark.parametrize(
    ("sure", "severity", "confidence"),
    [
        (("low", "low"), "warning", 0.5),
        (("low", "high"), "error", 0.9),
        (("medium", "low"), "error", 0.7),
    ],
)
def test_of_several_on_a_line_the_surest_counts(
    sure: tuple[Confidence, ...], severity: str, confidence: float
) -> None:
    ((chunk, shown, _),) = parts("x = 1")
    secrets = tuple(DetectedSecret("r", "What.", one, 0, 0, 0, "added", None, 1) for one in sure)
    (finding,) = secret_findings(
        chunk, shown, FileRedaction(secrets=secrets), rules={}, threshold=0.7
    )
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert finding.placement.held == (confidence < 0.7)


PASSWORD = 'password = "Tr0ub4dor&3zz"'
URL = "db = 'postgres://app:Tr0ub4dor@db.corp/app'"
TEST_KEY = "key = 'sk_" + "test_aB3dE5fG7hI9jK1lM3nO5pQ7'"
PEM_LINE = "-----BEGIN RSA " + "PRIVATE KEY-----" + "MIIEpAIBAAKCAQEA" * 3
PLACEHOLDER = "token = 'ghp" + f"_{'x' * 36}'"


@pytest.mark.parametrize("line", [PASSWORD, URL, TEST_KEY, PEM_LINE])
@pytest.mark.parametrize(
    ("path", "severity"),
    [
        ("src/a.py", "error"),
        ("tests/a.py", "note"),
        ("fixtures/a.json", "note"),
        (".env.example", "note"),
        ("README.md", "note"),
    ],
)
def test_a_generic_secret_is_a_note_only_in_tests_examples_and_documentation(
    line: str, path: str, severity: str
) -> None:
    (finding,) = findings(line, path=path)
    assert finding.severity == severity
    assert finding.placement.held == (severity == "note")
    assert "[REDACTED:" in finding.quote


@pytest.mark.parametrize("path", ["src/a.py", "tests/a.py"])
def test_a_placeholder_is_a_redacted_note_wherever_it_is(path: str) -> None:
    (finding,) = findings(PLACEHOLDER, path=path)
    assert finding.severity == "note"
    assert finding.quote == "token = '[REDACTED:secret]'"
    assert finding.title == "Sample data looks like a secret: github-token"
    assert finding.message == (
        "GitHub token. It was not sent to any model. "
        "It seems to be sample data; revoke it if a real system accepts it."
    )
    assert finding.scenario.startswith("If a real system accepts it, whoever can read the branch")


def test_the_worst_secret_of_a_line_decides_its_severity() -> None:
    (finding,) = findings(f"{PLACEHOLDER}, '{token(1)}', {PLACEHOLDER}", path="tests/a.py")
    assert finding.severity == "error"
    assert "There are 3 in this line." in finding.message


def test_several_placeholders_on_a_line_are_one_note() -> None:
    (finding,) = findings(f"{PLACEHOLDER}, {PLACEHOLDER}")
    assert finding.severity == "note"
    assert finding.message.endswith(
        "They seem to be sample data; revoke them if a real system accepts them."
    )


def test_the_configuration_raises_a_note_to_an_error() -> None:
    (finding,) = findings(PASSWORD, path="tests/a.py", rules={"secrets/generic-password": "error"})
    assert finding.severity == "error"


KEY_LINE = 'API_KEY = "b7Zk29' + 'xQwLp03VnTgH5sJd8f"'


@pytest.mark.parametrize(
    "line", [KEY_LINE, KEY_LINE.replace("API_KEY", "WEBHOOK_SECRET"), "  " + KEY_LINE.lower()]
)
def test_a_generic_key_in_source_is_shown_on_its_line_and_fails_a_run(line: str) -> None:
    (finding,) = findings(line, path="src/client.py")
    assert (finding.rule, finding.severity) == ("secrets/generic-api-key", "error")
    assert (finding.placement.kind, finding.placement.held) == ("inline", False)


@pytest.mark.parametrize("path", ["tests/test_client.py", "examples/client.py", "docs/use.md"])
def test_a_generic_key_in_a_test_an_example_or_a_document_is_a_note(path: str) -> None:
    (finding,) = findings(KEY_LINE, path=path)
    assert (finding.severity, finding.placement.held) == ("note", True)


@pytest.mark.parametrize(
    "value", ["abcdefgh" + "0123456789", "d41d8cd98f00b204" + "e9800998ecf8427e", "a1b2" * 4]
)
def test_a_placeholder_for_a_key_is_at_most_a_note(value: str) -> None:
    found = findings(f'API_KEY = "{value}"', path="src/client.py")
    assert {one.severity for one in found} <= {"note"}
