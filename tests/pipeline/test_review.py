"""The review as a stream of events."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkRetrying,
    ChunkStarted,
    FileSkipped,
    FindingRaised,
    FindingWithdrawn,
    ReviewFinished,
    ReviewProgress,
    ReviewStarted,
    ReviewSummary,
    Usage,
)
from reviewbot.core.findings.intake import FindingFilters
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.core.safety import leak_scan
from reviewbot.core.safety.redact import redact_file
from reviewbot.errors import ReviewbotError
from reviewbot.models.attempts import Attempts
from reviewbot.models.base import Answering, Fault, ModelFault, Stop, Stopped, ToolInput
from reviewbot.models.batch import Spent
from reviewbot.pipeline.review import review
from tests.models.scripted import Say, Scripted, item
from tests.support.reviews import added, by_path, job, numbered, run
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.core.safety.redact import FileRedaction
    from reviewbot.core.safety.search_text import Hit, ScanText
    from reviewbot.models.base import ModelEvent


@in_virtual_time
async def test_a_clean_review_says_so_and_covers_every_file() -> None:
    seen = await run(job(numbered("a.py") + numbered("b.py")), Scripted(Say()))
    assert seen.end.outcome == "clean"
    assert [(one.path, one.status) for one in seen.end.coverage] == [
        ("a.py", "reviewed"),
        ("b.py", "reviewed"),
    ]
    assert [type(event) for event in seen.events[-2:]] == [ReviewSummary, ReviewFinished]
    assert seen.end.usage == Usage(input=200, output=20)


@in_virtual_time
async def test_the_event_loop_never_searches_for_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    searching: set[bool] = set()
    search = leak_scan.find

    def find(scan: ScanText) -> Iterator[Hit]:
        searching.add(threading.current_thread() is threading.main_thread())
        return search(scan)

    monkeypatch.setattr(leak_scan, "find", find)
    said = Say([item(1, title="password = hunter2hunter2", suggestion="line_1 = 4")])
    seen = await run(job(numbered("a.py")), Scripted(said))
    assert "hunter2" not in seen.findings[0].title
    assert searching == {False}


@in_virtual_time
async def test_the_plan_comes_first_and_skipped_files_are_named() -> None:
    seen = await run(job(numbered("a.py") + numbered("uv.lock")), Scripted(Say()))
    [started] = seen.of(ReviewStarted)
    assert [file.path for file in started.files] == ["a.py", "uv.lock"]
    assert [chunk.path for chunk in started.chunks] == ["a.py"]
    assert [event.path for event in seen.of(FileSkipped)] == ["uv.lock"]
    assert seen.end.outcome == "clean"
    assert [(one.path, one.status) for one in seen.end.coverage] == [
        ("a.py", "reviewed"),
        ("uv.lock", "skipped"),
    ]


@pytest.mark.parametrize("files", [1, 3])
@in_virtual_time
async def test_a_request_knows_how_many_others_share_its_prefix(files: int) -> None:
    model = Scripted(Say())
    await run(job("".join(numbered(f"{number}.py") for number in range(files))), model)
    assert [request.shared_reads for request in model.requests] == [files - 1] * files


@in_virtual_time
async def test_findings_are_placed_on_their_lines() -> None:
    seen = await run(job(numbered("a.py")), Scripted(Say([item(2, line=77, end_line=77)])))
    [finding] = seen.findings
    assert (finding.path, finding.line, finding.placement.kind) == ("a.py", 2, "inline")
    assert (finding.chunk, finding.model, finding.rule) == ("c1", "claude-sonnet-5-5", "bug")
    assert seen.end.outcome == "findings"
    assert seen.end.findings == {"warning": 1}


@in_virtual_time
async def test_a_finding_is_shown_while_the_model_is_still_writing() -> None:
    class Waiting(Scripted):
        """Writes its first finding, then nothing more until someone has seen it."""

        shown = asyncio.Event()

        async def stream(
            self, request: ModelRequest, *, max_tokens: int
        ) -> AsyncGenerator[ModelEvent, None]:
            del request, max_tokens
            text = Say([item(1), item(2)]).json
            first = text.index("}") + 1
            yield Answering()
            yield ToolInput(text[:first])
            await self.shown.wait()
            yield ToolInput(text[first:])
            yield Stopped(Stop.COMPLETE)

    model = Waiting(Say())
    lines = []
    async for event in review(job(numbered("a.py")), Attempts([model])):
        if isinstance(event, FindingRaised):
            lines.append(event.finding.line)
            model.shown.set()
    assert lines == [1, 2]


@in_virtual_time
async def test_retries_are_told_and_repeat_nothing() -> None:
    cut = ModelFault("The connection was cut.", fault=Fault.TRANSIENT)
    model = Scripted(Say([item(1)], cut=-20, fault=cut), Say([item(1), item(2)]))
    seen = await run(job(numbered("a.py")), model)
    assert [one.line for one in seen.findings] == [1, 2]
    [retry] = seen.of(ChunkRetrying)
    assert (retry.reason, retry.attempt) == ("The connection was cut.", 1)
    assert [event.attempt for event in seen.of(ChunkStarted)] == [1, 2]
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_a_refused_answer_is_withdrawn_and_the_next_model_asked() -> None:
    refusing = Scripted(Say([item(1)], stop=Stop.REFUSED, detail="Declined (cyber)."))
    other = Scripted(Say([item(2)]), name="claude-haiku-5-5")
    seen = await run(job(numbered("a.py")), refusing, other)
    [withdrawn] = seen.of(FindingWithdrawn)
    assert withdrawn.reason == "Declined (cyber)."
    assert seen.standing == {seen.findings[1].id}
    assert (seen.end.outcome, seen.end.findings) == ("findings", {"warning": 1})


@pytest.mark.parametrize(
    "say",
    [
        Say(text="", fault=ModelFault("Down.", fault=Fault.TRANSIENT)),
        Say(text="", fault=ModelFault("No key.", fault=Fault.AUTH)),
        Say(text="", fault=ModelFault("Quota.", fault=Fault.SPEND_LIMIT)),
        Say(text="", stop=Stop.NO_REPORT),
        Say(stop=Stop.REFUSED),
        Say(outcome="could_not_review"),
        Say(text="{}"),
        Say([item(1)], cut=-2),
    ],
)
@in_virtual_time
async def test_one_chunk_without_an_answer_makes_the_review_incomplete(say: Say) -> None:
    model = Scripted(*[by_path(a=Say(), b=say)] * 2)
    # One after the other: a model that is out of money is not asked for what comes later.
    seen = await run(job(numbered("a.py") + numbered("b.py"), jobs=1), model)
    assert seen.end.outcome == "incomplete"
    assert [one.status == "reviewed" for one in seen.end.coverage] == [True, False]
    assert all(one.reason for one in seen.end.coverage if one.status != "reviewed")
    assert len(seen.end.reasons) == 1
    assert {event.status for event in seen.of(ChunkFinished)} - {"reviewed"}


@in_virtual_time
async def test_a_line_too_long_to_show_makes_its_file_partly_reviewed() -> None:
    seen = await run(job(added("a.py", "x = '" + "long " * 20_000 + "'")), Scripted(Say()))
    assert seen.end.outcome == "incomplete"
    assert seen.end.coverage[0].status == "partly"
    assert "too long" in (seen.end.coverage[0].reason or "")


@in_virtual_time
async def test_duplicates_of_other_chunks_and_models_are_merged() -> None:
    seen = await run(job(numbered("a.py")), Scripted(Say([item(1), item(1), item(1)])))
    assert len(seen.findings) == 1


@in_virtual_time
async def test_what_the_gates_hold_back_is_shown_with_its_reason() -> None:
    found = [
        item(1, confidence=0.5),
        item(2, severity="note"),
        item(3, severity="note"),
        item(4, quote="nowhere(to, be, found)"),
        item(5, path="other.py"),
        item(6, scenario=" "),
    ]
    gates = FindingFilters(confidence=0.7)
    seen = await run(job(numbered("a.py", 9), gates=gates), Scripted(Say(found)))
    assert [(one.placement.kind, one.placement.held) for one in seen.findings] == [
        ("outside", True),
        ("inline", False),
        ("inline", False),
        ("file", False),
        ("outside", False),
        ("outside", True),
    ]
    assert all(one.placement.reason for one in seen.findings if one.placement.kind != "inline")


@in_virtual_time
async def test_rules_can_be_switched_off_or_given_another_severity() -> None:
    gates = FindingFilters(levels=RuleLevels({"docs": "off", "bug": "error"}))
    found = [item(1, category="docs"), item(2), item(3, category="tests")]
    seen = await run(job(numbered("a.py"), gates=gates), Scripted(Say(found)))
    assert [(one.line, one.severity) for one in seen.findings] == [(2, "error"), (3, "warning")]


@in_virtual_time
async def test_a_finding_about_an_example_of_the_prompt_is_held() -> None:
    gates = FindingFilters(decoys=frozenset({"frobnicate_ledger"}))
    found = [item(1, message="`frobnicate_ledger` is wrong."), item(2)]
    seen = await run(job(numbered("a.py"), gates=gates), Scripted(Say(found)))
    assert [one.placement.held for one in seen.findings] == [True, False]


@in_virtual_time
async def test_a_secret_is_never_sent_and_is_a_finding_by_itself() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    model = Scripted(Say())
    seen = await run(job(added("a.py", "x = 1", f"token = '{secret}'")), model)
    [finding] = seen.findings
    assert (finding.line, finding.severity, finding.category) == (2, "error", "security")
    assert finding.rule.startswith("secrets/")
    assert secret not in repr(model.requests)
    assert secret not in repr(seen.events)
    assert "[REDACTED" in repr(model.requests)
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_of_a_split_file_each_chunk_reports_its_own_secrets_once() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    rows = [f"value_{number} = {number} * 3" for number in range(900)]
    rows[5] = rows[880] = f"token = '{secret}'"
    seen = await run(job(added("a.py", *rows), budget=2_000), Scripted(Say()))
    assert [one.line for one in seen.findings] == [6, 881]
    assert len({one.chunk for one in seen.findings}) == 2


@in_virtual_time
@pytest.mark.parametrize("apart", [True, False])
async def test_a_file_that_cannot_be_searched_for_secrets_is_not_sent_and_the_others_are_reviewed(
    monkeypatch: pytest.MonkeyPatch, apart: bool
) -> None:
    def broken(file: FileDiff, whole: FileDiff | None) -> FileRedaction:
        if file.path == "a.py":
            raise ReviewbotError("The search for secrets failed.")
        return redact_file(file, whole)

    monkeypatch.setattr("reviewbot.core.prompt.views.redact_file", broken)
    model = Scripted(Say())
    seen = await run(job(numbered("a.py") + numbered("b.py"), apart=apart), model)
    assert [(one.status, one.reason) for one in seen.end.coverage] == [
        ("failed", "The search for secrets failed."),
        ("reviewed", None),
    ]
    (request,) = model.requests
    assert [chunk.path for chunk in request.chunks] == ["b.py"]


@in_virtual_time
async def test_a_removed_secret_is_not_sent_and_is_no_finding() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    diff = f"--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-token = '{secret}'\n+token = read()\n"
    model = Scripted(Say())
    seen = await run(job(diff), model)
    assert seen.end.outcome == "clean"
    assert secret not in repr(model.requests)


@in_virtual_time
async def test_a_secret_that_the_model_repeats_is_not_shown() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    said = item(1, message=f"Use {secret} here.", suggestion=f"x = '{secret}'", title=secret)
    seen = await run(job(numbered("a.py")), Scripted(Say([said])))
    assert secret not in repr(seen.events)
    assert not seen.findings[0].suggestion_applies


@pytest.mark.parametrize("disguise", ["ghp\\_", "&#103;hp_"])
@in_virtual_time
async def test_a_secret_in_disguise_is_not_shown_either(disguise: str) -> None:
    rest = "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    said = item(1, message=f"Use {disguise}{rest} here.", title=f"{disguise}{rest}")
    seen = await run(job(numbered("a.py")), Scripted(Say([said])))
    assert rest not in repr(seen.events)


@in_virtual_time
async def test_what_a_model_writes_is_made_safe() -> None:
    said = item(
        1, message="<img src=x> @everyone ![a](http://evil.example/p.png)", title="a\x1b[2J"
    )
    seen = await run(job(numbered("a.py")), Scripted(Say([said])))
    [finding] = seen.findings
    assert "`<img`" in finding.message
    assert "`@everyone`" in finding.message
    assert "\x1b" not in finding.title
    assert "](http://evil" not in finding.message


@in_virtual_time
async def test_a_good_suggestion_is_offered_and_a_broken_one_is_only_shown() -> None:
    found = [item(1, suggestion="line_1 = 5"), item(2, suggestion="line_2 = (")]
    seen = await run(job(numbered("a.py")), Scripted(Say(found)))
    assert [(one.suggestion, one.suggestion_applies) for one in seen.findings] == [
        ("line_1 = 5", True),
        ("line_2 = (", False),
    ]


@in_virtual_time
async def test_a_summary_of_the_model_is_used_and_paid_for() -> None:
    async def summarize(task: Any, book: Callable[[Spent], None]) -> ReviewSummary:
        assert [file.path for file in task.files] == ["a.py"]
        assert task.changes == {"a.py": "Changes a.py"}
        book(Spent("m", Usage(input=7), 0.5))
        return ReviewSummary("It adds lines.", source="model")

    seen = await run(job(numbered("a.py")), Scripted(Say()), summarize=summarize)
    assert [event.what for event in seen.of(ReviewSummary)] == ["It adds lines."]
    assert seen.end.usage.input == 107
    assert seen.end.cost_usd == pytest.approx(0.5 + 100 * 2e-6 + 10 * 1e-5)


@in_virtual_time
async def test_a_model_that_describes_no_file_is_not_asked_for_a_summary() -> None:
    async def summarize(task: Any, book: Callable[[Spent], None]) -> ReviewSummary:
        raise AssertionError(task, book)

    seen = await run(job(numbered("a.py")), Scripted(Say(files=[])), summarize=summarize)
    [event] = seen.of(ReviewSummary)
    assert event.source == "computed"
    assert event.reason == "The model described no file, so it was not asked for a summary."


@in_virtual_time
async def test_a_computed_summary_shows_what_the_model_said_about_the_files() -> None:
    parts = numbered("a.py", 400)
    seen = await run(job(parts + numbered("b.py"), budget=2_000), Scripted(Say()))
    [event] = seen.of(ReviewSummary)
    assert len({chunk.id for chunk in seen.of(ReviewStarted)[0].chunks}) > 2
    assert [(one.path, one.summary) for one in event.files] == [
        ("a.py", "Changes a.py"),
        ("b.py", "Changes b.py"),
    ]


@in_virtual_time
async def test_without_a_summary_of_a_model_one_is_computed_and_says_why() -> None:
    async def summarize(task: Any, book: Callable[[Spent], None]) -> ReviewSummary:
        del task, book
        raise ModelFault("Overloaded.", fault=Fault.TRANSIENT)

    seen = await run(job(numbered("a.py")), Scripted(Say()), summarize=summarize)
    [summary] = seen.of(ReviewSummary)
    assert (summary.source, summary.what, summary.reason) == (
        "computed",
        "1 file changed, +3 -0.",
        "The model wrote no summary: Overloaded.",
    )
    assert seen.end.outcome == "clean"
    [summary] = (await run(job(numbered("a.py")), Scripted(Say()))).of(ReviewSummary)
    assert (summary.source, summary.reason) == ("computed", None)


@in_virtual_time
async def test_an_unpriced_request_makes_the_cost_unknown_not_zero() -> None:
    seen = await run(job(numbered("a.py")), Scripted(Say(), name="some-local-model"))
    assert seen.end.cost_usd is None


@in_virtual_time
async def test_thinking_shows_as_progress_now_and_then() -> None:
    times = iter(range(10_000))
    seen = await run(
        job(numbered("a.py")), Scripted(Say(think=3)), clock=lambda: float(next(times))
    )
    told = [event.activity for event in seen.of(ReviewProgress) if event.activity]
    assert told == ["claude-sonnet-5-5 is thinking"] * 3
    quiet = await run(job(numbered("a.py")), Scripted(Say(think=3)), clock=lambda: 5.0)
    assert len([event for event in quiet.of(ReviewProgress) if event.activity]) == 1


@in_virtual_time
async def test_an_empty_diff_is_a_clean_review_of_nothing() -> None:
    seen = await run(job(""), Scripted(Say()))
    assert (seen.end.outcome, seen.end.coverage) == ("clean", ())
