"""What two runs at once have told of twice is told of once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.findings import Placement
from reviewbot.github import markers
from reviewbot.github.api.records import Author
from reviewbot.github.api.reviews import Review
from reviewbot.github.comment_text import MAX_BODY, on_line, with_marker
from reviewbot.github.doubled import doubled
from reviewbot.github.markers import Marker, Noted
from reviewbot.github.memory import Memory, OurReview, Posted
from reviewbot.github.names import PullName, Us
from reviewbot.github.review_comments import plan_comments, review_text
from reviewbot.github.told_texts import OurTexts, texts_of
from tests.github.diff_strategies import Change, changes
from tests.support.documents import report_of
from tests.support.github_comments import comment, found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.findings import Finding

PULL = PullName("octo/hello", 7, 1)
US = Us("reviewbot[bot]", ("secret",))
SHA = "a" * 40
HELD = Placement("outside", "Not sure enough.", held=True)


def review(number: int, findings: Iterable[Finding], *, secrets: tuple[str, ...] = US.secrets,
           held: bool = False) -> Review:  # fmt: skip
    """A review of ours whose text tells of all that it found."""
    findings = tuple(findings)
    plan = plan_comments(findings, (), marker=lambda _: "")
    said = review_text(report_of(*findings), inline=0, below=plan.rest)
    noted = () if held else tuple(Noted(one.finding.id, "note") for one in said.told)
    marker = Marker("review", SHA, SHA, findings=noted, key=f"run-{number}")
    body = with_marker(said.text, markers.write(marker, PULL.bound, secrets))
    return Review(number, Author(US.login, 1, is_bot=True), "COMMENTED", body, SHA, "")


def remembered(*reviews: Review) -> Memory:
    return Memory(reviews=tuple(OurReview(one, signed=True) for one in reviews))


def single(memory: Memory, us: Us = US) -> list[Review]:
    """The reviews as they are in the end."""
    texts = {one.id: text for one, text in doubled(memory, us, PULL, before=Memory(), key="").texts}
    return [
        replace(one, body=texts.get(one.id, one.body))
        for one in (ours.review for ours in memory.reviews)
    ]


def told_by(one: Review) -> set[str]:
    """What the text tells of, which is what its marker notes of it."""
    marker = markers.parse(one.body, PULL.bound, US.secrets)
    assert marker is not None
    assert {noted.id for noted in marker.findings} <= texts_of(one.body).keys()
    return {noted.id for noted in marker.findings}


@settings(deadline=None)
@given(changes(), st.integers(0, 8), st.integers(0, 8))
def test_whatever_two_reviews_say_the_older_says_it_and_the_younger_says_the_rest(
    change: Change, upto: int, since: int
) -> None:
    older, younger = review(1, change.findings[:upto]), review(2, change.findings[since:])
    whole = told_by(older), told_by(younger)
    first, second = single(remembered(older, younger))
    assert first == older
    assert told_by(second) == whole[1] - whole[0]
    for id_ in told_by(second):
        assert texts_of(second.body)[id_] == texts_of(younger.body)[id_]
    assert len(second.body) <= MAX_BODY
    assert single(remembered(first, second)) == [first, second]


def test_what_is_told_once_stays_as_it_is() -> None:
    assert (
        doubled(
            remembered(review(1, [found(1)]), review(2, [found(2)])),
            US,
            PULL,
            before=Memory(),
            key="",
        ).texts
        == ()
    )


@pytest.mark.parametrize("unsigned", [0, 1])
def test_a_text_that_is_not_surely_ours_neither_changes_nor_changes_another(unsigned: int) -> None:
    secrets = [("somebody else's",) if number == unsigned else US.secrets for number in range(2)]
    both = [review(number, [found(1)], secrets=secrets[number]) for number in range(2)]
    assert single(remembered(*both)) == both


def test_without_a_key_the_shape_is_enough() -> None:
    both = [review(number, [found(1)], secrets=()) for number in range(2)]
    first, second = single(remembered(*both), Us(US.login))
    assert first == both[0]
    assert texts_of(second.body) == {}


def test_what_has_a_comment_of_the_other_run_is_not_told_of_in_a_text() -> None:
    marker = Marker("finding", SHA, SHA, findings=(Noted(found(1).id, "note"),))
    written = markers.write(marker, PULL.bound, US.secrets)
    body = on_line(found(1), marker=written, offer=False, link_hosts=())
    on_its_line = Posted(found(1).id, "note", comment(found(1), body=body), None)
    told = remembered(review(1, [found(1), found(2)]))
    (only,) = single(replace(told, posted={found(1).id: on_its_line}))
    assert texts_of(only.body).keys() == {found(2).id}


def test_a_review_whose_comments_go_does_not_speak_of_them() -> None:
    one = review(2, [found(2)])
    told = replace(remembered(one), doubles=(comment(found(1), review=2),))
    (left,) = single(told)
    assert "comment" not in left.body.partition("\n\n")[0]
    assert texts_of(left.body) == texts_of(one.body)


def test_what_was_held_back_by_one_run_does_not_silence_the_other() -> None:
    held = review(1, [found(1, placement=HELD)], held=True)
    both = [held, review(2, [found(1)])]
    assert single(remembered(*both)) == both
    twice = [held, review(3, [found(1, placement=HELD)], held=True)]
    assert texts_of(single(remembered(*twice))[1].body) == {}


@pytest.mark.parametrize("path", ["a`b.py", "``a`.py", "a.py:3", "d/" * 200 + "a.py"])
def test_whatever_a_file_is_called_what_is_found_in_it_stays_told(path: str) -> None:
    odd = found(2, path=path)
    _, second = single(remembered(review(1, [found(1)]), review(2, [found(1), odd])))
    assert texts_of(second.body).keys() == {odd.id} == told_by(second)


def test_a_text_that_cannot_be_read_whole_stays_as_it_is() -> None:
    younger = review(2, [found(1), found(2)])
    edited = replace(younger, body=younger.body.replace(found(2).id, "edited"))
    assert single(remembered(review(1, [found(1)]), edited))[1] == edited


def test_what_is_held_back_in_a_review_that_tells_nothing_else_is_known() -> None:
    left = review(1, [found(1, placement=HELD)], held=True)
    assert OurTexts(remembered(left), ()).held()


@pytest.mark.parametrize(
    ("moved", "secret", "is_renamed"),
    [
        ({"original_line": 9}, "secret", True),
        ({"original_line": 9}, "somebody else's", False),
        ({"original_commit": "b" * 40, "line": 9}, "secret", True),
        ({"original_commit": "b" * 40}, "secret", False),
        ({"original_commit": "b" * 40, "line": None}, "secret", False),
    ],
)
def test_a_comment_of_ours_that_is_surely_on_another_line_gets_an_id_of_its_own(
    moved: dict[str, Any], secret: str, *, is_renamed: bool
) -> None:
    def body(secret: str) -> str:
        marker = Marker("finding", SHA, SHA, findings=(Noted(found(1).id, "note"),))
        written = markers.write(marker, PULL.bound, (secret,))
        return on_line(found(1), marker=written, offer=False, link_hosts=())

    first = Posted(found(1).id, "note", comment(found(1), body=body("secret")), None)
    copy = comment(found(1), **{"id": 2, "body": body(secret), **moved})
    memory = Memory(posted={found(1).id: first}, copies=(copy,))
    renamed = doubled(memory, US, PULL, before=memory, key="").renamed
    assert bool(renamed) == is_renamed
    for one, text in renamed:
        assert one == copy
        marker = markers.parse(text, PULL.bound, US.secrets)
        assert marker is not None
        assert [noted.id == found(1).id for noted in marker.findings] == [False]
        assert text.rpartition("\n")[0] == copy.body.rpartition("\n")[0]
