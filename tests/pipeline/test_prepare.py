"""Settings and a diff to a job: within the context window, within what exists, told in advance."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.config.settings import Settings, load_settings
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.events.report import fold
from reviewbot.core.plan.stored import plan_from_json, plan_to_json
from reviewbot.core.prompt.guidelines import NO_GUIDELINES, GuidelineFile, Guidelines, SelectedRule
from reviewbot.errors import ConfigError
from reviewbot.models.sandbox import confine
from reviewbot.pipeline.job import started
from reviewbot.pipeline.prepare import Prepared, prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.run_context import RunContext
from reviewbot.pipeline.workers import workers
from tests.models.linters.samples import need
from tests.support.reviews import added, numbered


def settings(config: str = "", **flags: Any) -> Settings:
    return load_settings(
        flags=flags,
        env={"ANTHROPIC_API_KEY": "unused"},
        config_text=config,
        config_name="c.yml",
        config_trusted=True,
    )


def prepared(diff: str, config: str = "", **flags: Any) -> Prepared:
    return prepare(diff.encode(), settings(config, **flags))


BIG = added("big.py", *(f"value_{number} = {number} * 17  # and more" for number in range(4000)))
SMALL_CONTEXT = "models: {small: {context: 16000, max_output: 4000}}\nmodel: small"


def test_prompt_pieces_and_an_answer_fit_into_a_small_context_window() -> None:
    job = prepared(BIG, SMALL_CONTEXT).job
    assert len(job.plan.batches) > 10
    assert max(batch.tokens + job.prefix_tokens for batch in job.plan.batches) <= 12_000
    assert max(batch.tokens for batch in job.plan.batches) <= 8_000


def test_a_configured_chunk_or_batch_size_cannot_pass_the_context_window() -> None:
    config = f"{SMALL_CONTEXT}\nchunk_tokens: 100000\nbatch_tokens: 100000"
    job = prepared(BIG + numbered("a.py"), config).job
    assert max(batch.tokens + job.prefix_tokens for batch in job.plan.batches) <= 12_000


SOURCE = [f"value_{number} = {number} * 17  # and more" for number in range(140)]
"""A file of about 3,300 tokens."""


@pytest.mark.parametrize(("context", "whole"), [(200_000, True), (199_999, False)])
def test_a_change_of_many_files_is_one_request_of_a_model_with_a_large_window(
    context: int, whole: bool
) -> None:
    change = "".join(added(f"f{number}.py", *SOURCE) for number in range(11))
    plan = prepared(change, f"models: {{m: {{context: {context}}}}}\nmodel: m").job.plan
    assert 20_000 < plan.tokens < 40_000
    assert (len(plan.batches) == 1) is whole


def test_a_larger_change_keeps_a_test_with_its_source() -> None:
    names = ["cart.py", *(f"f{number}.py" for number in range(20)), "test_cart.py"]
    plan = prepared("".join(added(name, *SOURCE) for name in names)).job.plan
    first, *rest = plan.batches
    assert rest
    assert [plan.by_id[name].path for name in first.chunks][:2] == ["cart.py", "test_cart.py"]


def test_a_context_window_that_holds_no_review_is_said_to_be_too_small() -> None:
    config = "models: {tiny: {context: 6000}}\nmodel: tiny"
    with pytest.raises(ConfigError, match="too small to review in"):
        prepared(BIG, config)


def test_the_compact_prompt_is_planned_with_its_own_size() -> None:
    full = "models: {local: {prompt: full}}\nmodel: local"
    sizes = [prepared(numbered("a.py"), text).job.prefix_tokens for text in ("model: local", full)]
    assert sizes[0] < sizes[1] * 0.6  # both have the tool and an example


def test_the_estimate_counts_the_summary() -> None:
    with_summary = prepared(numbered("a.py")).job.estimate
    without = prepared(numbered("a.py"), summary=False).job.estimate
    assert (with_summary.requests, without.requests) == (2, 1)
    assert with_summary.cost_usd is not None
    assert without.cost_usd is not None
    assert with_summary.cost_usd > without.cost_usd > 0


def test_an_unknown_price_makes_the_estimate_unknown() -> None:
    assert prepared(numbered("a.py"), SMALL_CONTEXT).job.estimate.cost_usd is None


@pytest.mark.parametrize("name", ["python/evil", "bugs", "secret/x"])
def test_a_rule_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no rule {name}"):
        prepared(numbered("a.py"), f"rules: {{{name}: off}}")


@pytest.mark.parametrize("name", ["python/eval", "bug", "secrets/github-pat"])
def test_rules_categories_and_kinds_of_secrets_can_be_set(name: str) -> None:
    gates = prepared(numbered("a.py"), f"rules: {{{name}: off}}").job.gates
    assert gates.levels.rules == {name: "off"}


def test_a_stored_plan_is_kept_to_and_one_of_another_diff_refused() -> None:
    data = BIG.encode()
    first = prepare(data, settings(model="offline"))
    stored = plan_from_json(plan_to_json(first.job.plan))
    assert prepare(data, settings(), stored=stored).job.plan == first.job.plan
    with pytest.raises(ValueError, match="plan"):
        prepare(numbered("a.py").encode(), settings(), stored=stored)


def test_what_is_not_in_the_diff_is_part_of_the_plan_and_of_the_one_that_is_stored() -> None:
    lacking = FileCoverage("huge.py", "failed", "GitHub does not give it.")
    job = prepare(BIG.encode(), settings(model="offline"), beside=[lacking]).job
    assert job.plan.beside == (lacking,)
    assert started(job).beside == (lacking,)
    stored = plan_from_json(plan_to_json(job.plan))
    assert prepare(BIG.encode(), settings(), stored=stored).job.plan.beside == (lacking,)


async def test_a_file_that_is_not_in_the_diff_makes_the_review_incomplete_from_the_start() -> None:
    lacking = FileCoverage("huge.py", "failed", "GitHub does not give it.")
    asked = settings(model="offline")
    whole = prepare(b"", asked, beside=[lacking])
    async with workers(whole, asked) as able:
        events = [one async for one in review(whole.job, able.run_batch)]
    report = fold(events)
    assert (report.outcome, report.coverage) == ("incomplete", (lacking,))
    assert fold(events[:1]).coverage == (lacking,)


RULES = Guidelines(
    "a" * 40,
    (GuidelineFile("AGENTS.md", rules=(SelectedRule(1, "", "Never nest."),), total=2),),
)


def test_rules_of_the_team_are_named_and_counted_in_the_estimate() -> None:
    plain = prepare(BIG.encode(), settings())
    ruled = prepare(BIG.encode(), settings(), context=RunContext(guidelines=RULES))
    assert ruled.job.guidelines == RULES
    assert ruled.job.notices == ("Rules read from AGENTS.md (1 of 2).", *plain.job.notices)
    assert ruled.job.prefix_tokens > plain.job.prefix_tokens


def test_examples_are_counted_in_the_estimate() -> None:
    plain = prepare(BIG.encode(), settings())
    without = prepare(BIG.encode(), settings(examples=0))
    assert (plain.job.examples, without.job.examples) == (None, 0)
    assert without.job.prefix_tokens < plain.job.prefix_tokens


def test_rules_of_the_team_are_not_used_where_no_model_reviews() -> None:
    context = RunContext(guidelines=RULES)
    job = prepare(BIG.encode(), settings(model="offline"), context=context).job
    assert job.guidelines == NO_GUIDELINES
    assert not any("Rules read" in notice for notice in job.notices)


def test_offline_keeps_files_whole() -> None:
    job = prepared(BIG + added("x.go", "package x"), model="offline").job
    assert [chunk.parts for chunk in job.plan.chunks] == [1, 1]
    assert job.notices == ()
    assert job.prompt_version is None


def test_lines_that_are_too_long_to_be_shown_whole_are_told_before_anything_is_sent() -> None:
    wide = "x = '" + "wide " * 40_000 + "'"
    one = prepared(added("a.py", wide) + numbered("b.py")).job
    told = "A line is too long to be shown whole, so it is shown in part: "
    assert one.notices == (f"{told}a.py.",)
    assert prepared(added("a.py", wide) + added("b.py", wide)).job.notices == (
        f"{told}a.py and 1 more.",
    )


def test_linters_that_run_unconfined_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    need("ruff")
    need("shellcheck")
    told = ("The linters run unconfined: this kernel has no Landlock.",)
    monkeypatch.setattr(confine, "unconfined", lambda: "this kernel has no Landlock")
    assert prepared(added("a.py", "x = 1")).job.notices == told
    for path, expected in (("a.py", ()), ("a.sh", told)):  # only shellcheck reads hunks
        hunk = f"--- a/{path}\n+++ b/{path}\n@@ -8,2 +8,2 @@\n a\n-b\n+c\n"
        assert prepared(hunk).job.notices == expected
    assert prepared(added("a.txt", "x = 1")).job.notices == ()
    assert prepared(added("a.py", "x = 1"), "linters: false").job.notices == ()
    monkeypatch.setattr(confine, "unconfined", lambda: None)
    assert prepared(added("a.py", "x = 1")).job.notices == ()


def test_the_prompt_of_a_model_has_a_version() -> None:
    version = prepared(numbered("a.py")).job.prompt_version
    assert version
    assert version == prepared(numbered("b.py")).job.prompt_version


def test_a_secret_in_a_path_is_replaced_before_anything_sees_it() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    job = prepared(numbered(f"keys/{secret}.py")).job
    assert secret not in repr(job.plan)
    assert job.files[0].path.startswith("keys/[REDACTED:secret]")


def test_other_paths_stay_as_they_are_line_breaks_and_all() -> None:
    diff = added("a b/c.py", "x") + added("d.py", "y").replace("d.py", '"q\\nr.py"')
    diff = diff.replace('a/"q', '"a/q').replace('b/"q', '"b/q')
    assert [file.path for file in prepared(diff).job.files] == ["a b/c.py", "q\nr.py"]


def test_a_file_that_is_known_in_full_has_the_path_that_is_shown() -> None:
    one = added("ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2 + ".py", "x = 1")
    prepared = prepare(one.encode(), settings(), whole_files=one.encode())
    (file,) = prepared.job.files
    assert "ghp" not in file.path
    assert prepared.whole_files == {file.path: file}


def test_a_path_of_two_files_once_secrets_in_it_are_replaced_is_that_of_no_whole_file() -> None:
    one = added("ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2 + ".py", "x = 1")
    other = added("ghp_" + "b1C2d3E4f5G6h7I8j9K0" * 2 + ".py", "x = 2")
    prepared = prepare(f"{one}{other}".encode(), settings(), whole_files=one.encode())
    assert len({file.path for file in prepared.job.files}) == 1
    assert prepared.whole_files == {}


def test_an_empty_diff_is_a_job_without_files() -> None:
    assert prepared("").job.files == ()


def test_the_estimate_says_what_verification_may_add() -> None:
    both = numbered("a.py") + numbered("b.py")
    job = prepared(both, "batch_tokens: 2000", verify=True).job
    [added_by] = job.estimate.verification
    assert (added_by.model, added_by.requests) == (job.models[0], len(job.plan.batches))
    assert added_by.cost_usd
    assert job.estimate.requests == len(job.plan.batches) + 1
    assert prepared(both).job.estimate.verification == ()
    assert prepared(both, model="offline", verify=True).job.estimate.verification == ()
    [other] = prepared(
        both, "verify: true\nverify_model: claude-haiku-5-5"
    ).job.estimate.verification
    assert other.model == "claude-haiku-5-5"
