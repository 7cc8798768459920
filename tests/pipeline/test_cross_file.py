"""The request about uses of changed definitions: when it is sent, and how its answer is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.code.given_files import GivenFiles
from reviewbot.code.quotable_code import QuotableCode
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.events import ChunkFinished, FindingRaised, ReviewProgress
from reviewbot.core.events.report import fold
from reviewbot.core.findings.verdicts import Verdict
from reviewbot.core.plan.policy import Policy
from reviewbot.core.prompt.request import render
from reviewbot.models.attempts import Attempts
from reviewbot.models.base import Fault, ModelFault, Stop
from reviewbot.models.batch import BatchResult
from reviewbot.models.cached import CachedBatches
from reviewbot.models.linters.batches import LintedBatches
from reviewbot.models.linters.imported import ImportedHit
from reviewbot.pipeline.cross_file import CROSS_FILE
from reviewbot.pipeline.job import Postponed, PriorRun
from reviewbot.pipeline.patterns import policy_of
from reviewbot.pipeline.review import review
from reviewbot.pipeline.use_finder import USES, UseFinder
from tests.models.memory_cache import MemoryCache
from tests.models.scripted import Say, Scripted, item
from tests.support.reviews import Checkpoints, added, job, run
from tests.support.settings import load
from tests.support.views import hunk, view
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.code.at_commit import FoundLine
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.batch import BatchTask, Emit, VerifyTask

DIFF = """\
diff --git a/shop.py b/shop.py
--- a/shop.py
+++ b/shop.py
@@ -1,2 +1,2 @@
-def charge(order):
+def charge(order, rate):
     return order.net
