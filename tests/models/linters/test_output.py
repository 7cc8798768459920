"""The output of each linter as results: positions, ratings, and what means that it did not run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.models.linters import hadolint, oxlint, ruff, shellcheck, zizmor
from reviewbot.models.linters.base import Diagnostic, NotLintedError, TextEdit
from reviewbot.models.linters.programs import LINTERS


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def ruff_result(**fields: Any) -> dict[str, Any]:
    place = {"row": 2, "column": 3}
    return {"code": "F632", "message": "m", "location": place, "end_location": place, **fields}


@pytest.mark.parametrize("linter", LINTERS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "output", [b"", b"error: unknown rule", b"{", b"null", b"7", b"[7]", b"[" * 100_000, b"\xff"]
)
def test_output_that_is_no_report_means_that_the_linter_did_not_run(
    linter: Any, output: bytes
) -> None:
    with pytest.raises(NotLintedError, match="failed with exit code 2"):
        linter.parse(2, output)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda part: (
            st.lists(part)
            | st.dictionaries(
                st.sampled_from(["ident", "determinations", "locations", "code", "comments", "fix"])
                | st.sampled_from(["diagnostics", "labels", "span", "line", "message", "kind"]),
                part,
            )
        ),
    )
)
def test_any_json_is_a_report_or_a_failure(value: object) -> None:
    for linter in LINTERS:
        try:
            assert all(isinstance(one, Diagnostic) for one in linter.parse(1, dumped(value)))
        except NotLintedError as error:
            assert "exit code 1" in str(error) or "line" in str(error) or "skipped" in str(error)


def test_ruff_a_safe_fix_is_kept_and_another_is_not() -> None:
    place, end = {"row": 2, "column": 3}, {"row": 2, "column": 5}
    edits = [{"content": "==", "location": place, "end_location": end}]
    results = [
        ruff_result(fix={"applicability": kind, "edits": edits})
        for kind in ("safe", "unsafe", "display")
    ]
    safe, *others = ruff.parse(1, dumped(results))
    assert safe.edits == (TextEdit(2, 3, 2, 5, "=="),)
    assert [one.edits for one in others] == [(), ()]


@pytest.mark.parametrize("code", [None, "invalid-syntax", "E902"])
def test_ruff_an_unreadable_file_is_no_finding(code: str | None) -> None:
    with pytest.raises(NotLintedError):
        ruff.parse(1, dumped([ruff_result(), ruff_result(code=code)]))


def test_oxlint_a_result_without_a_code_is_a_syntax_error() -> None:
    report = {
        "number_of_files": 1,
        "diagnostics": [{"message": "m", "labels": [{"span": {"line": 4}}]}],
    }
    with pytest.raises(NotLintedError, match="line 4 has a syntax error"):
        oxlint.parse(1, dumped(report))


def test_oxlint_a_skipped_file_was_not_read() -> None:
    with pytest.raises(NotLintedError, match="it skipped the file"):
        oxlint.parse(0, dumped({"number_of_files": 0, "diagnostics": []}))


def test_oxlint_the_name_of_a_rule_has_no_plugin() -> None:
    report = {
        "number_of_files": 1,
        "diagnostics": [
            {"message": "m", "code": "react-hooks(exhaustive-deps)", "help": "h", "labels": []}
        ],
    }
    assert oxlint.parse(1, dumped(report)) == [Diagnostic(1, 1, "exhaustive-deps", "m\nh")]


def comment(code: int, level: str = "error", **fields: Any) -> dict[str, Any]:
    return {"line": 2, "endLine": 3, "level": level, "code": code, "message": "m", **fields}


def test_shellcheck_five_codes_of_one_syntax_error_are_one_result() -> None:
    codes = (1009, 1073, 1072, 1020, 1019)
    comments = [comment(code, "info" if code == 1009 else "error") for code in codes]
    (one,) = shellcheck.parse(1, dumped({"comments": [*comments, comment(2000, "style")]}))
    assert (one.code, one.stops, one.severity) == ("SC1019", True, "error")


def test_shellcheck_errors_and_warnings_keep_their_rating() -> None:
    comments = [comment(2068), comment(2164, "warning"), comment(2086, "info")]
    found = shellcheck.parse(1, dumped({"comments": comments}))
    assert [(one.code, one.severity) for one in found] == [
        ("SC2068", "error"),
        ("SC2164", "warning"),
    ]


def test_shellcheck_another_shell_was_not_read() -> None:
    with pytest.raises(NotLintedError, match="does not support the shell"):
        shellcheck.parse(1, dumped({"comments": [comment(1071)]}))


def test_hadolint_dl1000_means_that_it_did_not_run() -> None:
    result = {"line": 7, "code": "DL3007", "level": "warning", "message": "m"}
    assert hadolint.parse(1, dumped([result])) == [Diagnostic(7, 7, "DL3007", "m")]
    with pytest.raises(NotLintedError, match="could not parse line 7"):
        hadolint.parse(1, dumped([result, {**result, "code": "DL1000"}]))


def test_hadolint_notes_are_left_out() -> None:
    result = {"line": 7, "code": "SC2086", "message": "m"}
    levels = [{**result, "level": level} for level in ("info", "style", "ignore")]
    assert hadolint.parse(1, dumped(levels)) == []


def zizmor_result(
    rule: str = "template-injection",
    *,
    confidence: str = "High",
    severity: str = "High",
    expression: str | None = None,
    rows: tuple[int, int, int] = (4, 4, 9),
) -> dict[str, Any]:
    """A result with a hidden location first; ``rows``: start and end row, end column."""
    place = {
        "start_point": {"row": rows[0], "column": 2},
        "end_point": {"row": rows[1], "column": rows[2]},
    }
    kind: Any = "Normal"
    if expression is not None:
        kind = {"Subfeature": {"after": 0, "fragment": {"Raw": expression}}}
    hidden = {
        "symbolic": {"kind": "Hidden", "annotation": "a", "feature_kind": "Normal"},
        "concrete": {"location": {"start_point": {"row": 0}, "end_point": {"row": 0}}},
    }
    primary = {
        "symbolic": {"kind": "Primary", "annotation": "a", "feature_kind": kind},
        "concrete": {"location": place},
    }
    return {
        "ident": rule,
        "desc": "d",
        "determinations": {"confidence": confidence, "severity": severity},
        "locations": [hidden, primary],
    }


@pytest.mark.parametrize("code", [1, 3])
def test_zizmor_exit_codes_1_and_3_are_no_findings(code: int) -> None:
    with pytest.raises(NotLintedError):
        zizmor.parse(code, b"")


@pytest.mark.parametrize("change", ["locations", "fragment", "determinations", "row"])
def test_zizmor_a_result_of_another_form_is_a_failure(change: str) -> None:
    result = zizmor_result(expression="x")
    primary = result["locations"][1]
    if change == "locations":
        result["locations"].pop()
    elif change == "fragment":
        primary["symbolic"]["feature_kind"]["Subfeature"]["fragment"] = []
    elif change == "determinations":
        result["determinations"] = "High"
    else:
        primary["concrete"]["location"]["start_point"]["row"] = "4"
    with pytest.raises(NotLintedError, match="failed with exit code 14"):
        zizmor.parse(14, dumped([result]))


@pytest.mark.parametrize("code", [0, 10, 11, 12, 13, 14])
def test_zizmor_exit_codes_of_ratings_are_reports(code: int) -> None:
    assert zizmor.parse(code, b"[]") == []


@pytest.mark.parametrize(
    ("rows", "lines"),
    [((4, 4, 9), (5, 5)), ((4, 7, 0), (5, 7)), ((4, 7, 3), (5, 8)), ((0, 0, 0), (1, 1))],
)
def test_zizmor_rows_count_from_0_and_a_block_ends_before_the_next_row(
    rows: tuple[int, int, int], lines: tuple[int, int]
) -> None:
    (one,) = zizmor.parse(14, dumped([zizmor_result(rows=rows)]))
    assert (one.line, one.end_line) == lines


@pytest.mark.parametrize(
    ("rule", "confidence", "severity", "reported"),
    [
        ("bot-conditions", "Medium", "Medium", True),
        ("bot-conditions", "Low", "High", False),
        ("bot-conditions", "High", "Low", False),
        ("bot-conditions", "High", "Informational", False),
        ("github-env", "Low", "High", True),
        ("github-env", "Low", "Low", False),
    ],
)
def test_zizmor_results_below_medium_are_left_out(
    rule: str, confidence: str, severity: str, reported: bool
) -> None:
    result = zizmor_result(rule, confidence=confidence, severity=severity)
    assert bool(zizmor.parse(14, dumped([result]))) == reported


@pytest.mark.parametrize(
    ("expression", "severity"),
    [
        ("github.event.pull_request.title", "error"),
        ("github.event.issue.body || ''", "error"),
        ("github.event.comment.body", "error"),
        ("github.head_ref", "error"),
        ("github.event.pull_request.head.ref", "error"),
        ("github.event.commits[0].message", "error"),
        ("github.event.head_commit.author.name", "error"),
        ("github.event.workflow_run.head_branch", "error"),
        ("inputs.version", "note"),
        ("github.ref_name", "note"),
        ("github.event.pull_request.number", "note"),
        ("steps.a.outputs.b", "note"),
        (None, "note"),
    ],
)
def test_zizmor_an_injection_is_an_error_where_an_outsider_writes_the_value(
    expression: str | None, severity: str
) -> None:
    (one,) = zizmor.parse(14, dumped([zizmor_result(expression=expression)]))
    assert one.severity == severity
    assert (expression or "d: a") in one.message


@pytest.mark.parametrize("expression", ["github.actor", " github.sha ", "secrets.GITHUB_TOKEN"])
def test_zizmor_a_value_without_special_characters_is_no_injection(expression: str) -> None:
    assert zizmor.parse(14, dumped([zizmor_result(expression=expression)])) == []
