"""The plan before any model is asked: every file, every reason, the sums."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from reviewbot.core.events.events import (
    Estimate,
    FileCoverage,
    FileSkipped,
    ModelEstimate,
    PlannedChunk,
    PlannedFile,
    ReviewStarted,
)
from reviewbot.core.render.document import plan_document
from reviewbot.core.render.dry_run import plan_lines
from reviewbot.core.render.layout import plain

PLAN = ReviewStarted(
    models=("claude-sonnet-5-5", "offline"),
    files=(
        PlannedFile("shop/charge.py", "modified", 10, 2, ("c1",)),
        PlannedFile("big.py", "added", 900, 0, ("c2", "c3")),
        PlannedFile("uv.lock", "modified", 4000, 3900),
    ),
    chunks=(
        PlannedChunk("c1", "shop/charge.py", 1, 1, "b1", 400),
        PlannedChunk("c2", "big.py", 1, 2, "b1", 9000),
        PlannedChunk("c3", "big.py", 2, 2, "b2", 8000),
    ),
    batches=2,
    estimate=Estimate(2, 25_400, 8000, 0.1),
    notices=("Not in the diff: new.py.",),
)


def text(plan: ReviewStarted = PLAN, width: int = 100) -> str:
    return plain(plan_lines(plan, {"uv.lock": "Lockfile."}, width=width))


def test_every_file_is_listed_with_its_chunks_or_the_reason_to_skip_it() -> None:
    lines = text().splitlines()
    assert lines[0] == "shop/charge.py  +10 -2  400 tokens in c1, batch b1"
    assert lines[1] == "big.py          +900 -0  17,000 tokens in c2..c3, batch b1..b2"
    assert lines[2] == "uv.lock         +4000 -3900  skipped: Lockfile."


def test_files_that_are_not_in_the_diff_are_listed_with_what_became_of_them() -> None:
    lacking = FileCoverage("a/huge.py", "failed", "It is too large.")
    lines = text(replace(PLAN, beside=(lacking,))).splitlines()
    assert lines[3] == "a/huge.py       failed: It is too large."


def test_a_file_that_no_model_reads_is_listed_with_the_reason() -> None:
    vendored = PlannedFile("vendor/x.py", "added", 3, 0, ("c1",), unread="New, and vendored.")
    lines = text(replace(PLAN, files=(vendored,))).splitlines()
    assert lines[0] == "vendor/x.py  +3 -0  not read: New, and vendored."


def test_the_sums_say_that_nothing_was_sent() -> None:
    words = " ".join(text().split())
    assert "3 files, 2 to review, 1 skipped; 3 chunks in 2 batches." in words
    assert (
        "With claude-sonnet-5-5, then offline: 2 requests, about 25,400 tokens in and up to "
        "8,000 out; about $0.10. Nothing was sent." in words
    )
    assert "notice: Not in the diff: new.py." in words


@pytest.mark.parametrize(("cost", "words"), [(None, "cost unknown"), (0.0, "costs nothing")])
def test_an_unknown_price_is_not_called_nothing(cost: float | None, words: str) -> None:
    plan = replace(PLAN, estimate=replace(PLAN.estimate, cost_usd=cost))
    assert words in " ".join(text(plan).split())


def test_rules_that_write_no_tokens_are_not_said_to() -> None:
    offline = replace(PLAN, models=("offline",), estimate=Estimate(2, 25_400, 0, 0.0))
    words = " ".join(text(offline).split())
    assert "With offline: 2 requests, about 25,400 tokens in; costs nothing." in words


ROUTED = replace(
    PLAN,
    models=("sonnet", "haiku", "offline"),
    files=(
        replace(PLAN.files[0], model="haiku", routed_by="routes[1]"),
        replace(PLAN.files[1], model="sonnet", routed_by="model"),
        PLAN.files[2],
    ),
    chunks=(
        replace(PLAN.chunks[0], model="haiku"),
        replace(PLAN.chunks[1], model="sonnet"),
        replace(PLAN.chunks[2], model="sonnet"),
    ),
    estimate=replace(
        PLAN.estimate,
        by_model=(
            ModelEstimate("haiku", 1, 5_000, 4_000, 0.01),
            ModelEstimate("sonnet", 1, 20_400, 4_000, None),
        ),
    ),
)


def test_where_several_models_review_each_file_has_its_own_and_why() -> None:
    lines = text(ROUTED, width=120).splitlines()
    assert lines[0] == ("shop/charge.py  +10 -2  400 tokens in c1, batch b1, haiku (routes[1])")
    assert lines[1].endswith("17,000 tokens in c2..c3, batch b1..b2, sonnet (model)")
    assert lines[2] == "uv.lock         +4000 -3900  skipped: Lockfile."
    assert "With haiku, sonnet, then offline: 2 requests, about 25,400 tokens in" in text(ROUTED)
    assert "\n  haiku: 1 request, about 5,000 tokens in and up to 4,000 out; about $0.01" in text(
        ROUTED
    )
    assert "\n  sonnet: 1 request, about 20,400 tokens in and up to 4,000 out; cost unknown" in (
        text(ROUTED)
    )


def test_one_model_needs_no_list_of_models() -> None:
    one = replace(ROUTED.estimate, by_model=ROUTED.estimate.by_model[:1])
    assert text(replace(PLAN, estimate=one)) == text(PLAN)


def test_an_empty_plan_is_said_so() -> None:
    empty = ReviewStarted(("offline",), (), (), 0, Estimate(0, 0, 0, 0.0))
    assert "0 files, 0 to review, 0 skipped; 0 chunks in 0 batches." in text(empty)


def test_a_hostile_path_cannot_act_on_the_terminal() -> None:
    files = (PlannedFile("a\x1b[2J\n::error::x" + "y" * 200, "added", 1, 0, ("c1",)),)
    shown = text(replace(PLAN, files=files))
    assert "\x1b" not in shown
    assert not any(line.startswith("::") for line in shown.splitlines())
    assert max(map(len, shown.splitlines())) < 160


def test_the_plan_says_what_verification_may_add() -> None:
    adds = (ModelEstimate("claude-haiku-5-5", 2, 5_000, 800, 0.01),)
    shown = " ".join(
        text(replace(PLAN, estimate=replace(PLAN.estimate, verification=adds))).split()
    )
    assert (
        "Verification with claude-haiku-5-5 adds at most 2 requests, about 5,000 tokens in and up"
        " to 800 out; about $0.0100." in shown
    )
    assert "Verification" not in text()


def test_a_plan_is_one_json_document_with_the_skipped_files() -> None:
    document = json.loads(plan_document(PLAN, FileSkipped("uv.lock", "Lockfile.")))
    assert document.pop("skipped") == [{"path": "uv.lock", "reason": "Lockfile."}]
    assert document == json.loads(json.dumps(asdict(PLAN)))
