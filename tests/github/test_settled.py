"""A review and what is known from before: what is new, what stands, what is fixed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.findings import Placement
from reviewbot.github.api.comments import Comment
from reviewbot.github.comment_hunk import commented_code
from reviewbot.github.comment_text import read_back
from reviewbot.github.markers import Marker, Noted
from reviewbot.github.memory import Memory, Posted
from reviewbot.github.settled import settle, unaccounted
from tests.support.github_comments import SHA, US, comment, found, report

if TYPE_CHECKING:
    from reviewbot.core.events import Outcome
    from reviewbot.core.findings import Finding


def posted(*findings: Finding) -> dict[str, Posted]:
    return {one.id: Posted(one.id, one.severity, comment(one), None) for one in findings}


def remembering(*before: Finding, **more: object) -> Memory:
    noted = tuple(Noted(one.id, one.severity) for one in before)
    marker = Marker("summary", SHA, SHA, "findings", noted)
    summary = (Comment(1, US, "", ""), marker)
    return Memory(summary=summary, posted=posted(*before), **more)  # type: ignore[arg-type]


ONE, TWO, THREE = found(1), found(2), found(3)


def test_the_first_review_has_nothing_but_new_findings() -> None:
    settled = settle(report(ONE, TWO), Memory(), gone=())
    assert settled.new == (ONE, TWO)
    assert settled.changes is None
    assert [one.id for one in settled.noted] == [ONE.id, TWO.id]


def test_what_was_found_before_and_not_again_stands_while_its_code_does() -> None:
    settled = settle(report(outcome="clean"), remembering(ONE), gone=())
    [standing] = settled.report.findings
    assert settled.report.outcome == "findings"
    assert (standing.id, standing.severity, standing.path) == (ONE.id, ONE.severity, ONE.path)
    assert settled.new == ()
    assert settled.changes is not None
    assert settled.changes.still == {ONE.id}


def test_what_is_gone_is_fixed_if_all_was_reviewed() -> None:
    settled = settle(report(TWO), remembering(ONE, TWO), gone={ONE.id})
    assert [one.id for one in settled.fixed] == [ONE.id]
    assert settled.report.findings == (TWO,)
    assert settled.changes is not None
    assert (settled.changes.fixed, settled.changes.still) == ([ONE.id], {TWO.id})


@pytest.mark.parametrize("outcome", ["incomplete", "cancelled", "superseded"])
def test_a_review_that_is_not_complete_fixes_nothing(outcome: Outcome) -> None:
    settled = settle(report(outcome=outcome), remembering(ONE), gone={ONE.id})
    assert settled.fixed == ()
    assert settled.report.outcome == outcome
    assert settled.changes is not None
    assert settled.changes.fixed == []


def test_what_is_ignored_counts_nowhere_and_is_told() -> None:
    memory = remembering(ONE, ignored={ONE.id: "mona", TWO.id: "hubot"})
    settled = settle(report(ONE, TWO), memory, gone=())
    assert settled.report.findings == ()
    assert settled.report.outcome == "clean"
    assert settled.report.notices == ("2 findings ignored, as asked for by hubot, mona.",)


def test_what_is_ignored_lapses_with_its_code_and_is_not_called_fixed() -> None:
    memory = remembering(ONE, ignored={ONE.id: "mona"})
    assert [one.id for one in unaccounted(report(), memory)] == [ONE.id]
    settled = settle(report(), memory, gone={ONE.id})
    assert [one.id for one in settled.lapsed] == [ONE.id]
    assert settled.fixed == ()


def test_what_is_held_back_is_not_noted_as_standing() -> None:
    held = replace(ONE, placement=Placement("outside", "Held.", held=True))
    assert settle(report(held), Memory(), gone=()).noted == ()


@pytest.mark.parametrize("one", [ONE, replace(ONE, title="A `b` | c", category="security")])
def test_title_and_category_can_be_read_back_from_a_comment(one: Finding) -> None:
    title, category = read_back(comment(one).body)
    assert category == one.category
    assert "b" in title or title == one.title


@pytest.mark.parametrize("body", ["", "**error: x**", "**fatal: x**\n", "bug, y", "\0" * 9])
def test_a_comment_that_somebody_edited_is_read_as_far_as_it_goes(body: str) -> None:
    title, category = read_back(body)
    assert (title, category) in {("", "bug"), ("x", "bug")}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"original_line": 2}, ("three",)),
        ({"original_line": 2, "original_start_line": 1}, ("one", "three")),
        ({"original_line": 2, "side": "LEFT"}, ("two",)),
        ({"original_line": 9, "original_start_line": 1}, ()),
        ({"original_line": None}, ()),
        ({"original_line": 1, "original_start_line": 5}, ()),
        ({"diff_hunk": ""}, ()),
        ({"diff_hunk": "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file"}, ("b",)),
    ],
)
def test_the_lines_of_a_comment_are_those_at_the_end_of_its_hunk(
    changes: dict[str, object], code: tuple[str, ...]
) -> None:
    assert commented_code(comment(ONE, **changes)) == code
