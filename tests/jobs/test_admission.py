"""What is set aside for a review before a model is asked, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.load import read_settings
from reviewbot.core.events.events import ReviewStarted
from reviewbot.core.prompt.explanation import FindingQuestion
from reviewbot.errors import ConfigError
from reviewbot.jobs.admission import Admitted, ReviewRequest, TooManyTokensError, admit
from reviewbot.jobs.options import parse_options
from reviewbot.store.keys import Limits
from tests.server.nodes import DEMO, long_diff
from tests.support.reviews import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reviewbot.config.settings import Settings

CHEAP, DEAR = "claude-haiku-5-5", "claude-opus-5-5"
UNVERIFIED, VERIFIED = {"verify": False}, {"verify": True}
A_CENT = Limits(usd_per_day=0.01)


@pytest.fixture
def admitted(tmp_path: Path) -> Any:
    """Admits a diff with options, as a server with a key for Claude does."""

    def load(options: Mapping[str, object]) -> Settings:
        environment = {"REVIEWBOT_STATE_DIR": str(tmp_path), "ANTHROPIC_API_KEY": "unused"}
        flags = {"batch_tokens": 2_000, "chunk_tokens": 12_000, **options}
        return read_settings(flags, cwd=tmp_path, env=environment)

    def of(diff: bytes = DEMO, limits: Limits | None = None, **fields: Any) -> Admitted:
        texts = {name: fields.pop(name) for name in ("title", "description") if name in fields}
        operator = fields.pop("operator", {})
        request = ReviewRequest(
            "tenant", diff, parse_options(fields), limits=limits or Limits(), **texts
        )
        return admit(request, lambda options: load({**operator, **options}))

    return of


def test_a_dearer_fallback_is_what_is_set_aside(admitted: Any) -> None:
    cheap, dear = (admitted(model=name, summary=False).new for name in (CHEAP, DEAR))
    both = admitted(model=CHEAP, fallback_models=[DEAR], summary=False).new
    assert 0 < cheap.held_usd < dear.held_usd <= both.held_usd
    assert both.held_tokens >= max(cheap.held_tokens, dear.held_tokens)


def test_a_cheaper_fallback_takes_no_more_than_the_model(admitted: Any) -> None:
    alone = admitted(model=DEAR).new
    both = admitted(model=DEAR, fallback_models=[CHEAP]).new
    assert both.held_usd == pytest.approx(alone.held_usd)


def test_a_model_after_the_offline_rules_is_set_aside_for(admitted: Any) -> None:
    assert admitted(model="offline").new.held_tokens == 0
    assert admitted(model="offline", fallback_models=[DEAR]).new.held_usd > 0


@pytest.mark.parametrize(
    "options",
    [
        {"model": "Claude-Opus-5-5"},
        {"model": "claude-opus-5-5-20260101"},
        {"model": "anthropic/claude-opus-5-5"},
        {"model": CHEAP, "fallback_models": ["unheard-of"]},
    ],
)
def test_a_model_without_a_price_is_refused_for_a_key_with_a_limit_in_dollars(
    admitted: Any, options: dict[str, Any]
) -> None:
    admitted(**options)
    with pytest.raises(ConfigError, match="no known price"):
        admitted(**options, limits=A_CENT)


def test_where_nothing_is_reviewed_nothing_is_paid_for(admitted: Any) -> None:
    for diff in (b"", DEMO):
        found = admitted(diff, model=DEAR, exclude=["*"], description="word " * 4000).new
        assert (found.held_tokens, found.held_usd) == (0, 0.0)


def test_a_description_counts(admitted: Any) -> None:
    short, long, longer = (
        admitted(model=DEAR, description="word " * many).new for many in (1, 800, 4000)
    )
    assert 1_900 <= long.held_tokens - short.held_tokens <= 2_000
    assert long.held_usd > short.held_usd
    assert longer.held_tokens == long.held_tokens  # no more than 4,000 characters are sent


def test_a_description_that_no_summary_reads_does_not_count(admitted: Any) -> None:
    short, long = (
        admitted(model=DEAR, summary=False, description="word " * many).new for many in (1, 800)
    )
    assert short.held_tokens == long.held_tokens


def test_a_small_review_reserves_a_little_more_than_its_prompts(admitted: Any) -> None:
    held = admitted(numbered("a.py").encode(), model=DEAR, operator=UNVERIFIED).new.held_tokens
    assert 5_000 < held < 8_000


def test_half_of_the_estimate_of_verification_is_reserved(admitted: Any) -> None:
    diff = numbered("a.py", 100).encode()
    without, verified = (
        admitted(diff, model=DEAR, operator=operator) for operator in (UNVERIFIED, VERIFIED)
    )
    [started] = verified.opening
    assert isinstance(started, ReviewStarted)
    [verification] = started.estimate.verification
    tokens = verification.input_tokens + verification.output_tokens
    assert verified.new.held_tokens - without.new.held_tokens == pytest.approx(tokens / 2, abs=1)
    added_usd = verified.new.held_usd - without.new.held_usd
    assert added_usd == pytest.approx((verification.cost_usd or 0.0) / 2)
    assert added_usd > 0


def test_a_verifier_without_a_price_is_refused_for_a_key_with_a_limit_in_dollars(
    admitted: Any,
) -> None:
    options = {"model": CHEAP, "operator": VERIFIED | {"verify_model": "unheard-of"}}
    admitted(**options)
    with pytest.raises(ConfigError, match="unheard-of has no known price"):
        admitted(**options, limits=A_CENT)


def test_the_smallest_review_includes_one_verification_only(admitted: Any) -> None:
    def minimum(diff: bytes) -> int:
        with pytest.raises(TooManyTokensError) as refused:
            admitted(
                diff,
                model=DEAR,
                summary=False,
                operator=VERIFIED,
                limits=Limits(tokens_per_request=1),
            )
        return refused.value.minimum

    short, long = minimum(long_diff(1)), minimum(long_diff(8))
    assert long == pytest.approx(short, rel=0.05)


def test_a_longer_diff_reserves_more_output(admitted: Any) -> None:
    short, long = (
        admitted(numbered("a.py", lines).encode(), model=DEAR, summary=False).opening[0]
        for lines in (3, 100)
    )
    assert isinstance(short, ReviewStarted)
    assert isinstance(long, ReviewStarted)
    assert 500 <= short.estimate.output_tokens < long.estimate.output_tokens < 2_000


def test_a_request_above_its_tokens_is_refused_with_the_minimum(admitted: Any) -> None:
    message = "expected output included, and one request may take 1,000 .the smallest review takes"
    with pytest.raises(TooManyTokensError, match=message) as refused:
        admitted(model=DEAR, limits=Limits(tokens_per_request=1_000))
    error = refused.value
    assert error.tokens > error.minimum > error.limit == 1_000
    assert f"{error.minimum:,}" in str(error)


@pytest.mark.parametrize("summary", [True, False])
def test_a_key_with_the_minimum_admits_a_review_of_a_line(admitted: Any, summary: bool) -> None:
    with pytest.raises(TooManyTokensError) as refused:
        admitted(model=DEAR, summary=summary, limits=Limits(tokens_per_request=1))
    limits = Limits(tokens_per_request=refused.value.minimum + 200)
    one_line = numbered("shop/orders.py", 1).encode()
    assert admitted(one_line, model=DEAR, summary=summary, limits=limits).new.held_tokens > 1_000


def test_what_is_cut_from_the_middle_is_not_set_aside_and_what_is_left_fits(admitted: Any) -> None:
    diff = long_diff(12)
    whole = admitted(diff, model=DEAR).new
    limit = whole.held_tokens // 2
    cut = admitted(diff, model=DEAR, truncate="middle", limits=Limits(tokens_per_request=limit)).new
    assert cut.left_out
    assert cut.held_tokens <= limit
    assert cut.held_usd == pytest.approx(
        whole.held_usd * cut.held_tokens / whole.held_tokens, rel=0.01
    )


def test_a_question_sets_aside_what_one_request_takes_and_is_told_apart(tmp_path: Path) -> None:
    def load(options: Mapping[str, object]) -> Settings:
        environment = {"REVIEWBOT_STATE_DIR": str(tmp_path), "ANTHROPIC_API_KEY": "unused"}
        return read_settings(dict(options), cwd=tmp_path, env=environment)

    def of(question: str | None) -> ReviewRequest:
        asked = question and FindingQuestion("RIGHT", 1, 1, "It fails.", (), question)
        return ReviewRequest("tenant", numbered("a.py").encode(), inquiry=asked or None)

    review, why, how = (of(question) for question in (None, "Why?", "How?"))
    assert len({review.digest, why.digest, how.digest}) == 3
    admitted = admit(why, load)
    assert admitted.new.inquiry == why.inquiry
    assert 2_000 < admitted.new.held_tokens < 5_000
    assert 0 < admitted.new.held_usd < 0.1
    [started] = admitted.opening
    assert isinstance(started, ReviewStarted)
    assert started.question == "Why?"
