"""Reviews by several models: planned in advance, kept to, paid from one budget, and recorded."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import Settings, load_settings
from reviewbot.core.events.events import ReviewStarted, Usage
from reviewbot.core.events.records import record
from reviewbot.core.events.report import fold
from reviewbot.core.plan.stored import plan_from_json, plan_to_json
from reviewbot.errors import ConfigError
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.pipeline.estimate import output_tokens
from reviewbot.pipeline.job import PriorRun, started
from reviewbot.pipeline.prepare import Prepared, prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.event_schema import assert_valid_event
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.models.scripted import item
from tests.support.reviews import added, numbered
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reviewbot.core.events.report import Report
    from reviewbot.core.plan.chunks import Plan
    from tests.fake_anthropic import Recorded, Reply

SONNET, HAIKU, OPUS = "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"
ROUTES = f"""\
summary: false
routes:
  - categories: [security]
    model: {OPUS}
    fallback_models: [{SONNET}]
  - categories: [docs, tests]
    model: {HAIKU}
  - paths: [local/]
    model: offline
"""
DIFF = "".join(
    map(
        numbered,
        ["app/a.py", "app/auth.py", "docs/b.md", "app/c.py", "tests/d.py", "local/e.py", "uv.lock"],
    )
)
WHO = {
    "app/a.py": (SONNET, "model"),
    "app/auth.py": (OPUS, "routes[0]"),
    "docs/b.md": (HAIKU, "routes[1]"),
    "app/c.py": (SONNET, "model"),
    "tests/d.py": (HAIKU, "routes[1]"),
    "local/e.py": ("offline", "routes[2]"),
    "uv.lock": (None, None),
}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def settings(config: str = ROUTES, *, env: dict[str, str] | None = None, **flags: Any) -> Settings:
    return load_settings(
        flags=flags,
        env={"ANTHROPIC_API_KEY": "unused"} if env is None else env,
        config_text=config,
        config_name="c.yml",
        config_trusted=True,
    )


def prepared(config: str = ROUTES, diff: str = DIFF, **flags: Any) -> Prepared:
    return prepare(diff.encode(), settings(config, **flags))


def who(plan: ReviewStarted) -> dict[str, tuple[str | None, str | None]]:
    return {file.path: (file.model, file.routed_by) for file in plan.files}


def stored_and_read(plan: Plan) -> Plan:
    return plan_from_json(json.loads(json.dumps(plan_to_json(plan))))


# --- The plan


def test_the_plan_says_who_reviews_each_file_and_which_setting_chose() -> None:
    event = started(prepared().job)
    assert who(event) == WHO
    assert {chunk.path: chunk.model for chunk in event.chunks} == {
        path: model for path, (model, _) in WHO.items() if model
    }
    assert_valid_event(record(event, seq=1, review_id="r", at="2026-01-01T00:00:00Z"))


def test_a_batch_is_for_one_model_and_files_of_one_model_share_it() -> None:
    event = started(prepared().job)
    batches = {chunk.path: chunk.batch for chunk in event.chunks}
    assert batches["app/a.py"] == batches["app/c.py"]
    assert batches["docs/b.md"] == batches["tests/d.py"]
    assert len(set(batches.values())) == event.batches == 4


def test_two_routes_to_the_same_models_share_requests() -> None:
    config = f"""
routes:
  - {{categories: [docs], model: {HAIKU}}}
  - {{categories: [tests], model: {HAIKU}}}
  - {{paths: [local/], model: {SONNET}}}
