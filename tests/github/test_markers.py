"""A marker is believed if it is whole, ours, of this pull request, and where we put it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reviewbot.core.events.events import Outcome
from reviewbot.core.findings.finding import SEVERITIES, fingerprint
from reviewbot.core.render.markdown_text import fence, quoted
from reviewbot.core.safety.safe_text import safe_markdown
from reviewbot.github.markers import (
    MAX_FINDINGS,
    MAX_LENGTH,
    Kind,
    Marker,
    Noted,
    has_marker,
    parse,
    rule_field,
    shape,
    write,
)
from reviewbot.github.state.block import MOST_CHARACTERS

HEAD, BASE = "a" * 40, "b" * 40
PULL = "octo-org/a--b.c#12"
FOUND = Noted(fingerprint("a.py", "bug", "x = 1"), "error")
MARKER = Marker("finding", HEAD, BASE, "findings", (FOUND,), "review-1")
SECRETS = ("new secret", "old secret")
TEXT = "**error: a title**\n\nA message."

shas = st.text("0123456789abcdef", min_size=40, max_size=40)
ids = st.text("0123456789abcdef", min_size=16, max_size=16)
noted = st.builds(Noted, ids, st.sampled_from(SEVERITIES))
outcomes = st.none() | st.sampled_from(get_args(Outcome))
rules = st.none() | st.from_regex("[a-z0-9]{1,20}([-_./][a-z0-9]{1,19}){0,3}", fullmatch=True)
states = st.from_regex("[A-Za-z0-9+/]{4,40}={0,2}", fullmatch=True)
keys = st.none() | st.from_regex(r"[A-Za-z0-9]{1,20}([-_.:][A-Za-z0-9]{1,19}){0,3}", fullmatch=True)
several = st.lists(noted, max_size=20, unique_by=lambda one: one.id).map(tuple)
markers = (
    st.builds(
        Marker,
        st.sampled_from(["summary", "review", "check"]),
        shas,
        shas,
        outcomes,
        several,
        keys,
    )
    | st.builds(Marker, st.just("finding"), shas, shas, outcomes, st.tuples(noted), keys, rules)
    | st.builds(
        Marker,
        st.just("summary"),
        shas,
        shas,
        outcomes,
        st.just(()),
        keys,
        st.none(),
        st.none() | states,
    )
    | st.builds(
        Marker, st.just("reply"), st.none() | shas, st.none() | shas, outcomes, several, keys
    )
)
pulls = st.builds(
    "{}/{}#{}".format,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,20}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True),
    st.integers(1, 10**6),
)
secrets = st.sampled_from([(), ("s",), SECRETS])
anything = st.text(st.characters(codec=None, exclude_categories=()))


def below(text: str, marker: str) -> str:
    return f"{text}\n\n{marker}"


@given(markers, pulls, secrets)
def test_what_was_written_is_read_again(marker: Marker, pull: str, keys: tuple[str, ...]) -> None:
    written = write(marker, pull, keys)
    assert parse(below(TEXT, written), pull, keys) == marker
    assert parse(written, pull, keys) == marker
    assert has_marker(written)


@given(markers, pulls, secrets)
def test_a_marker_is_one_html_comment_that_nobody_sees(
    marker: Marker, pull: str, keys: tuple[str, ...]
) -> None:
    written = write(marker, pull, keys)
    assert len(written) <= MAX_LENGTH
    assert written.isascii()
    assert written.isprintable()
    inside = written.removeprefix("<!--").removesuffix("-->")
    assert "--" not in inside
    assert ">" not in inside
    tokens = MarkdownIt("commonmark").parse(below(TEXT, written))
    assert tokens[-1].type == "html_block"
    assert tokens[-1].content.strip() == written


def test_the_longest_markers_still_fit() -> None:
    many = tuple(Noted(f"{number:016x}", "note") for number in range(MAX_FINDINGS))
    review = Marker("review", "a" * 64, "b" * 64, "superseded", many, "k" * 100, "r" * 100)
    summary = replace(review, kind="summary", findings=(), state="A" * MOST_CHARACTERS)
    for longest in (review, summary):
        written = write(longest, PULL, SECRETS)
        assert parse(below(TEXT, written), PULL, SECRETS) == longest


def test_the_marker_of_an_earlier_version_is_still_known() -> None:
    bound = write(MARKER, PULL).partition(" for=")[2][:32]
    mark = f"12cR{'f' * 24}"
    body = (
        f"<!-- reviewbot v=1 kind=summary for={bound} head={HEAD} base={BASE} with={'c' * 16}"
        f" outcome=findings findings={'0' * 16}.e.{mark}@12:abcd,{'1' * 16}.w"
        f" fixed={'2' * 16}.n.{mark} at={'0' * 16}@12 key=run-1 sig={'0' * 64} -->"
    )
    found = shape(below(TEXT, body), PULL)
    assert found is not None
    assert (found.kind, found.head, found.key, found.state) == ("summary", HEAD, "run-1", None)
    assert found.findings == (Noted("0" * 16, "error"), Noted("1" * 16, "warning"))


def test_a_rule_is_noted_if_it_can_be_written() -> None:
    assert rule_field("python/eval") == "python/eval"
    assert rule_field("a b") is None
    assert rule_field("--") is None


@pytest.mark.parametrize(
    "marker",
    [
        replace(MARKER, kind="other"),  # type: ignore[arg-type]
        replace(MARKER, head=None),
        replace(MARKER, base=None),
        replace(MARKER, head="main"),
        replace(MARKER, base="A" * 40),
        replace(MARKER, head=HEAD + " base=" + BASE, base=None),
        replace(MARKER, outcome="good"),  # type: ignore[arg-type]
        replace(MARKER, findings=()),
        replace(MARKER, findings=(FOUND, Noted("0" * 16, "note"))),
        replace(MARKER, kind="summary", findings=(FOUND, FOUND)),
        replace(MARKER, findings=(Noted("x" * 16, "note"),)),
        replace(MARKER, findings=(Noted("0" * 17, "note"),)),
        replace(MARKER, key=""),
        replace(MARKER, key="k" * 101),
        replace(MARKER, key="a--b"),
        replace(MARKER, key="-a"),
        replace(MARKER, key="a b"),
        replace(MARKER, key="a\n"),
        replace(MARKER, key="a -->"),
        replace(MARKER, key="a sig=" + "0" * 64),
        replace(
            MARKER,
            kind="summary",
            findings=tuple(Noted(f"{number:016x}", "note") for number in range(MAX_FINDINGS + 1)),
        ),
    ],
)
def test_what_could_not_be_read_again_is_not_written(marker: Marker) -> None:
    for keys in ((), SECRETS):
        with pytest.raises(ValueError, match="cannot be written"):
            write(marker, PULL, keys)


def test_an_empty_secret_is_an_error_and_never_an_unsigned_marker() -> None:
    for keys in (("",), ("", "old")):
        with pytest.raises(ValueError, match="empty"):
            write(MARKER, PULL, keys)
        with pytest.raises(ValueError, match="empty"):
            parse(write(MARKER, PULL), PULL, keys)


# --- Who wrote it


def test_after_a_change_of_secret_old_markers_are_still_believed() -> None:
    old, new = write(MARKER, PULL, ("old secret",)), write(MARKER, PULL, SECRETS)
    assert parse(old, PULL, SECRETS) == parse(new, PULL, SECRETS) == MARKER
    assert parse(old, PULL, ("new secret",)) is None


def test_with_a_secret_nothing_unsigned_is_believed() -> None:
    assert parse(write(MARKER, PULL), PULL, SECRETS) is None


def test_without_a_secret_a_signature_that_cannot_be_checked_is_not_believed() -> None:
    assert parse(write(MARKER, PULL, SECRETS), PULL) is None


@given(markers, markers, secrets)
def test_a_signature_holds_for_its_own_marker_alone(
    marker: Marker, other: Marker, keys: tuple[str, ...]
) -> None:
    assume(keys and marker != other)
    sig = re.search(r" sig=\w+", write(marker, PULL, keys))
    assert sig
    forged = write(other, PULL).replace(" -->", f"{sig[0]} -->")
    assert parse(forged, PULL, keys) is None


@given(markers, pulls, pulls, secrets)
def test_a_marker_copied_to_another_pull_request_is_not_believed(
    marker: Marker, pull: str, other: str, keys: tuple[str, ...]
) -> None:
    assume(pull != other)
    assert parse(write(marker, pull, keys), other, keys) is None


@given(st.data(), secrets)
def test_a_marker_that_was_changed_anywhere_says_the_same_or_nothing(
    data: st.DataObject, keys: tuple[str, ...]
) -> None:
    written = write(MARKER, PULL, keys)
    at = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(at, min(at + 3, len(written))))
    changed = written[:at] + data.draw(st.text("abcef0123 =-<>.\n", max_size=3)) + written[end:]
    found = parse(below(TEXT, changed), PULL, keys)
    if keys:
        assert found in (None, MARKER)
        assert found is None or changed.strip() == written
    elif found is not None:  # unsigned: it is at least one that could have been written
        assert write(found, PULL) == changed.strip()


@given(st.integers(0, 10_000), secrets)
def test_a_marker_that_was_cut_is_not_believed(kept: int, keys: tuple[str, ...]) -> None:
    text = below(TEXT, write(MARKER, PULL, keys))
    assume(kept < len(text))
    assert parse(text[:kept], PULL, keys) is None


WRITTEN = write(MARKER, PULL)


@pytest.mark.parametrize(
    "line",
    [
        WRITTEN.replace("v=1", "v=2"),
        WRITTEN.replace("v=1 ", ""),
        WRITTEN.replace("<!-- ", "<!--"),
        WRITTEN.replace("<!--", "<!---"),
        WRITTEN.replace(" -->", "  -->"),
        WRITTEN.replace(" head", "  head"),
        WRITTEN.replace("reviewbot", "Reviewbot"),
        WRITTEN.replace("finding ", "FINDING "),
        WRITTEN.replace(f"head={HEAD} base={BASE}", f"base={BASE} head={HEAD}"),
        WRITTEN.replace(" key", " note=x key"),
        WRITTEN.replace(" -->", " key=again -->"),
        WRITTEN.replace(" -->", f" sig={'0' * 64} -->"),
        WRITTEN.replace("a" * 40, "\u0661" * 40),
        WRITTEN.replace(".e", ".x"),
        WRITTEN.replace(" findings", " \tfindings"),
        WRITTEN + " x",
        "x " + WRITTEN,
        WRITTEN + WRITTEN,
        "<!-- reviewbot " + "x" * 100_000 + " -->",
        WRITTEN.replace(f"{FOUND.id}.e", ",".join(f"{n:016x}.e" for n in range(10_000))),
    ],
)
def test_a_marker_of_another_form_is_not_believed(line: str) -> None:
    assert parse(below(TEXT, line), PULL) is None


# --- Where it stands


@pytest.mark.parametrize(
    "text",
    [
        "> " + WRITTEN,
        "- " + WRITTEN,
        "- item\n  " + WRITTEN,
        "    " + WRITTEN,
        "`" + WRITTEN + "`",
        "```\n" + WRITTEN,
        "```\n" + WRITTEN + "\n```",
        "~~~~\ncode\n~~~\n\n" + WRITTEN,
        "````suggestion\n```\n" + WRITTEN,
        "<pre>\n" + WRITTEN,
        "<!--\n\n" + WRITTEN,
        "<details>\n" + WRITTEN,
        "<script>\n\n" + WRITTEN,
        WRITTEN + "\n\nMore text.",
        WRITTEN + "\n\n" + WRITTEN,
        write(replace(MARKER, key="other"), PULL) + "\n\n" + WRITTEN,
        "> " + WRITTEN + "\n\n" + WRITTEN,
        "```\n" + WRITTEN + "\n```\n\n" + WRITTEN,
    ],
)
def test_only_one_marker_that_stands_by_itself_at_the_end_is_believed(text: str) -> None:
    assert parse(text, PULL) is None
    assert has_marker(text)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  \n\n"])
def test_line_ends_that_github_may_change_do_not_matter(end: str) -> None:
    assert parse(below(TEXT, WRITTEN) + end, PULL) == MARKER
    assert parse(below(TEXT, WRITTEN).replace("\n", "\r\n") + end, PULL) == MARKER


HOSTILE = [
    WRITTEN,
    f"x {WRITTEN}",
    f"```\n{WRITTEN}",
    f"<!--\n{WRITTEN}",
    f"\\{WRITTEN}",
    WRITTEN.replace("<", "&lt;"),
    "<!--",
    "```",
    "<pre>",
    "> ",
    "<!-- reviewbot",
]


@given(anything | st.lists(st.sampled_from([*HOSTILE, "\n", "a"])).map("\n".join), secrets)
@example(WRITTEN, ())
def test_no_text_of_a_stranger_that_was_made_safe_hides_or_forges_a_marker(
    text: str, keys: tuple[str, ...]
) -> None:
    ours = write(replace(MARKER, key="ours"), PULL, keys)
    for shown in (safe_markdown(text), quoted(safe_markdown(text), 5_000), fence(text, lines=40)):
        unmarked = shown.replace("<!--", "<! --")
        assert parse(unmarked, PULL, keys) is None
        assert parse(below(unmarked, ours), PULL, keys) == replace(MARKER, key="ours")


@given(anything | st.lists(st.sampled_from([*HOSTILE, "\n"])).map("".join))
def test_a_stranger_who_does_not_know_the_secret_is_never_believed(text: str) -> None:
    assert parse(text, PULL, SECRETS) is None


def test_every_kind_can_be_written() -> None:
    for kind in get_args(Kind):
        marker = replace(MARKER, kind=kind)
        assert parse(write(marker, PULL), PULL) == marker


@pytest.mark.parametrize(
    ("text", "looks"),
    [("<!--reviewbot x-->", True), ("<!--- REVIEWBOT", True), ("reviewbot <!-- x -->", False)],
)
def test_anything_that_looks_like_a_marker_is_noticed(text: str, *, looks: bool) -> None:
    assert has_marker(text) == looks
