"""Findings that have a comment already, and those that only seem to."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.diff import parse_diff
from reviewbot.core.findings import Placement, fingerprint
from reviewbot.github.commented_code import CommentedCode
from reviewbot.github.memory import Posted
from reviewbot.github.recognised import recognised
from tests.support.findings import finding
from tests.support.github_comments import comment, report

if TYPE_CHECKING:
    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Finding

CODE = "x = 1 / 0"


def found(line: int = 3, **changes: Any) -> Finding:
    one = replace(
        finding(),
        path="a.py",
        quote=CODE,
        line=line,
        end_line=line,
        category="bug",
        rule="bug",
        title="Division by zero",
        scenario="",
        placement=Placement("inline"),
    )
    one = replace(one, **changes)
    return replace(one, id=fingerprint(one.path, one.rule, one.quote))


def posted(one: Finding, **changes: Any) -> dict[str, Posted]:
    hunk = f"@@ -0,0 +1,{one.line} @@\n" + "+\n" * (one.line - 1) + f"+{CODE}"
    return {one.id: Posted(one.id, one.severity, comment(one, diff_hunk=hunk, **changes), None)}


def diff(*lines: int, path: str = "a.py") -> tuple[FileDiff, ...]:
    """A new file with the code on these lines."""
    text = [f"+{CODE}" if number in lines else f"+{number}" for number in range(1, 61)]
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
    return parse_diff((head + "@@ -0,0 +1,60 @@\n" + "\n".join(text) + "\n").encode())


def ids(known: dict[str, Posted], files: tuple[FileDiff, ...], *findings: Finding) -> list[str]:
    return [one.id for one in recognised(report(*findings), known, CommentedCode(files)).findings]


ONE = found()
SECOND = fingerprint("a.py", "bug", CODE, 2)


def test_without_comments_nothing_changes() -> None:
    assert recognised(report(ONE), {}, CommentedCode(diff(3))) == report(ONE)


def test_the_same_code_at_its_place_has_its_comment() -> None:
    assert ids(posted(ONE), diff(3), ONE) == [ONE.id]


def test_another_copy_has_an_id_of_its_own_while_the_first_is_in_its_place() -> None:
    assert ids(posted(ONE), diff(3, 30), found(30)) == [SECOND]


def test_a_copy_is_the_first_one_moved_if_that_is_not_in_its_place_any_more() -> None:
    assert ids(posted(ONE), diff(30), found(30)) == [ONE.id]
    assert ids(posted(ONE, line=None), diff(30), found(30)) == [ONE.id]


def test_a_place_that_github_has_not_moved_yet_is_not_believed() -> None:
    """The comment is said to be on line 3 still; the code is on line 10 of the new head."""
    assert ids(posted(ONE), diff(10), found(10)) == [ONE.id]


def test_copies_are_told_apart_by_their_places_not_by_their_numbers() -> None:
    first, second = found(30), replace(found(3), id=SECOND)
    known = posted(ONE) | posted(replace(found(30), id=SECOND))
    assert ids(known, diff(3, 30), first, second) == [SECOND, ONE.id]


def test_a_line_that_the_model_only_claims_tells_nothing() -> None:
    claimed = replace(found(30), placement=Placement("file", "Not there."))
    assert ids(posted(ONE), diff(3), claimed) == [ONE.id]


@pytest.mark.parametrize(
    "changes",
    [{"category": "security", "rule": "security"}, {"quote": f"{CODE}\n4", "end_line": 4}],
)
@pytest.mark.parametrize("place", [{}, {"line": None}])
def test_the_same_said_a_little_differently_has_the_comment(
    changes: dict[str, Any], place: dict[str, Any]
) -> None:
    again = found(**changes)
    assert again.id != ONE.id
    assert ids(posted(ONE, **place), diff(3), again) == [ONE.id]


def test_another_thing_on_the_same_line_is_new() -> None:
    other = found(title="Name hides a builtin", category="api", rule="api")
    assert ids(posted(ONE), diff(3), other) == [other.id]
    assert ids(posted(ONE), diff(3), ONE, other) == [ONE.id, other.id]


def test_a_finding_goes_along_with_a_file_that_is_renamed() -> None:
    moved = found(path="b.py")
    assert ids(posted(ONE), diff(3, path="b.py"), moved) == [ONE.id]


def test_what_is_posted_stays_as_bad_as_it_was_and_is_not_held_back() -> None:
    held = Placement("outside", "Its confidence is low.", held=True)
    [one] = recognised(
        report(replace(ONE, severity="note", placement=held)), posted(ONE), CommentedCode(diff(3))
    ).findings
    assert (one.severity, one.placement.held) == (ONE.severity, False)


def test_what_was_a_note_can_become_an_error() -> None:
    known = posted(replace(ONE, severity="note"))
    [one] = recognised(
        report(replace(ONE, severity="error")), known, CommentedCode(diff(3))
    ).findings
    assert one.severity == "error"


@pytest.mark.parametrize("place", [{}, {"line": None}])
def test_of_two_things_on_the_same_code_each_has_its_comment(place: dict[str, Any]) -> None:
    """The first that a model names has the first id, whichever of them that is."""
    other = replace(found(title="Overwrites another constant"), id=SECOND)
    known = posted(ONE, **place) | posted(other, **place)
    assert ids(known, diff(3), replace(other, id=ONE.id)) == [SECOND]
    assert ids(known, diff(3), replace(other, id=ONE.id), replace(ONE, id=SECOND)) == [
        SECOND,
        ONE.id,
    ]


@pytest.mark.slow
def test_hundreds_of_findings_are_recognised_at_once() -> None:
    known: dict[str, Posted] = {}
    for number in range(200):
        one = replace(found(3, title=f"Thing number{number}"), id=f"{number:016x}")
        known |= posted(replace(one, message="word " * 2_000))
    findings = [replace(ONE, id=f"{number:016x}", title="?") for number in range(1_000, 1_200)]
    start = time.perf_counter()
    result = recognised(report(*findings), known, CommentedCode(diff(3)))
    assert time.perf_counter() - start < 10
    assert len({one.id for one in result.findings}) == 200
