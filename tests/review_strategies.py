"""Hypothesis strategies for events, findings and whole reviews, hostile values included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from hypothesis import strategies as st

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import fold
from reviewbot.core.findings.finding import (
    CATEGORIES,
    SEVERITIES,
    Evidence,
    Finding,
    Placement,
    RestsOn,
    Side,
    Verification,
)

if TYPE_CHECKING:
    from reviewbot.core.events.report import Report

NASTY = (
    "a|b",
    "```\n````",
    "\n::error file=x::boo",
    "##[error]boo",
    "%0A::warning::x",
    "line\u2028separator\u2029\x85",
    "\x1b]0;title\x07\x1b[31m",
    "\r\ndata: x\r\n\r\nevent: y",
    "../a b/\u00fc\udcff,c:d.py",
    "<script>alert(1)</script>",
    "日本語 👩‍👩‍👧",
)
texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=40),
)
words = st.text("abc x", min_size=1, max_size=12)
paths = st.one_of(
    st.sampled_from(("app/db.py", "src/a b.ts", "sp\nce", "\udcff\udc80/x", "a:b,c%d", "-x", "/")),
    texts.filter(bool),
)
counts = st.integers(0, 10**6)
numbers = st.floats(0, 1e6)
ids = st.text("0123456789abcdef", min_size=16, max_size=16)
rules = st.sampled_from((*CATEGORIES, "python/mutable-default", "secrets/aws-access-key"))
placements = st.one_of(
    st.just(Placement("inline")),
    st.builds(Placement, st.sampled_from(("file", "outside")), texts, st.booleans()),
)
rests_on = st.builds(
    RestsOn, paths, st.integers(1, 9999), st.integers(1, 9999), texts, st.booleans(), st.booleans()
)


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    placement = draw(placements)
    suggestion = draw(st.none() | texts)
    line = draw(st.integers(1, 9999))  # a verdict may place any of them inline
    side: Side = draw(st.sampled_from(get_args(Side)))
    return Finding(
        id=draw(ids),
        path=draw(paths),
        quote=draw(texts),
        side=side,
        line=line,
        end_line=line + draw(st.integers(0, 5)),
        scenario=draw(texts),
        category=draw(st.sampled_from(CATEGORIES)),
        severity=draw(st.sampled_from(SEVERITIES)),
        confidence=draw(st.floats(0, 1)),
        title=draw(texts),
        message=draw(texts),
        suggestion=suggestion,
        rule=draw(rules),
        model=draw(words),
        chunk=draw(words),
        attempt=draw(st.integers(1, 3)),
        placement=placement,
        suggestion_applies=suggestion is not None
        and side == "RIGHT"
        and placement.kind == "inline"
        and draw(st.booleans()),
        cached=draw(st.booleans()),
        verification=draw(st.sampled_from(get_args(Verification))),
        rests_on=tuple(draw(st.lists(rests_on, max_size=5))),
    )


def _tuples(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=3).map(tuple)


usages = st.builds(ev.Usage, counts, counts, counts, counts)
coverage = st.builds(
    ev.FileCoverage, paths, st.sampled_from(get_args(ev.CoverageStatus)), st.none() | texts
)
started = st.builds(
    ev.ReviewStarted,
    models=_tuples(words),
    files=_tuples(
        st.builds(
            ev.PlannedFile,
            paths,
            words,
            counts,
            counts,
            _tuples(st.sampled_from("abc")),
            st.none() | words,
            st.none() | words,
        )
    ),
    chunks=_tuples(
        st.builds(
            ev.PlannedChunk,
            words,
            paths,
            st.integers(1, 9),
            st.integers(1, 9),
            words,
            counts,
            st.just("") | words,
        )
    ),
    batches=counts,
    estimate=st.builds(
        ev.Estimate,
        counts,
        counts,
        counts,
        st.none() | numbers,
        _tuples(st.builds(ev.ModelEstimate, words, counts, counts, counts, st.none() | numbers)),
        _tuples(st.builds(ev.ModelEstimate, words, counts, counts, counts, st.none() | numbers)),
    ),
    notices=_tuples(texts),
    version=st.sampled_from(("", "0.1.0")),
    question=st.none() | texts,
)
finished = st.builds(
    ev.ReviewFinished,
    outcome=st.sampled_from(get_args(ev.Outcome)),
    coverage=_tuples(coverage),
    usage=usages,
    cost_usd=st.none() | numbers,
    duration_s=numbers,
    time_to_first_finding_s=st.none() | numbers,
    findings=st.dictionaries(st.sampled_from(SEVERITIES), counts),
    reasons=_tuples(texts),
    by_model=_tuples(st.builds(ev.ModelShare, words, counts, counts, usages, st.none() | numbers)),
    depth=texts,
    verification=st.none()
    | st.builds(ev.VerificationTally, *[counts] * 6, usages, st.none() | numbers),
    lookups=st.none() | st.builds(ev.LookupTally, st.integers(1, 99), _tuples(texts)),
)
evidence = st.none() | st.builds(Evidence, paths, st.integers(1, 9999), texts, st.booleans())
verified = st.builds(
    ev.FindingVerified,
    ids,
    st.sampled_from(("supported", "partly", "cannot_tell", "unverified")),
    texts,
    evidence,
    placements,
)
raised = st.builds(ev.FindingRaised, findings())
chunk_finished = st.builds(
    ev.ChunkFinished,
    st.sampled_from("abc"),
    paths,
    st.sampled_from(get_args(ev.ChunkStatus)),
    words,
    st.integers(0, 3),
    st.none() | texts,
    st.booleans(),
)
middle = st.one_of(
    st.builds(ev.FileSkipped, paths, texts),
    st.builds(ev.ChunkStarted, words, paths, words, words, st.integers(1, 3)),
    raised,
    verified,
    st.builds(ev.FindingWithdrawn, ids, texts, evidence),
    st.builds(
        ev.ChunkRetrying, words, paths, words, st.integers(1, 3), texts, words, st.floats(0, 99)
    ),
    chunk_finished,
    st.builds(
        ev.ReviewProgress,
        counts,
        counts,
        counts,
        counts,
        counts,
        usages,
        st.none() | numbers,
        st.none() | texts,
    ),
    st.builds(
        ev.ReviewSummary,
        texts,
        _tuples(st.builds(ev.WalkthroughEntry, paths, texts)),
        _tuples(texts),
        st.none() | texts,
        st.sampled_from(("model", "computed")),
    ),
    st.builds(
        ev.ReviewAnswer,
        texts,
        words,
        st.booleans(),
        st.none()
        | st.builds(
            ev.ReplyDecision, st.sampled_from(("withdrawn", "stands", "missing")), evidence
        ),
    ),
)
events: st.SearchStrategy[ev.Event] = st.one_of(started, middle, finished)
"""Any one event."""


@st.composite
def streams(draw: st.DrawFn) -> list[ev.Event]:
    """The events of a review: it may be cut before its end, and findings may be withdrawn."""
    inside = draw(st.lists(st.one_of(raised, middle), max_size=8))
    judged = [
        replace(draw(verified), id=event.finding.id)
        for event in inside
        if isinstance(event, ev.FindingRaised) and draw(st.booleans())
    ]
    gone = [
        ev.FindingWithdrawn(event.finding.id, draw(texts))
        for event in inside
        if isinstance(event, ev.FindingRaised) and draw(st.booleans())
    ]
    end = draw(st.lists(finished, max_size=1))
    return [draw(started), *inside, *judged, *gone, *end]


reports: st.SearchStrategy[Report] = streams().map(fold)
