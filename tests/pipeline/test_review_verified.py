"""Verification in a review: findings are shown at once, then confirmed, rewritten or withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.cache.seen_code import NOT_COMPARABLE
from reviewbot.core.events.events import (
    ChunkFinished,
    FileCoverage,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    ReviewFinished,
    ReviewProgress,
    Usage,
    VerificationTally,
)
from reviewbot.core.events.report import fold
from reviewbot.core.findings.finding import Evidence, Finding
from reviewbot.core.findings.intake import FindingFilters
from reviewbot.core.findings.prior import FollowUp, PriorFinding
from reviewbot.core.findings.verdicts import Rewrite, Verdict, unverified
from reviewbot.models.attempts import Attempts
from reviewbot.models.batch import BatchResult, LookedUp, Spent
from reviewbot.models.cached import CachedBatches
from reviewbot.pipeline.job import PriorRun, StopSignal
from reviewbot.pipeline.review import review
from tests.models import scripted
from tests.models.memory_cache import MemoryCache
from tests.models.scripted import Say, Scripted
from tests.support import reviews
from tests.support.reviews import Checkpoints, Seen, added, by_path, numbered, run
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.cache.seen_code import SeenCode
    from reviewbot.models.batch import BatchEvent, Emit, Verify, VerifyTask
    from reviewbot.pipeline.job import Job


def job(diff: str, **changes: Any) -> Job:
    """A job whose new findings are verified."""
    return reviews.job(diff, **({"verified": True} | changes))


def item(line: int = 1, /, **changes: Any) -> dict[str, Any]:
    """An error as a model writes it, which is verified."""
    return scripted.item(line, **({"severity": "error"} | changes))


SPENT = Spent("m", Usage(input=50, output=5), 0.25, purpose="verification")
LOOKED_UP = LookedUp("m", "reading lib.py")
TEXTS = Rewrite("Another title", "Another scenario.", "Another message.")


async def ignore(_event: BatchEvent) -> None:
    pass


@dataclass
class Verifying:
    """A verifier that decides by the title of a finding, and keeps what it was asked."""

    answers: Mapping[str, str] = field(default_factory=dict)
    asked: list[VerifyTask] = field(default_factory=list)
    evidence: Evidence | None = None
    seen: tuple[SeenCode, ...] = ()

    async def __call__(self, task: VerifyTask, emit: Emit) -> BatchResult:
        self.asked.append(task)
        await emit(SPENT)
        await emit(LOOKED_UP)
        verdicts = tuple(map(self._verdict, task.findings))
        return BatchResult(
            (), (), (SPENT,), verdicts=verdicts, lookups=(LOOKED_UP,), seen=self.seen
        )

    def _verdict(self, finding: Finding) -> Verdict:
        answer: Any = self.answers.get(finding.title, "supported")
        if answer == "unverified":
            return unverified([finding], "The model is down.")[0]
        evidence = self.evidence or Evidence(finding.path, finding.line, finding.quote)
        rewrite = TEXTS if answer == "partly" else None
        return Verdict(finding.id, answer, f"It is {answer}.", evidence, rewrite)


@in_virtual_time
async def test_a_finding_is_shown_at_once_and_its_verdict_follows() -> None:
    verify = Verifying()
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])), verify=verify)
    kinds = [type(event) for event in seen.events]
    assert kinds.index(FindingRaised) < kinds.index(ChunkFinished) < kinds.index(FindingVerified)
    assert [one.verification for one in seen.findings] == ["pending"]
    [event] = seen.of(FindingVerified)
    assert (event.id, event.verdict) == (seen.findings[0].id, "supported")
    [finding] = fold(seen.events).findings
    assert (finding.verification, finding.placement.kind) == ("supported", "inline")
    activities = [one.activity for one in seen.of(ReviewProgress)]
    assert "verifying 1 finding" in activities


@pytest.mark.parametrize("answer", ["wrong", "not_introduced"])
@in_virtual_time
async def test_a_finding_that_does_not_hold_is_withdrawn_and_only_counted(answer: Any) -> None:
    verify = Verifying({item(1)["title"]: answer})
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])), verify=verify)
    [event] = seen.of(FindingWithdrawn)
    assert event.evidence == Evidence("a.py", 1, "line_1 = 1")
    report = fold(seen.events)
    assert (report.outcome, report.findings) == ("clean", ())
    assert [one.is_refuted for one in report.withdrawn] == [True]
    counts: dict[str, Any] = {answer: 1}
    assert report.verification == VerificationTally(
        **counts, usage=Usage(input=50, output=5), cost_usd=0.25
    )
    assert seen.end.lookups is not None
    assert seen.end.lookups.activities == (LOOKED_UP.activity,)


@in_virtual_time
async def test_a_finding_about_which_the_verifier_cannot_tell_stays_as_it_was() -> None:
    verify = Verifying({item(1)["title"]: "cannot_tell"})
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])), verify=verify)
    [finding] = fold(seen.events).findings
    assert (finding.verification, finding.placement.kind) == ("cannot_tell", "inline")
    assert not finding.placement.held
    assert seen.end.findings == {"error": 1}


@in_virtual_time
async def test_a_finding_that_is_partly_true_replaces_the_shown_one() -> None:
    verify = Verifying({item(1)["title"]: "partly"})
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])), verify=verify)
    first, second = seen.findings
    assert (first.id, first.severity) == (second.id, second.severity)
    assert (second.title, second.verification) == (TEXTS.title, "pending")
    [finding] = fold(seen.events).findings
    assert (finding.title, finding.scenario, finding.message) == (
        TEXTS.title,
        TEXTS.scenario,
        TEXTS.message,
    )
    assert finding.verification == "partly"
    assert seen.end.findings == {"error": 1}


@in_virtual_time
async def test_only_errors_and_findings_with_an_unproven_step_are_verified() -> None:
    found = [
        item(1, severity="error", confidence=0.9),
        item(2, severity="warning", confidence=0.5),
        item(3, severity="note", confidence=0.3),
        item(4, severity="warning", confidence=0.7),
        item(5, severity="note", confidence=0.9),
    ]
    verify = Verifying()
    seen = await run(job(numbered("a.py", 9)), Scripted(Say(found)), verify=verify)
    assert [finding.line for task in verify.asked for finding in task.findings] == [1, 2, 3]
    states = {finding.line: finding.verification for finding in fold(seen.events).findings}
    assert states == dict.fromkeys((1, 2, 3), "supported") | dict.fromkeys((4, 5), "none")


@in_virtual_time
async def test_findings_of_a_failed_verification_count_as_without_one() -> None:
    verify = Verifying({item(1)["title"]: "unverified"})
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])), verify=verify)
    [finding] = fold(seen.events).findings
    assert (finding.verification, finding.placement.held) == ("unverified", False)
    assert seen.end.findings == {"error": 1}


@in_virtual_time
async def test_secrets_and_findings_below_the_threshold_are_not_verified() -> None:
    verify = Verifying()
    secret = f'token = "{"ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"}"'
    model = Scripted(Say([item(2, quote="line_2 = 2", confidence=0.5)]))
    gates = FindingFilters(confidence=0.7)
    seen = await run(job(added("a.py", secret, "line_2 = 2"), gates=gates), model, verify=verify)
    assert len(seen.findings) == 2
    assert {one.verification for one in seen.findings} == {"none"}
    assert verify.asked == []
    assert seen.end.verification is None


@in_virtual_time
async def test_without_a_verifier_nothing_is_pending() -> None:
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])))
    assert [one.verification for one in seen.findings] == ["none"]
    assert seen.of(FindingVerified) == []


@in_virtual_time
async def test_each_batch_verifies_its_own_findings_with_its_own_request() -> None:
    verify = Verifying()
    answers = by_path(a=Say([item(1)]), b=Say([item(2, path="b.py")]), c=Say())
    files = numbered("a.py") + numbered("b.py") + numbered("c.py")
    model = Scripted(answers)
    await run(job(files), model, verify=verify)
    asked = {task.request.chunks[0].path: task for task in verify.asked}
    assert {path: [one.path for one in task.findings] for path, task in asked.items()} == {
        "a.py": ["a.py"],
        "b.py": ["b.py"],
    }
    assert all(task.request in model.requests for task in verify.asked)
    assert all(task.request.verified for task in verify.asked)
    assert asked["a.py"].added["b.py"] == {1, 2, 3}


async def resumed(
    results: dict[str, BatchResult], first: Seen, verify: Verifying, **changes: Any
) -> Seen:
    report = fold(event for event in first.events if not isinstance(event, ReviewFinished))
    ended = frozenset(event.chunk for event in first.of(ChunkFinished))
    model = Scripted(Say([item(1)]))
    earlier = PriorRun(
        finished=results,
        shown=report.findings,
        refuted=frozenset(report.refuted),
        followed=frozenset(event.id for event in report.earlier),
        ended=ended,
    )
    again = Seen()
    one, batches = job(numbered("a.py"), **changes), Attempts([model])
    async for event in review(one, batches, verify=verify, earlier=earlier):
        again.events.append(event)
    assert model.requests == []
    return again


@pytest.mark.parametrize(
    "answer", ["supported", "partly", "cannot_tell", "wrong", "not_introduced"]
)
@in_virtual_time
async def test_a_verdict_that_was_paid_for_is_not_asked_for_again(answer: str) -> None:
    verify = Verifying({item(1)["title"]: answer})
    checkpoints = Checkpoints(Attempts([Scripted(Say([item(1)]))]))
    one = job(numbered("a.py"))
    first = await run(one, run_batch=checkpoints, verify=verify)
    [task] = verify.asked
    verdicts = await Verifying(verify.answers)(task, ignore)
    again = await resumed({**checkpoints.results, task.id: verdicts}, first, verify)
    assert len(verify.asked) == 1
    whole = fold([*(event for event in first.events[:-1]), *again.events])
    assert whole.findings == fold(first.events).findings
    assert again.end.verification == first.end.verification
    assert again.end.verification is not None
    assert again.end.verification.usage == SPENT.usage
    kinds = (FindingRaised, FindingVerified, FindingWithdrawn)
    assert [one for kind in kinds for one in again.of(kind)] == []


@in_virtual_time
async def test_a_verdict_about_an_earlier_finding_is_published_once_even_after_a_crash() -> None:
    verify, priors = Verifying({"Prior 2": "fixed", "Prior 3": "cannot_tell"}), (prior(2), prior(3))
    checkpoints = Checkpoints(Attempts([Scripted(Say([item(1)]))]))
    follow_ups = (FollowUp(priors, SINCE),)
    one = job(numbered("a.py"), follow_ups=follow_ups)
    first = await run(one, run_batch=checkpoints, verify=verify)
    _, task = verify.asked
    checks = {task.id: await Verifying(verify.answers)(task, ignore) for task in verify.asked}
    results = {**checkpoints.results, **checks}
    published = {event.id for event in (*first.of(FindingWithdrawn), *first.of(FindingVerified))}
    assert {finding.id for finding in task.findings} <= published
    again = await resumed(results, first, verify, follow_ups=follow_ups)
    assert [*again.of(FindingWithdrawn), *again.of(FindingVerified)] == []
    assert again.end.verification == first.end.verification
    unpublished = replace(first, events=[e for e in first.events if e not in earlier_of(first)])
    late = await resumed(results, unpublished, verify, follow_ups=follow_ups)
    assert earlier_of(late) == earlier_of(first)
    assert late.end.verification == first.end.verification


def earlier_of(seen: Seen) -> list[FindingWithdrawn | FindingVerified]:
    """The events about findings of earlier reviews."""
    raised = {finding.id for finding in seen.findings}
    events = (*seen.of(FindingWithdrawn), *seen.of(FindingVerified))
    return [event for event in events if event.id not in raised]


@in_virtual_time
async def test_a_crash_between_the_stored_verdict_and_its_event_loses_no_event() -> None:
    verify = Verifying({item(1)["title"]: "wrong"})
    checkpoints = Checkpoints(Attempts([Scripted(Say([item(1)]))]))
    first = await run(job(numbered("a.py")), run_batch=checkpoints, verify=verify)
    [task] = verify.asked
    verdicts = await Verifying(verify.answers)(task, ignore)
    expected = first.end.verification
    first.events = [event for event in first.events if not isinstance(event, FindingWithdrawn)]
    again = await resumed({**checkpoints.results, task.id: verdicts}, first, verify)
    assert len(again.of(FindingWithdrawn)) == 1
    assert again.of(FindingRaised) == []
    assert again.end.verification == expected


@in_virtual_time
async def test_a_cached_verdict_counts_after_a_crash() -> None:
    verify, store, one = Verifying(), MemoryCache(), job(numbered("a.py"))
    batches, saving = with_cache(store, Scripted(Say([item(1)])), verify)
    await run(one, run_batch=batches, verify=saving)
    batches, saving = with_cache(store, Scripted(Say()), verify)
    checkpoints = Checkpoints(batches)
    second = await run(one, run_batch=checkpoints, verify=saving)
    assert second.end.verification == VerificationTally(supported=1)
    again = await resumed(checkpoints.results, second, verify)
    assert again.end.verification == second.end.verification
    assert len(verify.asked) == 1


@in_virtual_time
async def test_a_crash_before_the_verdict_asks_only_the_verifier_again() -> None:
    verify = Verifying({item(1)["title"]: "wrong"})
    checkpoints = Checkpoints(Attempts([Scripted(Say([item(1)]))]))
    first = await run(job(numbered("a.py")), run_batch=checkpoints, verify=Verifying())
    first.events = [event for event in first.events if not isinstance(event, FindingVerified)]
    again = await resumed(checkpoints.results, first, verify)
    assert len(verify.asked) == 1
    assert [type(event) for event in again.events[:1]] == [ReviewProgress]
    assert len(again.of(FindingWithdrawn)) == 1
    assert again.of(FindingRaised) == []


@in_virtual_time
async def test_a_review_that_is_stopped_leaves_no_finding_pending() -> None:
    stop = StopSignal()

    async def never(task: VerifyTask, emit: Emit) -> BatchResult:
        del task, emit
        stop.stop("cancelled")
        await asyncio.sleep(9999)
        raise AssertionError("it was to be cancelled")

    seen = await run(job(numbered("a.py")), Scripted(Say([item(1)])), verify=never, stop=stop)
    [finding] = fold(seen.events).findings
    assert finding.verification == "unverified"
    assert seen.end.outcome == "cancelled"


def with_cache(store: MemoryCache, model: Scripted, verify: Verify) -> tuple[CachedBatches, Verify]:
    batches = CachedBatches(
        Attempts([model]),
        store,
        identities=lambda _: {model.info.name: "m"},
        prompt_version="p",
        similarity=0.8,
    )
    return batches, batches.with_verdicts(verify)


@in_virtual_time
async def test_a_second_review_of_the_same_code_verifies_nothing_again() -> None:
    answers = {item(2)["title"]: "cannot_tell"}
    verify, store, one = Verifying(answers), MemoryCache(), job(numbered("a.py"))
    found = [item(1), item(2)]
    batches, saving = with_cache(store, Scripted(Say(found)), verify)
    first = fold((await run(one, run_batch=batches, verify=saving)).events)

    batches, saving = with_cache(store, Scripted(Say()), verify)
    again = await run(one, run_batch=batches, verify=saving)
    assert len(verify.asked) == 1
    second = fold(again.events)
    assert [(one.title, one.verification, one.placement.held) for one in second.findings] == [
        (one.title, one.verification, one.placement.held) for one in first.findings
    ]
    assert again.end.usage == Usage()


@in_virtual_time
async def test_a_refuted_finding_is_verified_again_in_each_review() -> None:
    title, other = (item(number)["title"] for number in (1, 2))
    store, one = MemoryCache(), job(numbered("a.py"))
    story: list[tuple[str, list[str]]] = [
        ("wrong", [title, other]),
        ("wrong", [title]),
        ("supported", [title]),
        ("supported", []),
    ]
    for number, (answer, asked) in enumerate(story):
        verify, model = Verifying({title: answer}), Scripted(Say([item(1), item(2)]))
        batches, saving = with_cache(store, model, verify)
        seen = await run(one, run_batch=batches, verify=saving)
        assert [one.title for task in verify.asked for one in task.findings] == asked
        assert len(model.requests) == (number == 0)
        shown = {one.title for one in fold(seen.events).findings}
        assert shown == ({other} if answer == "wrong" else {title, other})


@in_virtual_time
async def test_a_verdict_that_rests_on_code_beyond_the_request_is_not_reused() -> None:
    verify, store = Verifying(seen=(NOT_COMPARABLE,)), MemoryCache()
    for asked in (1, 2):
        batches, saving = with_cache(store, Scripted(Say([item(1)])), verify)
        seen = await run(job(numbered("a.py")), run_batch=batches, verify=saving)
        assert len(verify.asked) == asked
        assert [finding.cached for finding in fold(seen.events).findings] == [asked == 2]


@in_virtual_time
async def test_a_finding_that_is_partly_true_is_verified_again_in_the_next_review() -> None:
    verify, store = Verifying({item(1)["title"]: "partly"}), MemoryCache()
    for asked in (1, 2):
        batches, saving = with_cache(store, Scripted(Say([item(1)])), verify)
        seen = await run(job(numbered("a.py")), run_batch=batches, verify=saving)
        assert len(verify.asked) == asked
        assert [finding.title for finding in fold(seen.events).findings] == [TEXTS.title]


@pytest.mark.parametrize("answer", ["supported", "cannot_tell"])
@in_virtual_time
async def test_a_verdict_with_evidence_in_another_file_is_not_reused(answer: str) -> None:
    verify = Verifying({item(1)["title"]: answer}, evidence=Evidence("guard.py", 7, "guard()"))
    store, one = MemoryCache(), job(numbered("a.py"))
    for asked in (1, 2):
        batches, saving = with_cache(store, Scripted(Say([item(1)])), verify)
        await run(one, run_batch=batches, verify=saving)
        assert len(verify.asked) == asked


@in_virtual_time
async def test_verdicts_on_unchanged_lines_of_a_hunk_are_kept() -> None:
    titles = [item(number)["title"] for number in (5, 38, 70)]
    answers = dict(zip(titles, ("cannot_tell", "supported", "supported"), strict=True))
    verify, store = Verifying(answers), MemoryCache()
    found = [item(number) for number in (5, 38, 70)]
    batches, saving = with_cache(store, Scripted(Say(found)), verify)
    await run(job(numbered("a.py", 80)), run_batch=batches, verify=saving)

    edited = numbered("a.py", 80).replace("line_40 = 40", "changed = 1")
    verify = Verifying({item(38)["title"]: "supported"})
    batches, saving = with_cache(store, Scripted(Say([item(38)])), verify)
    seen = await run(job(edited), run_batch=batches, verify=saving)
    assert [one.line for task in verify.asked for one in task.findings] == [38]
    assert {one.line: one.verification for one in fold(seen.events).findings} == {
        5: "cannot_tell",
        38: "supported",
        70: "supported",
    }


@in_virtual_time
async def test_a_failed_verification_is_tried_again_in_the_next_review() -> None:
    failing = Verifying({item(1)["title"]: "unverified"})
    store, one = MemoryCache(), job(numbered("a.py"))
    batches, saving = with_cache(store, Scripted(Say([item(1)])), failing)
    await run(one, run_batch=batches, verify=saving)
    again = Verifying()
    for _ in range(2):
        batches, saving = with_cache(store, Scripted(Say()), again)
        seen = await run(one, run_batch=batches, verify=saving)
        assert [one.verification for one in fold(seen.events).findings] == ["supported"]
    assert len(again.asked) == 1


SINCE = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,3 @@\n x\n+y\n-z\n+w\n"
"""What changed since the findings were last open."""


def prior(line: int, **changes: Any) -> PriorFinding:
    one = PriorFinding(f"{line:016x}", "a.py", "RIGHT", line, line, "bug", "error", f"Prior {line}")
    return replace(one, **changes)


@in_virtual_time
async def test_earlier_findings_are_asked_about_in_one_request_after_the_batches() -> None:
    verify = Verifying({"Prior 1": "fixed", "Prior 2": "cannot_tell", "Prior 3": "open"})
    files = numbered("a.py") + numbered("b.py")
    follow_up = FollowUp((prior(1), prior(2), prior(3)), SINCE)
    review_job = job(files, follow_ups=(follow_up,), follow_up_model="m")
    seen = await run(review_job, Scripted(Say()), verify=verify)
    [task] = verify.asked
    assert (task.id, task.is_follow_up) == ("earlier-1/verify", True)
    assert [(finding.title, finding.model) for finding in task.findings] == [
        (f"Prior {number}", "m") for number in (1, 2, 3)
    ]
    [shown] = task.request.chunks
    assert [(line.kind, line.text) for line in shown.hunks[0].lines] == [
        *(("context", "x"), ("added", "y")),
        *(("removed", "z"), ("added", "w")),
    ]
    assert task.added == {"a.py": {2, 3}}
    [fixed] = seen.of(FindingWithdrawn)
    assert (fixed.id, fixed.verdict) == (f"{1:016x}", "fixed")
    verdicts = {event.id: event.verdict for event in seen.of(FindingVerified)}
    assert verdicts == {f"{2:016x}": "cannot_tell", f"{3:016x}": "supported"}
    report = fold(seen.events)
    assert {event.id for event in report.earlier} == {f"{n:016x}" for n in (1, 2, 3)}
    assert (report.outcome, report.findings, report.withdrawn) == ("clean", (), ())
    tally = report.verification
    assert tally is not None
    assert (tally.fixed, tally.cannot_tell, tally.open, tally.usage) == (1, 1, 1, SPENT.usage)
    activities = [one.activity for one in seen.of(ReviewProgress)]
    assert "checking 3 findings of earlier reviews" in activities


@in_virtual_time
async def test_earlier_findings_are_asked_about_if_new_ones_are_not_verified() -> None:
    verify = Verifying({"Prior 2": "unverified"})
    follow_ups = (FollowUp((prior(2),), SINCE), FollowUp((prior(3),), SINCE))
    review_job = job(numbered("a.py"), verified=False, follow_ups=follow_ups)
    assert review_job.needs_verifier
    seen = await run(review_job, Scripted(Say([item(1)])), verify=verify)
    assert [task.id for task in verify.asked] == ["earlier-1/verify", "earlier-2/verify"]
    assert [finding.verification for finding in seen.findings] == ["none"]
    verdicts = [(event.id, event.verdict) for event in seen.of(FindingVerified)]
    assert verdicts == [(f"{2:016x}", "unverified"), (f"{3:016x}", "supported")]


@in_virtual_time
async def test_without_earlier_findings_nothing_is_verified_if_new_ones_are_not() -> None:
    verify = Verifying()
    review_job = job(numbered("a.py"), verified=False)
    assert not review_job.needs_verifier
    seen = await run(review_job, Scripted(Say([item(1)])), verify=verify)
    assert (verify.asked, [finding.verification for finding in seen.findings]) == ([], ["none"])
    assert seen.end.verification is None


@in_virtual_time
async def test_an_earlier_finding_that_is_found_again_is_not_asked_about() -> None:
    first = await run(job(numbered("a.py")), Scripted(Say([item(1)])))
    [found] = first.findings
    verify = Verifying()
    follow_ups = (FollowUp((prior(1, id=found.id, title="The same"),), SINCE),)
    review_job = job(numbered("a.py"), follow_ups=follow_ups)
    seen = await run(review_job, Scripted(Say([item(1)])), verify=verify)
    assert [one.title for task in verify.asked for one in task.findings] == [found.title]
    assert fold(seen.events).earlier == ()


@in_virtual_time
async def test_without_a_verifier_earlier_findings_are_left_alone() -> None:
    review_job = job(numbered("a.py"), follow_ups=(FollowUp((prior(1),), SINCE),))
    seen = await run(review_job, Scripted(Say()))
    assert fold(seen.events).earlier == ()


@in_virtual_time
async def test_a_file_that_is_not_all_known_counts_as_added_by_the_change() -> None:
    verify = Verifying()
    missing = FileCoverage("unread.py", "failed", "It could not be fetched.")
    one = job(numbered("a.py"))
    one = replace(one, plan=replace(one.plan, beside=(missing,)))
    for is_part, expected in ((False, {1, 2, 3}), (True, {1, 2, 3, 4000})):
        await run(replace(one, is_part=is_part), Scripted(Say([item(1)])), verify=verify)
        added = verify.asked[-1].added
        assert {number for number in (1, 2, 3, 4000) if number in added["a.py"]} == expected
        assert 4000 in added["unread.py"]
