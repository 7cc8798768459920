"""Each finding of an earlier review is open, resolved or dismissed; none is lost or doubled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.events.events import FileCoverage, FindingVerified, FindingWithdrawn
from reviewbot.core.events.report import Report, Withdrawal, counts_for_fail_on
from reviewbot.core.findings.finding import Evidence, Placement, RestsOn, fingerprint
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.core.plan.policy import EXCLUDED
from reviewbot.github.state.fingerprint import Fingerprint, normal
from reviewbot.github.state.reconcile import Reconciled, reconcile
from reviewbot.github.state.relocate import HeadCode
from tests.support.examples import examples
from tests.support.findings import finding
from tests.support.reports import HELD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reviewbot.core.findings.finding import Finding, Side
    from reviewbot.github.state.block import Record


def diff_of(path: str, lines: Sequence[str]) -> tuple[FileDiff, ...]:
    """A diff that has added a file to a pull request, line by line, as one that is modified."""
    body = "".join(f"+{line}\n" for line in lines)
    text = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    return parse_diff(f"{text}@@ -1 +1,{len(lines) + 1} @@\n{body} end\n".encode())


def at(line: int, quote: str, path: str = "a.py", **changes: Any) -> Finding:
    rule = changes.pop("rule", "bug")
    return replace(
        finding(),
        id=fingerprint(path, rule, quote),
        path=path,
        line=line,
        end_line=line,
        quote=quote,
        rule=rule,
        title=changes.pop("title", f"Wrong {quote}"),
        placement=changes.pop("placement", Placement("inline")),
        **changes,
    )


@dataclass
class Pull:
    """A pull request of one file, and what its reviews left."""

    prior: dict[str, Record] = field(default_factory=dict)
    dismissed: dict[str, str] = field(default_factory=dict)

    def review(
        self,
        lines: Sequence[str],
        *findings: Finding,
        path: str = "a.py",
        reread: bool = True,
        coverage: FileCoverage | None = None,
        whole: Mapping[str, Sequence[str] | None] | None = None,
        rules: Mapping[str, str] | None = None,
        refuted: tuple[str, ...] = (),
        withdrawn: tuple[Withdrawal, ...] = (),
        verdicts: tuple[FindingVerified, ...] = (),
        earlier: tuple[FindingVerified | FindingWithdrawn, ...] = (),
        withdrawals: frozenset[str] = frozenset(),
    ) -> Reconciled:
        """Review the file as it is, and keep the records for the next time."""
        texts = [normal(line) for line in (*lines, "end")]
        code = HeadCode(diff_of(path, lines), {path: texts, **(whole or {})})
        covered = (coverage or FileCoverage(path, "reviewed"),)
        failed = covered[0].status in ("failed", "partly")
        report = Report(
            outcome="incomplete" if failed else "findings" if findings else "clean",
            findings=findings,
            coverage=covered,
            refuted=refuted,
            withdrawn=withdrawn,
            verdicts=verdicts,
            earlier=earlier,
        )

        def was_reviewed(there: str, _side: Side, _lines: range | None) -> bool:
            return reread and there == path

        done = reconcile(
            report,
            self.prior,
            self.dismissed,
            code,
            was_reviewed,
            levels=RuleLevels(rules or {}),
            is_first=not self.prior,
            head="last",
            withdrawn=withdrawals,
        )
        # Each open finding that may have a comment gets one, as the first ten would.
        self.prior = {one.id: replace(one, comment=one.comment or 1) for one in done.records}
        return done

    @property
    def states(self) -> dict[int, str]:
        return {one.line: one.state for one in self.prior.values()}


def open_lines(done: Reconciled) -> list[int]:
    return sorted(one.line for one in done.report.findings)


def test_a_first_review_is_all_new() -> None:
    done = Pull().review(["x", "bad"], at(2, "bad"))
    assert [one.line for one in done.new] == [2]
    assert done.unposted == done.new
    assert done.is_first


def test_a_finding_reported_again_stays_open_at_its_new_line() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["x", "  bad"], at(2, "  bad"))
    assert open_lines(done) == [2]
    assert done.new == done.unposted == ()


def test_the_same_code_in_other_words_on_the_same_lines_is_the_same_finding() -> None:
    pull = Pull()
    first = pull.review(["bad"], at(1, "bad", title="The lock is never released"))
    again = at(1, "bad", rule="concurrency", title="The lock is never released here")
    done = pull.review(["bad"], replace(again, category="concurrency"))
    assert [one.id for one in done.report.findings] == [one.id for one in first.new]


def by_rule(line: int, quote: str) -> Finding:
    return at(line, quote, rule="python/loop", title="The dictionary is changed while it is walked")


def by_model(line: int, quote: str) -> Finding:
    return at(line, quote, title="The dictionary is changed in its own loop")


@pytest.mark.parametrize(("first", "then"), [(by_rule, by_model), (by_model, by_rule)])
def test_a_fault_of_rule_and_model_keeps_its_record_while_one_of_them_is_silent(
    first: Callable[[int, str], Finding], then: Callable[[int, str], Finding]
) -> None:
    pull = Pull()
    (record,) = pull.review(["bad"], first(1, "bad")).records
    for line, report in ((1, then), (2, first), (1, first), (1, then)):
        done = pull.review(["x"] * (line - 1) + ["bad"], report(line, "bad"))
        assert [one.id for one in done.report.findings] == [record.id]
        assert [one.id for one in done.records] == [record.id]
        assert (done.new, done.unposted, done.resolved) == ((), (), ())


def test_other_faults_of_rule_and_model_on_one_line_are_two_findings() -> None:
    pull = Pull()
    pull.review(["bad"], by_rule(1, "bad"))
    done = pull.review(["bad"], by_rule(1, "bad"), by_model(1, "bad"))
    assert len(done.report.findings) == 2


def test_a_finding_is_the_open_record_and_not_a_resolved_one_of_the_same_code() -> None:
    pull = Pull()
    for lines in (
        *(["start", "bad", "bad"], ["bad", "bad"], ["bad"]),
        *(["one", "bad"], ["two", "one", "bad"]),
    ):
        done = pull.review(lines, *_bugs(lines))
        assert open_lines(done) == [n for n, text in enumerate(lines, start=1) if text == "bad"]


def test_the_same_words_on_the_next_line_are_another_finding() -> None:
    pull = Pull()
    pull.review(["a = 1 / 0"], at(1, "a = 1 / 0", title="Division by zero"))
    new = at(1, "b = 1 / 0", title="Division by zero")
    done = pull.review(["b = 1 / 0", "a = 1 / 0"], new)
    assert open_lines(done) == [1, 2]


def test_another_finding_on_the_same_line_is_another_one() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad", title="The lock is never released"))
    done = pull.review(["bad"], at(1, "bad", rule="api", title="Callers get a wrong type"))
    assert open_lines(done) == [1, 1]


def test_a_model_that_is_silent_resolves_nothing() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["x", "bad"])
    assert open_lines(done) == [2]
    assert done.report.outcome == "findings"
    assert done.resolved == ()


@pytest.mark.parametrize(
    ("rule", "check", "others"),
    [
        ("a/b", "3 rules for A", ("ruff",)),
        ("ruff/F821", "ruff", ("3 rules for A", "zizmor")),
    ],
)
def test_a_rule_that_is_silent_resolves_its_finding_only_if_it_looked(
    rule: str, check: str, others: tuple[str, ...]
) -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad", rule=rule))
    looked = FileCoverage("a.py", "reviewed", checks=(*others, check))
    assert open_lines(pull.review(["bad"], coverage=looked, reread=False)) == [1]
    others_looked = FileCoverage("a.py", "reviewed", checks=others)
    assert open_lines(pull.review(["bad"], coverage=others_looked)) == [1]
    done = pull.review(["bad"], coverage=looked)
    assert done.report.findings == ()
    assert [one.rule for one in done.resolved] == [rule]
    assert done.report.outcome == "clean"


def test_a_secret_that_is_no_longer_found_is_resolved_whatever_read_the_file() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad", rule="secrets/password"))
    assert open_lines(pull.review(["bad"])) == []


def test_code_that_is_gone_resolves_its_finding() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["good"])
    assert [one.title for one in done.resolved] == ["Wrong bad"]
    assert pull.review(["good"]).resolved == ()
    back = pull.review(["bad"], at(1, "bad"))
    assert open_lines(back) == [1]
    assert back.unposted == ()


@pytest.mark.parametrize("status", ["failed", "partly"])
def test_a_review_that_failed_in_the_file_changes_nothing(status: Any) -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["good"], coverage=FileCoverage("a.py", status, "Quota."))
    assert open_lines(done) == [1]
    assert done.report.outcome == "incomplete"
    [finding] = done.report.findings
    assert finding.message.endswith("Its code changed, and has not been read yet.")


def test_deleted_code_resolves_its_finding_although_the_review_failed() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    deleted = replace(diff_of("a.py", ["bad"])[0], status="deleted", hunks=())
    code = HeadCode((deleted,), {})
    report = Report(outcome="incomplete", coverage=(FileCoverage("a.py", "failed", "Quota."),))
    done = reconcile(
        report, pull.prior, {}, code, lambda *_: True, levels=RuleLevels({}), is_first=False
    )
    assert [record.title for record in done.resolved] == ["Wrong bad"]


def test_a_file_that_is_not_known_changes_nothing() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    assert open_lines(pull.review(["x"], path="b.py", whole={"a.py": None})) == [1]
    assert open_lines(pull.review(["x"], path="b.py", whole={"a.py": []})) == []


def test_repairing_one_of_two_identical_lines_resolves_one_finding() -> None:
    pull = Pull()
    both = at(1, "bad"), replace(at(3, "bad"), id="b" * 16)
    pull.review(["bad", "x", "bad"], *both)
    assert sorted(pull.states.values()) == ["open", "open"]
    done = pull.review(["good", "x", "bad"])
    assert open_lines(done) == [3]
    assert len(done.resolved) == 1


def test_a_copy_of_code_that_was_not_read_again_is_another_finding() -> None:
    pull = Pull()
    first = pull.review(["bad"], at(1, "bad"))
    done = pull.review(["bad", "x", "bad"], at(3, "bad"), reread=False)
    assert open_lines(done) == [1, 3]
    assert len({one.id for one in done.report.findings}) == 2
    assert first.new[0].id in {one.id for one in done.report.findings if one.line == 1}


def test_a_dismissed_finding_is_neither_open_nor_new() -> None:
    pull = Pull()
    id_ = pull.review(["bad"], at(1, "bad")).new[0].id
    pull.dismissed = {id_: "octo"}
    for findings in ([at(1, "bad")], []):
        done = pull.review(["bad"], *findings)
        assert done.report.findings == done.unposted == ()
        assert [one.id for one in done.dismissed] == [id_]
        assert "1 finding dismissed by octo." in done.report.notices
    pull.dismissed = {}
    assert open_lines(pull.review(["bad"])) == [1]


def test_a_finding_that_is_held_back_takes_none_back() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["bad"], at(1, "bad", placement=HELD))
    assert [counts_for_fail_on(one) for one in done.report.findings] == [True]


def test_a_finding_that_was_held_back_is_new_once_it_counts() -> None:
    pull = Pull()
    held = pull.review(["bad"], at(1, "bad", placement=HELD))
    assert [counts_for_fail_on(one) for one in held.report.findings] == [False]
    carried = pull.review(["bad"])
    assert [counts_for_fail_on(one) for one in carried.report.findings] == [False]
    pull.prior = {id_: replace(one, comment=None) for id_, one in pull.prior.items()}
    done = pull.review(["bad"], at(1, "bad"))
    assert [counts_for_fail_on(one) for one in done.report.findings] == [True]
    assert done.new == done.unposted == done.report.findings


def test_a_finding_in_an_excluded_file_is_kept_and_does_not_count() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["bad"], coverage=FileCoverage("a.py", "skipped", EXCLUDED))
    assert done.report.findings == ()
    assert "1 finding of earlier reviews left out: the configuration excludes them." in (
        done.report.notices
    )
    assert open_lines(pull.review(["bad"])) == [1]


@pytest.mark.parametrize(
    ("rules", "counts"),
    [({"bug": "off"}, False), ({"bug": "note"}, True), ({"docs": "off"}, True)],
)
def test_a_finding_of_a_category_that_is_switched_off_does_not_count(
    rules: dict[str, str], counts: bool
) -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    done = pull.review(["bad"], rules=rules)
    assert bool(done.report.findings) == counts
    assert open_lines(pull.review(["bad"])) == [1]


def test_a_model_that_is_less_sure_after_a_rename_does_not_report_twice() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    old = "0" * 16  # an id contains the path
    [record] = pull.prior.values()
    pull.prior = {old: replace(record, id=old)}
    done = pull.review(["bad"], at(1, "bad", placement=HELD))
    assert [(one.id, counts_for_fail_on(one)) for one in done.report.findings] == [(old, True)]


def test_a_finding_beyond_the_limit_gets_no_comment_later() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad"))
    pull.prior = {i: replace(one, comment=None, left_out=True) for i, one in pull.prior.items()}
    assert pull.review(["bad"], at(1, "bad")).unposted == ()


def test_a_finding_on_no_line_is_open_until_its_file_is_read_again() -> None:
    pull = Pull()
    nowhere = at(7, "not there", placement=Placement("file", "The code it quotes is not there."))
    pull.review(["x"], nowhere)
    assert open_lines(pull.review(["y"], reread=False)) == [7]
    assert open_lines(pull.review(["y"], nowhere)) == [7]
    assert [one.line for one in pull.review(["z"]).resolved] == [7]


def test_the_worst_severity_stays() -> None:
    pull = Pull()
    pull.review(["bad"], at(1, "bad", severity="error"))
    [one] = pull.review(["bad"], at(1, "bad", severity="note")).report.findings
    assert one.severity == "error"


pushes = st.lists(
    st.tuples(
        st.sampled_from(["insert", "remove", "copy", "break", "repair", "keep"]),
        st.integers(0, 20),
        st.sampled_from(["all", "some", "none", "failed", "unread"]),
    ),
    max_size=8,
)


def changed(lines: list[str], what: str, where: int) -> list[str]:
    """The file after a push."""
    index = where % (len(lines) + 1)
    now = [*lines]
    if what == "insert":
        now.insert(index, f"line_{where} = {len(lines)}")
    elif what == "break":
        now.insert(index, f"bad_{where % 3}()")
    elif now and what in ("remove", "copy", "repair"):
        index %= len(now)
        if what == "copy":
            now.insert(where % len(now), now[index])
        else:
            now[index : index + 1] = [] if what == "remove" else ["good()"]
    return now


@settings(max_examples=examples(400))
@given(pushes, st.data())
def test_no_finding_is_lost_doubled_or_resolved_while_its_code_is_there(
    story: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    pull, lines = Pull(), ["start", "bad_0()", "bad_1()", "bad_0()"]
    pull.review(lines, *_bugs(lines))
    for what, where, seen in story:
        lines = changed(lines, what, where)
        bugs = _bugs(lines)
        if seen == "some":
            bugs = [bug for bug in bugs if data.draw(st.booleans())]
        elif seen != "all":
            bugs = []
        before = {one.id: one for one in pull.prior.values() if one.state == "open"}
        coverage = FileCoverage("a.py", "failed", "Quota.") if seen == "failed" else None
        done = pull.review(lines, *bugs, reread=seen != "unread", coverage=coverage)
        ids = [one.id for one in done.report.findings]
        assert len(set(ids)) == len(ids)
        resolved = {one.id for one in done.resolved}
        assert before.keys() <= {*ids, *resolved}
        assert not resolved & {*ids}
        if seen == "failed":
            assert not resolved
        for text in ("bad_0()", "bad_1()", "bad_2()"):
            known = [one for one in before.values() if one.title == f"Wrong {text}"]
            still = [one for one in known if one.id in ids]
            # As many as there are copies, if so many were known.
            assert len(still) >= min(len(known), lines.count(text))
        if seen == "all":
            assert len(ids) == len(_bugs(lines)), (lines, done.report.findings)


def _bugs(lines: Sequence[str]) -> list[Finding]:
    """What a perfect review finds, with the ids that the pipeline gives."""
    found: list[Finding] = []
    for number, text in enumerate(lines, start=1):
        if text.startswith("bad"):
            nth = 1 + sum(one.quote == text for one in found)
            found.append(replace(at(number, text), id=fingerprint("a.py", "bug", text, nth)))
    return found


PROOF = Evidence("a.py", 2, "good")


def fixed(*findings: Finding) -> tuple[FindingWithdrawn, ...]:
    return tuple(FindingWithdrawn(one.id, "It is fixed.", PROOF, "fixed") for one in findings)


def still(finding: Finding, verdict: Any) -> tuple[FindingVerified, ...]:
    return (FindingVerified(finding.id, verdict, "So.", None, Placement("inline")),)


def test_a_finding_of_a_model_is_resolved_by_the_code_that_fixes_it() -> None:
    pull = Pull()
    first, second = at(1, "bad"), at(2, "worse", rule="python/eval")
    pull.review(["bad", "worse"], first, second)
    done = pull.review(["bad", "worse"], second, reread=False, earlier=fixed(first, second))
    assert [record.id for record in done.resolved] == [first.id]
    assert done.fixed == {first.id: PROOF}
    assert open_lines(done) == [2]


def test_a_finding_that_this_review_reports_again_is_open_whatever_is_said_of_it() -> None:
    pull = Pull()
    first = at(1, "bad")
    pull.review(["bad"], first)
    done = pull.review(["bad"], first, earlier=fixed(first))
    assert open_lines(done) == [1]


@pytest.mark.parametrize("verdict", ["wrong", "not_introduced"])
def test_a_withdrawn_report_of_a_finding_does_not_close_the_finding(verdict: Any) -> None:
    pull = Pull()
    first = at(1, "bad")
    pull.review(["bad"], first)
    gone = Withdrawal(first, "So the verifier.", Evidence("a.py", 1, "bad"), verdict)
    done = pull.review(["bad"], refuted=(first.id,), withdrawn=(gone,))
    assert open_lines(done) == [1]


def test_answers_in_doubt_are_counted_until_an_answer_is_clear() -> None:
    pull = Pull()
    first = at(1, "bad")
    pull.review(["bad"], first)
    counts = []
    for verdict in ("cannot_tell", "unverified", "cannot_tell", "supported", "cannot_tell"):
        pull.review(["bad"], earlier=still(first, verdict))
        [record] = pull.prior.values()
        counts.append((record.doubts, record.since))
    assert counts == [(1, ""), (1, "last"), (2, ""), (0, ""), (1, "")]
    pull.review(["bad"], first)
    [record] = pull.prior.values()
    assert record.doubts == 0


def test_a_question_without_an_answer_keeps_the_commit_that_it_compared_with() -> None:
    pull = Pull()
    first = at(1, "bad")
    pull.review(["bad"], first)
    pull.prior = {id_: replace(one, since="before") for id_, one in pull.prior.items()}
    pull.review(["bad"], earlier=still(first, "unverified"))
    assert [record.since for record in pull.prior.values()] == ["before"]
    pull.review(["bad"])
    assert [record.since for record in pull.prior.values()] == ["before"]


def test_the_code_that_a_finding_rests_on_is_recorded() -> None:
    pull = Pull()
    own = RestsOn("a.py", 1, 1, "bad", base=False, is_shown=True)
    old = RestsOn("b.py", 4, 4, "x", base=True, is_shown=False)
    new = RestsOn("b.py", 4, 5, "x\ny", base=False, is_shown=False)
    first = replace(at(1, "bad"), rests_on=(own, old, new))
    said = FindingVerified(
        first.id, "supported", "So.", Evidence("c.py", 7, "z"), Placement("inline")
    )
    pull.review(["bad"], first, verdicts=(said,))
    [record] = pull.prior.values()
    places = [(place.path, place.line, place.end_line) for place in record.rests_on]
    assert places == [("b.py", 4, 5), ("c.py", 7, 7)]
    assert record.rests_on[0].fingerprint == str(Fingerprint.of(["x", "y"]))
    pull.review(["bad"], at(1, "bad"))
    assert [one.rests_on for one in pull.prior.values()] == [record.rests_on]


def test_a_dismissed_finding_stays_dismissed_when_it_is_fixed() -> None:
    pull = Pull()
    first = at(1, "bad")
    pull.review(["bad"], first)
    pull.dismissed[first.id] = "octo"
    pull.review(["bad"], first)
    done = pull.review(["bad"], earlier=fixed(first))
    assert [one.id for one in done.dismissed] == [first.id]
    assert done.resolved == ()


@pytest.mark.parametrize("reread", [True, False])
def test_a_finding_that_was_withdrawn_for_this_code_counts_as_dismissed(*, reread: bool) -> None:
    pull = Pull()
    [found] = pull.review(["bad"], at(1, "bad")).report.findings
    withdrawals = frozenset({found.id})
    again = (at(1, "bad"),) if reread else ()
    done = pull.review(["bad"], *again, reread=reread, withdrawals=withdrawals)
    assert open_lines(done) == []
    assert [one.id for one in done.dismissed] == [found.id]
    assert done.refuted == {found.id}
    assert done.report.notices == ("1 finding withdrawn after a reply.",)
    assert done.report.outcome == "clean"


def test_a_finding_that_was_withdrawn_for_other_code_is_open_again() -> None:
    pull = Pull()
    [found] = pull.review(["bad"], at(1, "bad")).report.findings
    assert open_lines(pull.review(["bad"], withdrawals=frozenset({found.id}))) == []
    assert open_lines(pull.review(["bad", "x"])) == [1]


def test_a_person_who_dismissed_a_withdrawn_finding_is_named() -> None:
    pull = Pull()
    [found] = pull.review(["bad"], at(1, "bad")).report.findings
    pull.dismissed = {found.id: "mona"}
    withdrawals = frozenset({found.id})
    done = pull.review(["bad"], withdrawals=withdrawals)
    assert done.report.notices == ("1 finding dismissed by mona.",)
    assert done.refuted == frozenset()
