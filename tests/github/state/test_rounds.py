"""Later rounds list notes and some warnings instead of posting them; errors are always posted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.findings.finding import RestsOn
from reviewbot.github.publish.review_comments import NOTES
from reviewbot.github.state.block import Pause
from reviewbot.github.state.prior import Prior
from reviewbot.github.state.rounds import REASONS
from tests.support.github_pushes import reported
from tests.support.reviewed_pulls import ReviewedPull

if TYPE_CHECKING:
    from reviewbot.config.settings import Rounds
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.publish.review_comments import CommentPlan
    from reviewbot.github.state.reconcile import Reconciled
    from tests.support.github_pushes import Tree

PATH = "a.py"
BASE = {PATH: [f"line {number}" for number in range(1, 101)], "b.py": ["b = 1", "b = 2"]}


def changed(*lines: tuple[int, str]) -> Tree:
    """The base with some lines replaced."""
    head = {path: rows[:] for path, rows in BASE.items()}
    for number, text in lines:
        head[PATH][number - 1] = text
    return head


def at(head: Tree, line: int, **more: Any) -> Finding:
    return reported(head, PATH, line, **{"title": f"Wrong {head[PATH][line - 1]}", **more})


_FIELDS = ("severity", "rests_on", "rule", "suggestion", "title")
"""Fields of findings that a test may set."""


class Pushes(ReviewedPull):
    """A pull request whose reviews find the named lines, whatever they read."""

    def push(
        self, *lines: tuple[int, str], finds: tuple[int, ...] = (), **more: Any
    ) -> tuple[Reconciled, CommentPlan]:
        """Replace lines of the base, and review; each of ``finds`` is a line with a finding."""
        head = changed(*lines)
        about = {name: more.pop(name) for name in _FIELDS if name in more}
        return self.review(head, lambda _: [at(head, line, **about) for line in finds], **more)

    def pass_rounds(self, number: int, *lines: tuple[int, str]) -> None:
        """Complete so many rounds without findings, each with a change of line 90."""
        for _ in range(number):
            self.push(*lines, (90, f"round {self.rounds}"))


def posted(plan: CommentPlan) -> list[int]:
    return [inline.finding.line for inline in plan.inline]


def listed(plan: CommentPlan) -> dict[int, str]:
    return {unposted.finding.line: unposted.reason for unposted in plan.rest}


@pytest.mark.parametrize(("mode", "last"), [("normal", 1), ("strict", 0), ("off", 5)])
def test_notes_are_posted_in_the_first_rounds_only(mode: Rounds, last: int) -> None:
    pull = Pushes(BASE, mode)
    for number in range(1, 6):
        text = f"note {number}"
        _, plan = pull.push((10 * number, text), finds=(10 * number,), severity="note")
        assert (posted(plan) != []) == (number <= last)
        assert listed(plan) == ({} if number <= last else {10 * number: REASONS["note"]})


def test_a_note_has_one_reason_if_no_notes_are_posted_at_all() -> None:
    pull = Pushes(BASE, max_notes=0)
    for number in (1, 2):
        _, plan = pull.push((10 * number, "note"), finds=(10 * number,), severity="note")
        assert listed(plan) == {10 * number: NOTES}


@pytest.mark.parametrize(("mode", "first"), [("normal", 3), ("strict", 2), ("off", 9)])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_warnings_on_code_that_was_read_before_are_listed(
    mode: Rounds, first: int, number: int
) -> None:
    pull = Pushes(BASE, mode)
    pull.push((10, "old"))
    pull.pass_rounds(number - 2, (10, "old"))
    _, plan = pull.push((10, "old"), (50, "new"), finds=(10, 50), full=True)
    assert 50 in posted(plan)
    assert listed(plan) == ({10: REASONS["read"]} if number >= first else {})


def test_a_warning_is_posted_if_the_push_changes_code_that_it_rests_on() -> None:
    for line, is_posted in ((50, True), (20, False)):
        pull = Pushes(BASE)
        pull.push((10, "old"), (20, "old"))
        pull.pass_rounds(1, (10, "old"), (20, "old"))
        lines = ((10, "old"), (20, "old"), (50, "new"))
        rests_on = (RestsOn(PATH, line, line, "", base=False, is_shown=True),)
        _, plan = pull.push(*lines, finds=(10,), rests_on=rests_on, full=True)
        assert posted(plan) == [10] * is_posted


@pytest.mark.parametrize(("mode", "first"), [("normal", 4), ("strict", 3), ("off", 9)])
@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_warnings_in_the_hunk_of_an_earlier_finding_are_listed(
    mode: Rounds, first: int, number: int
) -> None:
    pull = Pushes(BASE, mode)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(number - 2)
    _, plan = pull.push((11, "fix"), (50, "new"), finds=(11, 50))
    assert 50 in posted(plan)
    assert listed(plan) == ({11: REASONS["hunk"]} if number >= first else {})


def test_the_hunk_of_a_finding_follows_a_new_base() -> None:
    pull = Pushes(BASE)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(2, (10, "bad"))
    pull.base = {PATH: [*(f"top {number}" for number in range(40)), *BASE[PATH]]}
    head = {PATH: pull.base[PATH][:]}
    head[PATH][49:51] = ["bad", "fix"]
    head[PATH][9] = "elsewhere"
    _, plan = pull.review(head, lambda _: [at(head, 10), at(head, 51)], base="c" * 40)
    assert posted(plan) == [10]
    assert listed(plan) == {51: REASONS["hunk"]}


@pytest.mark.parametrize("more", [{"severity": "error"}, {"rule": "secrets/token"}])
def test_errors_and_secrets_are_posted_in_every_round(more: dict[str, str]) -> None:
    pull = Pushes(BASE, "strict")
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(5)
    _, plan = pull.push((10, "bad"), (11, "fix"), finds=(11,), **more)
    assert posted(plan) == [11]


def test_an_error_is_posted_beside_a_warning_on_its_line() -> None:
    pull = Pushes(BASE)
    pull.push((10, "bad"), finds=(10,))
    error = {"severity": "error", "rule": "security", "title": "Password leaks"}
    _, plan = pull.push((10, "bad"), (11, "new"), finds=(10,), **error)
    assert posted(plan) == [10]
    error |= {"rule": "concurrency", "title": "Deadlock threatens"}
    _, plan = pull.push((10, "bad"), (11, "newer"), finds=(10,), **error)
    assert posted(plan) == []


@pytest.mark.parametrize("severity", ["note", "warning"])
@pytest.mark.parametrize("suggestion", ["bad", "else\n  bad"])
def test_a_finding_that_restores_reported_code_is_posted_in_every_round(
    severity: str, suggestion: str
) -> None:
    pull = Pushes(BASE, max_notes=0)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(4)
    about = {"severity": severity, "suggestion": suggestion}
    done, plan = pull.push((10, "good"), finds=(10,), **about)
    assert posted(plan) == [10]
    assert [record.title for record in done.contradicted.values()] == ["Wrong bad"]
    assert "the two may contradict: Wrong bad." in plan.inline[0].comment["body"]


@pytest.mark.parametrize("line", [10, 50])
def test_a_finding_contradicts_only_a_resolved_finding_in_its_hunk(line: int) -> None:
    pull = Pushes(BASE)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(4, *[(10, "bad")] * (line == 10))
    lines = ((10, "bad"), (11, "new")) if line == 10 else ((50, "new"),)
    done, _ = pull.push(*lines, finds=(lines[-1][0],), suggestion="bad")
    assert done.contradicted == {}


def test_listed_findings_count_and_can_be_dismissed_and_resolved() -> None:
    pull = Pushes(BASE)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(3)
    done, _ = pull.push((11, "fix"), finds=(11,))
    [finding] = done.report.findings
    assert done.listed == {finding.id: "hunk"}
    assert done.report.counts["warning"] == 1
    assert pull.records[finding.id].is_posted
    done, _ = pull.push((11, "fix"), (70, "more"))
    assert done.listed == {finding.id: "hunk"}
    done, _ = pull.push((11, "other"))
    assert [record.id for record in done.resolved] == [finding.id]


def test_a_listed_finding_that_becomes_an_error_is_posted_once() -> None:
    pull = Pushes(BASE)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(3)
    _, plan = pull.push((11, "fix"), finds=(11,))
    assert listed(plan) == {11: REASONS["hunk"]}
    error = partial(pull.push, (11, "fix"), finds=(11,), severity="error")
    done, plan = error((13, "more"))
    assert posted(plan) == [11]
    assert done.listed == {}
    for _ in range(2):
        _, plan = error((13, "more"))
        assert (posted(plan), listed(plan)) == ([], {})


def test_a_listed_finding_is_posted_once_its_hunk_changes() -> None:
    pull = Pushes(BASE)
    pull.push((10, "old"))
    pull.pass_rounds(1, (10, "old"))
    _, plan = pull.push((10, "old"), finds=(10,), full=True)
    assert listed(plan) == {10: REASONS["read"]}
    _, plan = pull.push((10, "old"), (12, "new"), finds=(10,))
    assert posted(plan) == [10]
    _, plan = pull.push((10, "old"), (12, "newer"), finds=(10,))
    assert (posted(plan), listed(plan)) == ([], {})


def test_a_retry_lists_what_the_first_attempt_listed() -> None:
    pull = Pushes(BASE)
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(3)
    lines = ((11, "fix"), (50, "new"))
    pull.push(*lines, finds=(11,), key="same")
    rounds = pull.rounds
    commit = f"{pull.reviews:040x}"
    _, plan = pull.push(*lines, finds=(11, 50), key="same", commit=commit)
    assert (posted(plan), listed(plan)) == ([50], {11: REASONS["hunk"]})
    assert pull.rounds == rounds


def test_a_complete_review_of_new_code_completes_a_round() -> None:
    pull = Pushes(BASE)
    for number in (1, 2, 3):
        pull.push((10 * number, "new"))
        assert pull.rounds == number


@pytest.mark.parametrize(
    "more",
    [
        {"status": "failed"},
        {"requested": True, "full": True},
        {"commit": f"{1:040x}"},
    ],
)
def test_other_reviews_complete_no_round(more: dict[str, Any]) -> None:
    pull = Pushes(BASE)
    pull.push((10, "old"))
    pull.push((20, "new"), **more)
    assert pull.rounds == 1


def test_a_review_that_reads_nothing_new_completes_no_round() -> None:
    pull = Pushes(BASE)
    for _ in range(3):
        pull.push((10, "old"), full=True)
        assert pull.rounds == 1


def test_a_review_during_a_pause_completes_no_round() -> None:
    pull = Pushes(BASE)
    pull.push((10, "old"))
    assert pull.prior.block
    pause = Pause("octo", "2026-11-28T12:00:00Z")
    pull.prior.block = replace(pull.prior.block, pause=pause)
    pull.push((20, "new"))
    assert pull.rounds == 1


@pytest.mark.parametrize("loss", ["signature", "state"])
def test_without_a_trusted_state_everything_is_posted(loss: str) -> None:
    pull = Pushes(BASE, "strict")
    pull.push((10, "bad"), finds=(10,))
    pull.pass_rounds(5)
    if loss == "state":
        pull.prior = Prior(pull.prior.summary, None, signed=True)
    else:
        pull.prior.signed = False
    _, plan = pull.push((11, "fix"), finds=(11,), severity="note")
    assert posted(plan) == [11]
    assert pull.rounds == 0