"""
    event = started(prepared(config).job)
    assert event.batches == 2
    assert who(event)["tests/d.py"] == (HAIKU, "routes[1]")
    assert who(event)["local/e.py"] == (SONNET, "routes[2]")


def test_the_models_are_those_that_may_be_asked_and_who_is_asked_first_comes_first() -> None:
    assert prepared().job.models == (SONNET, OPUS, HAIKU, "offline")
    assert prepared(fallback_models=["x"]).job.models == (SONNET, OPUS, HAIKU, "offline", "x")
    only_docs = prepared(diff=numbered("docs/b.md"), fallback_models=["x"])
    assert only_docs.job.models == (HAIKU, "x"), "nobody else will be asked"


def test_the_estimate_is_that_of_each_model_for_its_batches() -> None:
    job = prepared().job
    parts = {part.model: part for part in job.estimate.by_model}
    assert parts.keys() == {SONNET, OPUS, HAIKU, "offline"}
    assert sum(part.requests for part in parts.values()) == job.estimate.requests == 4
    assert job.estimate.cost_usd == pytest.approx(
        sum(part.cost_usd or 0 for part in parts.values())
    )
    for batch in job.plan.batches:
        part = parts[job.model_of(batch)]
        if part.model == "offline":
            assert (part.output_tokens, part.cost_usd) == (0, 0.0)
            continue
        prefix = job.prefix_by_model[part.model]
        assert part.input_tokens == batch.tokens + prefix == job.request_tokens(batch)
        usage = Usage(input=batch.tokens, output=output_tokens(batch.tokens), cache_write=prefix)
        assert part.cost_usd == cost_usd(lookup(part.model), usage)


def test_the_summary_is_the_models_and_in_its_estimate() -> None:
    with_summary = prepared(
        ROUTES.replace("summary: false", "summary: true"), numbered("docs/b.md")
    )
    parts = {part.model: part.requests for part in with_summary.job.estimate.by_model}
    assert parts == {HAIKU: 1, SONNET: 1}
    offline = ROUTES.replace("summary: false", "model: offline")
    parts = {part.model: part.requests for part in prepared(offline).job.estimate.by_model}
    assert parts == {"offline": 1, OPUS: 1, HAIKU: 1}, "the rules write none"


def test_pieces_fit_into_the_window_of_the_model_that_gets_them() -> None:
    config = """
models: {small: {context: 16000, max_output: 4000}}
routes: [{paths: [s.py], model: small}]
"""
    lines = [f"value_{number} = {number} * 17  # and more" for number in range(1500)]
    job = prepared(config, added("s.py", *lines) + added("big.py", *lines)).job
    tokens: dict[str, list[int]] = {"small": [], SONNET: []}
    for batch in job.plan.batches:
        tokens[job.model_of(batch)].append(job.request_tokens(batch))
    assert max(tokens["small"]) <= 12_000
    assert len(tokens["small"]) > len(tokens[SONNET])
    assert max(tokens[SONNET]) > 12_000


def test_a_window_that_is_too_small_is_said_of_a_routes_model_too() -> None:
    config = "models: {tiny: {context: 8000}}\nroutes: [{paths: [x], model: tiny}]"
    with pytest.raises(ConfigError, match=r"models.tiny.context: a context of 8,000 tokens is too"):
        prepared(config)


def test_a_pattern_that_is_none_is_named_with_its_line() -> None:
    config = f"\nroutes:\n  - paths: ['[b-a]']\n    model: {HAIKU}"
    with pytest.raises(
        ConfigError, match=r"^c.yml:3: routes\[0\].paths: '\[b-a\]' is not a gitignore"
    ):
        prepared(config)


def test_routes_that_are_not_in_force_are_told_of_before_anything_is_sent() -> None:
    job = prepared(model=SONNET).job
    assert {job.model_of(batch) for batch in job.plan.batches} == {SONNET}
    assert any("has no effect: the model is set by --model" in one for one in job.notices)


# --- A plan that was stored


def test_a_resumed_review_keeps_to_who_reviews_what() -> None:
    first = prepared().job
    again = prepare(DIFF.encode(), settings("model: " + OPUS), stored=stored_and_read(first.plan))
    assert again.job.plan == first.plan
    assert who(started(again.job)) == WHO


def test_a_resumed_review_asks_the_models_of_its_plan_as_far_as_they_are_known() -> None:
    plan = stored_and_read(prepared(fallback_models=["x"]).job.plan)
    same = prepare(DIFF.encode(), settings(fallback_models=["x"]), stored=plan).job
    assert same.models == (SONNET, OPUS, HAIKU, "offline", "x")
    assert same.notices == ()
    other = prepare(DIFF.encode(), settings(f"model: {HAIKU}\nsummary: false"), stored=plan).job
    assert other.models == (HAIKU, "offline")
    assert other.notices == (
        f"This was planned for {OPUS}, which is no longer set: {HAIKU} reviews it.",
        f"This was planned for {SONNET}, which is no longer set: {HAIKU} reviews it.",
    )
    assert {part.model for part in other.estimate.by_model} == {HAIKU, "offline"}


def test_the_same_name_at_two_servers_is_two_models() -> None:
    config = """