"""
PAY = "def pay(order):\n    return charge(order)\n"
BROKEN = item(
    path="shop.py", quote="def charge(order, rate):", title="pay.py breaks", severity="error"
)


class Files(GivenFiles):
    """Files that the diff does not have, with the names that were looked up."""

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        texts = {"pay.py": PAY} if files is None else files
        super().__init__({path: text.encode() for path, text in texts.items()})
        self.asked: list[str] = []

    async def search(self, name: str) -> list[FoundLine]:
        self.asked.append(name)
        return await super().search(name)


def finder(files: Files | None = None, diff: str = DIFF, policy: Policy | None = None) -> UseFinder:
    code = QuotableCode(parse_diff(diff.encode()), policy or Policy(), source=files or Files())
    return UseFinder(code)


def places(views: Sequence[ChunkView]) -> list[tuple[str, int, int]]:
    return [
        (view.path, hunk.new_start, hunk.new_start + len(hunk.lines) - 1)
        for view in views
        for hunk in view.hunks
    ]


# The review


@in_virtual_time
async def test_the_last_request_shows_changed_definitions_and_their_uses() -> None:
    model = Scripted(Say([]), Say([BROKEN]))
    seen = await run(job(DIFF), model, find_uses=finder())
    first, second = model.requests
    assert first.uses == ()
    assert places(second.uses) == [("pay.py", 1, 2)]
    body = render(second).body
    assert "R1+|def charge(order, rate):" in body
    assert "<uses>" in body
    assert '=== file "pay.py", unchanged\n--- hunk\nR1 |def pay(order):' in body
    [finding] = fold(seen.events).findings
    assert (finding.path, finding.side, finding.line) == ("shop.py", "RIGHT", 1)
    kinds = [type(event) for event in seen.events]
    assert kinds.index(ChunkFinished) < kinds.index(FindingRaised)
    assert len(seen.of(ChunkFinished)) == 1
    activities = [one.activity for one in seen.of(ReviewProgress)]
    assert "checking uses of changed definitions" in activities
    assert seen.end.usage.input == 200


@in_virtual_time
async def test_without_uses_or_changed_definitions_there_is_no_request() -> None:
    unused = Scripted(Say([]))
    await run(job(DIFF), unused, find_uses=finder(Files({})))
    assert len(unused.requests) == 1
    files, other = Files(), Scripted(Say([]))
    await run(job(DIFF.replace("-def charge(order):", "-x")), other, find_uses=finder(files))
    assert (len(other.requests), files.asked) == (1, [])
    off = Scripted(Say([]))
    await run(job(DIFF), off)
    assert len(off.requests) == 1


@in_virtual_time
async def test_a_failure_is_a_reason_and_never_fails_the_review() -> None:
    model = Scripted(Say([]), Say(fault=ModelFault("It is down.", fault=Fault.REJECTED)))
    seen = await run(job(DIFF), model, find_uses=finder())
    assert seen.end.outcome == "clean"
    [reason] = seen.end.reasons
    assert reason.startswith("Uses of changed definitions were not checked: ")
    assert "It is down." in reason
    assert [one.status for one in seen.end.coverage] == ["reviewed"]


@in_virtual_time
async def test_a_refusal_withdraws_only_the_findings_of_this_request() -> None:
    own = item(path="shop.py", quote="    return order.net", line=2, end_line=2, title="Own")
    refused = Say([BROKEN], stop=Stop.REFUSED, detail="Declined.")
    seen = await run(job(DIFF), Scripted(Say([own]), refused), find_uses=finder())
    assert seen.titles == ["Own", "pay.py breaks"]
    assert [one.title for one in fold(seen.events).findings] == ["Own"]
    assert len(seen.end.reasons) == 1


@in_virtual_time
async def test_findings_are_verified_and_the_uses_can_be_quoted() -> None:
    asked: list[VerifyTask] = []

    async def verify(task: VerifyTask, _emit: Emit) -> BatchResult:
        asked.append(task)
        verdicts = [Verdict(finding.id, "wrong", "It fits.", None) for finding in task.findings]
        return BatchResult((), (), (), verdicts=tuple(verdicts))

    whole = job(DIFF, verified=True)
    model = Scripted(Say([]), Say([BROKEN]))
    seen = await run(whole, model, verify=verify, find_uses=finder())
    assert [[one.title for one in task.findings] for task in asked] == [["pay.py breaks"]]
    assert [task.id for task in asked] == [f"{CROSS_FILE}/verify"]
    assert places(asked[0].request.uses) == [("pay.py", 1, 2)]
    assert fold(seen.events).findings == ()


@pytest.mark.parametrize("is_shown", [False, True])
@in_virtual_time
async def test_a_stored_result_is_not_requested_again(is_shown: bool) -> None:
    steps = Checkpoints(Attempts([Scripted(Say([]), Say([BROKEN]))]))
    first = await run(job(DIFF), run_batch=steps, find_uses=finder())
    assert steps.paid == ["b1", CROSS_FILE]
    shown = tuple(first.findings) if is_shown else ()
    earlier = PriorRun(finished=steps.results, shown=shown, ended=frozenset({"c1"}))
    model = Scripted(Say([]))
    events = review(job(DIFF), Attempts([model]), find_uses=finder(), earlier=earlier)
    again = [event async for event in events]
    assert model.requests == []
    begun = [one for one in first.events if is_shown or not isinstance(one, FindingRaised)]
    assert fold([*begun[:-1], *again]).findings == fold(first.events).findings


@in_virtual_time
async def test_a_request_that_has_to_wait_postpones_the_review() -> None:
    inner = Attempts([Scripted(Say([]))])

    async def busy(task: BatchTask, emit: Emit) -> BatchResult:
        if task.id == CROSS_FILE:
            raise Postponed("The model is busy.")
        return await inner(task, emit)

    with pytest.raises(Postponed):
        await run(job(DIFF), run_batch=busy, find_uses=finder())


@in_virtual_time
async def test_neither_linters_nor_the_cache_take_part() -> None:
    longer = DIFF.replace("+1,2", "+1,3") + "+    log(order)\n"

    async def titles() -> list[str]:
        model = Scripted(Say([]), Say([BROKEN]))
        name = model.info.name
        cached = CachedBatches(
            Attempts([model]), store, identities=lambda _: {name: "m"}, prompt_version="p"
        )
        rule = "imported/x/y"
        hit = ImportedHit(3, 3, rule, "warning", "bug", "Linted", "It is.", path="shop.py")
        batches = LintedBatches(cached, None, [hit])
        seen = await run(job(longer), run_batch=batches, find_uses=finder())
        asked.append([bool(one.uses) for one in model.requests])
        return sorted(seen.titles)

    store, asked = MemoryCache(), list[list[bool]]()
    assert await titles() == ["Linted", "pay.py breaks"]
    assert await titles() == ["Linted"]  # the model answers its only request with nothing
    assert asked == [[False, True], [True]]


# The uses


async def test_uses_are_quoted_with_three_lines_on_both_sides() -> None:
    text = "".join(f"x{number} = {number}\n" for number in range(1, 21))
    text = text.replace("x10 = 10", "x10 = charge").replace("x12 = 12", "x12 = charge")
    found = await finder(Files({"pay.py": text}))(["charge"], [])
    assert places(found) == [("pay.py", 7, 13)]


async def test_definitions_and_lines_that_the_request_shows_are_no_uses() -> None:
    files = Files({"other.py": "def charge(x):\n    pass\n", "NOTES.md": "charge\n"})
    (shown,) = (hunk("-def charge(order):\n+charge(2)"),)
    diff = added("shop.py", "charge(2)", "x", "x", "x", "x", "charge(3)")
    found = await finder(files, diff)(["charge"], [view(shown, path="shop.py")])
    assert places(found) == [("shop.py", 3, 6)]


async def test_uses_are_limited_and_those_in_tests_are_last() -> None:
    text = "\n".join(["charge()", *["x"] * 9] * 30)
    files = Files({"tests/test_a.py": text, "a.py": text})
    found = await finder(files)(["charge"], [])
    assert len(places(found)) == USES
    assert {path for path, _, _ in places(found)} == {"a.py"}
    shares = await finder(files)(["charge", "missing"], [])
    assert len(places(shares)) == USES // 2


async def test_excluded_files_are_no_uses() -> None:
    policy = policy_of(load(exclude=["pay.py"]), "")
    assert await finder(policy=policy)(["charge"], []) == ()
