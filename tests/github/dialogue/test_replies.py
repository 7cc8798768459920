"""Who gets an answer to a reply, decided from the comments alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.github.api.records import Author
from reviewbot.github.api.threads import ReviewThread
from reviewbot.github.dialogue.replies import (
    MOST_FOR_PERSON,
    MOST_IN_THREAD,
    MOST_ON_PULL,
    OF_A_RULE,
    PERSON_LIMIT,
    PULL_LIMIT,
    THREAD_LIMIT,
    DisputedFinding,
    FixedAnswer,
    PersonReply,
    decide,
    finding_text,
    is_for_us,
    is_open,
    without_marker,
)
from reviewbot.github.identity import BotIdentity, PullName
from reviewbot.github.markers import Marker, Noted, write
from reviewbot.github.publish.comment_text import on_line
from tests.support.github_comments import US, comment, found

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.api.reviews import ReviewComment

PULL = PullName("o/r", 7, 1)
WE = BotIdentity(US.login, ("secret",))
MONA = Author("mona", 2, is_bot=False)
REPLY = PersonReply(PULL, 100, 1, "mona", "mona", "a" * 40, "b" * 40, "refs/heads/main", "No.")


def first(number: int = 1, rule: str = "bug", **changes: object) -> ReviewComment:
    """Our comment on a finding."""
    one = found(number, rule=rule)
    noted = (Noted(one.id, "warning"),)
    marker = Marker("finding", "a" * 40, "b" * 40, findings=noted, key="k", rule=rule)
    body = on_line(one, marker=write(marker, PULL.bound, WE.secrets), offer=False, link_hosts=())
    return comment(one, id=number, body=body, **changes)


def person(number: int, body: str = "No.", *, to: int = 1, by: Author = MONA) -> ReviewComment:
    return comment(found(to), id=number, body=body, in_reply_to=to, author=by)


def ours(number: int, key: str, *, to: int = 1) -> ReviewComment:
    marker = write(Marker("reply", key=key), PULL.bound, WE.secrets)
    return comment(found(to), id=number, body=f"Text.\n\n{marker}", in_reply_to=to)


def test_a_reply_to_a_finding_of_a_model_is_answered_with_its_thread() -> None:
    thread = (first(), person(5, "Why?"), ours(6, f"reply-{1:016x}-5"), person(100))
    asked = decide(REPLY, thread, WE)
    assert isinstance(asked, DisputedFinding)
    assert (asked.key, asked.comment.id) == (f"{1:016x}-100", 1)
    reply = asked.reply
    assert (reply.id, reply.line, reply.category, reply.severity) == (
        *(f"{1:016x}", 4, "bug"),
        "warning",
    )
    assert (reply.title, reply.question) == ("Stale x", "No.")
    assert [(one.text, one.ours) for one in reply.thread] == [("Why?", False), ("Text.", True)]
    assert "<!--" not in str(reply)


def test_an_outdated_finding_has_no_lines() -> None:
    asked = decide(REPLY, (first(line=None), person(100)), WE)
    assert isinstance(asked, DisputedFinding)
    assert (asked.reply.line, asked.reply.end_line) == (None, None)


@pytest.mark.parametrize(
    "thread",
    [
        (person(100),),
        (person(1), person(100)),
        (replace(first(), author=MONA), person(100)),
        (replace(first(), body="**warning: x**"), person(100)),
        (replace(first(), body=first().body.replace("sig=", "sig=0")), person(100)),
        (replace(first(), in_reply_to=9), person(100)),
        (first(), ours(6, f"reply-{1:016x}-100"), person(100)),
        (first(), ours(6, f"withdrawn-{1:016x}-100-{0:016x}"), person(100)),
    ],
    ids=["gone", "theirs", "copied", "unmarked", "unsigned", "reply", "answered", "withdrawn"],
)
def test_silence(thread: tuple[ReviewComment, ...]) -> None:
    assert decide(REPLY, thread, WE) is None


@pytest.mark.parametrize("rule", ["secrets/github-token", "python/sql", "ruff/f401"])
def test_a_finding_of_a_rule_gets_one_fixed_answer(rule: str) -> None:
    thread = (first(rule=rule), person(100))
    assert decide(REPLY, thread, WE) == FixedAnswer(f"rule-{1:016x}", OF_A_RULE)
    assert decide(REPLY, (*thread, ours(101, f"rule-{1:016x}")), WE) is None


def test_a_thread_has_three_answers_whoever_asked() -> None:
    answered = [ours(10 + number, f"reply-{1:016x}-{number}") for number in range(MOST_IN_THREAD)]
    thread = (first(), *answered, person(100))
    assert decide(REPLY, thread, WE) == FixedAnswer(f"limit-{1:016x}", THREAD_LIMIT)
    assert decide(REPLY, (*thread, ours(99, f"limit-{1:016x}")), WE) is None


def test_replies_that_are_not_answered_yet_count() -> None:
    thread = (first(), *(person(10 + number) for number in range(MOST_IN_THREAD)), person(100))
    assert decide(REPLY, thread, WE) == FixedAnswer(f"limit-{1:016x}", THREAD_LIMIT)
    others = [person(10 + one, by=replace(MONA, login="zoe")) for one in range(MOST_IN_THREAD)]
    assert isinstance(decide(REPLY, (first(), *others, person(100)), WE), DisputedFinding)


@pytest.mark.parametrize("body", ["/explain", "@zoe look", "x <!-- reviewbot v=1 -->"])
def test_what_is_not_a_reply_does_not_count(body: str) -> None:
    thread = (first(), *(person(10 + number, body) for number in range(9)), person(100))
    assert isinstance(decide(REPLY, thread, WE), DisputedFinding)


def test_a_person_has_ten_answers_on_a_pull_request() -> None:
    firsts = [first(number) for number in range(1, 7)]
    elsewhere = [
        person(20 + one, to=2 + one % 5, by=replace(MONA, login="Mona"))
        for one in range(MOST_FOR_PERSON)
    ]
    limit = decide(REPLY, (*firsts, *elsewhere, person(100)), WE)
    assert limit == FixedAnswer("limit-by-mona", PERSON_LIMIT)
    talk = [person(40 + number, to=77) for number in range(MOST_FOR_PERSON)]  # in threads of people
    assert isinstance(decide(REPLY, (*firsts, *talk, person(100)), WE), DisputedFinding)


def test_answers_to_deleted_replies_count_on_a_pull_request() -> None:
    answered = [ours(10 + one, f"reply-{one + 2:016x}-{one}", to=2) for one in range(MOST_ON_PULL)]
    limit = decide(REPLY, (first(), first(2), *answered, person(100)), WE)
    assert limit == FixedAnswer("limit-pull", PULL_LIMIT)


@pytest.mark.parametrize("login", ["a-b", "A_b_", "x" * 90])
def test_the_limit_of_any_login_can_be_written(login: str) -> None:
    firsts = [first(number) for number in range(1, 7)]
    author = replace(MONA, login=login)
    theirs = [person(20 + one, to=2 + one % 5, by=author) for one in range(MOST_FOR_PERSON)]
    limit = decide(replace(REPLY, sender=login), (*firsts, *theirs), WE)
    assert isinstance(limit, FixedAnswer)
    assert write(Marker("reply", key=limit.key), PULL.bound)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("No.", True),
        ("\U0001f44d", True),
        ("@reviewbot no", True),
        ("Ask @zoe", True),
        ("", False),
        (" \n", False),
        ("@zoe see this", False),
        ("  @zoe", False),
        ("/lgtm", False),
        ("\n /ignore", False),
    ],
)
def test_a_comment_that_begins_for_another_is_not_for_us(body: str, *, expected: bool) -> None:
    assert is_for_us(body, "reviewbot") is expected


def thread_of(**changes: object) -> ReviewThread:
    made = ReviewThread("T", False, None, 1, None)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("thread", "keys", "expected"),
    [
        (None, [], True),
        (thread_of(), [], True),
        (thread_of(resolved=True), [], False),
        (thread_of(minimized="outdated"), [], False),
        (thread_of(), ["fixed-{id}-x"], False),
        (thread_of(), ["fixed-{id}-x", "back-{id}-y"], True),
        (thread_of(), ["withdrawn-{id}-1-0"], False),
        (thread_of(), ["withdrawn-{id}-1-0", "back-{id}-y"], True),
        (thread_of(), ["fixed-0000000000000002-x"], True),
    ],
)
def test_a_finding_is_open_until_its_thread_says_otherwise(
    thread: ReviewThread | None, keys: list[str], *, expected: bool
) -> None:
    name = f"{1:016x}"
    comments = [ours(10 + at, key.format(id=name)) for at, key in enumerate(keys)]
    assert is_open(name, thread, comments, PULL, WE) is expected


def text_of(finding: Finding) -> tuple[str, str]:
    body = on_line(finding, marker="<!-- reviewbot x -->", offer=False, link_hosts=())
    return finding_text(without_marker(body))


def test_the_text_for_the_check_has_no_judgement() -> None:
    one = found(1, severity="error", model="claude-x", confidence=0.83)
    title, words = text_of(one)
    assert title == "Stale x"
    assert words == f"{one.scenario} {one.message}"


def test_words_of_a_finding_that_look_like_its_details_are_kept() -> None:
    one = found(1, message="The cause.\n\n<details>\n\nor not.")
    assert text_of(one)[1].endswith("or not.")


def test_a_comment_of_an_earlier_version_has_its_words_without_the_facts() -> None:
    body = "**error: Stale x**\n\nIt fails.\n\nThe cause.\n\nbug, `claude-x`, confidence 0.83"
    assert finding_text(body)[1] == "It fails.\n\nThe cause."
    assert finding_text("Something\n\nelse") == ("Something", "else")