model: qwen
base_url: http://localhost:1
routes:
  - paths: [docs/]
    model: {name: qwen, base_url: "http://localhost:2"}
"""
    one = prepared(config)
    plan = stored_and_read(one.job.plan)
    assert len({batch.chain for batch in plan.batches}) == 2
    resumed = prepare(DIFF.encode(), settings(config), stored=plan)
    assert resumed.job.plan == one.job.plan


# --- The review


@asynccontextmanager
async def fake(replies: dict[str, Reply]) -> AsyncIterator[tuple[FakeAnthropic, dict[str, str]]]:
    """A fake that answers by model, and the environment that leads to it."""

    def respond(request: Recorded) -> Reply:
        return replies.get(request.model, Answer())

    async with FakeAnthropic(respond) as server:
        yield server, {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.base_url}


async def reviewed(
    env: dict[str, str], config: str = ROUTES, diff: str = DIFF, *, stored: Plan | None = None
) -> Report:
    its = settings(config, env=env)
    one = prepare(diff.encode(), its, stored=stored)
    events = []
    async with workers(one, its) as able:
        async for event in review(one.job, able.run_batch, summarize=able.summarize):
            events.append(event)
            assert_valid_event(
                record(event, seq=len(events), review_id="r", at="2026-01-01T00:00:00Z")
            )
    return fold(events)


def asked(server: FakeAnthropic) -> list[str]:
    return [request.model for request in server.requests]


@in_virtual_time
async def test_each_finding_says_which_model_wrote_it_and_the_end_what_each_one_did() -> None:
    replies: dict[str, Reply] = {
        SONNET: Answer([item(1, path="app/a.py"), item(2, path="app/c.py")]),
        OPUS: Answer([item(3, path="app/auth.py")]),
        HAIKU: Answer(),
    }
    async with fake(replies) as (server, env):
        report = await reviewed(env)
    assert sorted(asked(server)) == sorted([SONNET, OPUS, HAIKU])
    assert {(one.path, one.model) for one in report.findings} == {
        ("app/a.py", SONNET),
        ("app/c.py", SONNET),
        ("app/auth.py", OPUS),
    }
    did = {share.model: share for share in report.by_model}
    assert {name: (share.chunks, share.findings) for name, share in did.items()} == {
        SONNET: (2, 2),
        OPUS: (1, 1),
        HAIKU: (2, 0),
        "offline": (1, 0),
    }
    assert sum((share.usage for share in report.by_model), Usage()) == report.usage
    assert report.cost_usd == pytest.approx(sum(share.cost_usd or 0 for share in did.values()))
    assert did[OPUS].cost_usd == cost_usd(lookup(OPUS), did[OPUS].usage)
    assert did[OPUS].cost_usd


@in_virtual_time
async def test_a_routes_own_fallbacks_take_over_and_no_others() -> None:
    replies: dict[str, Reply] = {OPUS: StatusError(400), HAIKU: StatusError(400)}
    async with fake(replies) as (_, env):
        report = await reviewed(env, f"{ROUTES}\nfallback_models: [offline]")
    statuses = {file.path: (file.status, file.reason) for file in report.coverage}
    assert statuses["app/auth.py"] == ("reviewed", None), f"{SONNET} took over"
    status, reason = statuses["docs/b.md"]
    assert status == "partly"
    assert (reason or "").startswith("Only the offline rules reviewed it")
    assert {share.model: share.chunks for share in report.by_model} == {
        SONNET: 3,
        OPUS: 0,
        HAIKU: 0,
        "offline": 3,
    }


@in_virtual_time
async def test_a_model_whose_key_is_bad_is_left_alone_in_every_chain() -> None:
    config = f"""
summary: false
jobs: 1
model: {SONNET}
fallback_models: [offline]
routes:
  - {{paths: [app/auth.py], model: {SONNET}, fallback_models: [{HAIKU}]}}
"""
    async with fake({SONNET: StatusError(401)}) as (server, env):
        report = await reviewed(env, config)
    assert asked(server) == [SONNET, HAIKU], "its key was refused once"
    assert {share.model: share.chunks for share in report.by_model}[HAIKU] == 1


@in_virtual_time
async def test_a_client_is_shared_by_the_chains_of_its_model() -> None:
    config = f"""
summary: false
fallback_models: [offline]
routes: [{{paths: [docs/], model: {SONNET}, fallback_models: []}}]
"""
    async with fake({}) as (server, env):
        await reviewed(env, config)
    first, second = server.requests
    assert first.model == second.model == SONNET
    assert second.usage["cache_read_input_tokens"] > 0, "it waited for the first one's cache"


@in_virtual_time
async def test_one_budget_is_for_all_models() -> None:
    async with fake({}) as (server, env):
        plenty = await reviewed(env, f"{ROUTES}\nbudget_usd: 5\njobs: 1")
        assert plenty.outcome == "clean"
        server.requests.clear()
        little = await reviewed(env, f"{ROUTES}\nbudget_usd: 0.045\njobs: 1")
    assert 1 <= len(server.requests) < 3
    assert little.outcome == "incomplete"
    assert any("The budget of $0.045" in reason for reason in little.reasons)
    assert (little.cost_usd or 0) <= 0.045


@in_virtual_time
async def test_a_resumed_review_goes_on_with_the_models_of_its_plan() -> None:
    async with fake({HAIKU: Answer([item(1, path="docs/b.md")])}) as (server, env):
        its = settings(env=env)
        one = prepare(DIFF.encode(), its)
        async with workers(one, its) as able:
            events = [event async for event in review(one.job, able.run_batch)]
        first = fold(events)
        server.requests.clear()
        plan = stored_and_read(one.job.plan)
        other = settings(f"{ROUTES}\nmodel: {SONNET}", env=env)
        again = prepare(DIFF.encode(), other, stored=plan)
        async with workers(again, other) as able:
            assert {name: models[0].name for name, models in able.chains.items()} == {
                batch.id: batch.chain.models[0] for batch in plan.batches
            }
            rest = [event async for event in review(again.job, able.run_batch, earlier=PriorRun())]
    assert sorted(asked(server)) == sorted([SONNET, OPUS, HAIKU])
    assert {one.model for one in fold(rest).findings} == {one.model for one in first.findings}


@in_virtual_time
async def test_a_split_gives_its_share_to_the_second_model_and_says_so() -> None:
    diff = "".join(numbered(f"src/{number}.py") for number in range(20))
    config = f"summary: false\nab_split: {{model: {HAIKU}, share: 0.5}}"
    plan = started(prepared(config, diff).job)
    assert who(plan) == who(started(prepared(config, diff).job)), "no luck in it"
    split = {path for path, (_, by) in who(plan).items() if by == "ab_split"}
    assert 0 < len(split) < 20
    assert {model for path, (model, _) in who(plan).items() if path in split} == {HAIKU}

    async with fake({}) as (_, env):
        report = await reviewed(env, config, diff)
    assert {share.model: share.chunks for share in report.by_model} == {
        HAIKU: len(split),
        SONNET: 20 - len(split),
    }


# --- Keys


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            f"model: offline\nroutes:\n  - {{paths: [nowhere], model: {OPUS}}}",
            f"c.yml:3: routes[0]: {OPUS} needs a key: set ANTHROPIC_API_KEY, or review with --model"
            " offline",
        ),
        (
            f"model: offline\nroutes: [{{paths: [x], model: offline, fallback_models: [{OPUS}]}}]",
            f"c.yml:2: routes[0]: {OPUS} needs a key",
        ),
        (
            f"model: offline\nab_split: {{model: {HAIKU}, share: 0.1}}",
            f"c.yml:2: ab_split: {HAIKU} needs a key",
        ),
        (f"model: {SONNET}", f"{SONNET} needs a key"),
    ],
)
async def test_a_model_without_a_key_is_refused_and_its_route_named(
    config: str, message: str
) -> None:
    its = settings(config, env={})
    one = prepare(DIFF.encode(), its)
    with pytest.raises(ConfigError) as caught:
        async with workers(one, its):
            pass
    assert str(caught.value).startswith(message)


async def test_without_a_key_one_model_by_hand_is_enough() -> None:
    its = settings(env={}, model="offline")
    report = fold([])
    async with workers(one := prepare(DIFF.encode(), its), its) as able:
        report = fold([event async for event in review(one.job, able.run_batch)])
    assert report.outcome == "clean"
    assert [share.model for share in report.by_model] == ["offline"]
