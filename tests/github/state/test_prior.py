"""Prior findings: our comments are known by author and marker; unsigned ones prove nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from reviewbot.github.api.threads import Discussion
from reviewbot.github.identity import BotIdentity, PullName
from reviewbot.github.markers import Marker, Noted, write
from reviewbot.github.state.block import StateBlock
from reviewbot.github.state.read_prior import read_prior
from tests.support.github_comments import US, comment, found
from tests.support.github_records import record

if TYPE_CHECKING:
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.state.prior import Prior

PULL = PullName("o/r", 7, 1)
WE = BotIdentity(US.login, ("secret",))
FINDING = found(1)


@dataclass
class Listed:
    """What GitHub lists of a pull request: comments on lines alone."""

    on_lines: tuple[ReviewComment, ...]

    async def all(self, *_pull: Any) -> tuple[()]:
        return ()

    async def comments(self, *_pull: Any) -> tuple[ReviewComment, ...]:
        return self.on_lines

    async def discussion(self, *_pull: Any) -> Discussion:
        return Discussion(())


async def prior_of(*on_lines: ReviewComment) -> Prior:
    class OnlyComments:
        reviews = comments = threads = Listed(on_lines)

    return await read_prior(cast("Api", OnlyComments()), PULL, WE)


def marked(number: int, secrets: tuple[str, ...], **changes: object) -> ReviewComment:
    noted = (Noted(FINDING.id, FINDING.severity),)
    marker = Marker("finding", "a" * 40, "b" * 40, findings=noted, key="k1", rule="security")
    body = f"**warning: x**\n\n{write(marker, PULL.bound, secrets)}"
    return comment(FINDING, id=number, body=body, **changes)


async def test_a_signed_comment_is_a_finding_with_all_that_github_keeps() -> None:
    prior = await prior_of(marked(1, WE.secrets, line=3, start_line=2))
    [one] = prior.records(WE).values()
    assert (one.id, one.comment, one.path, one.line) == (FINDING.id, 1, FINDING.path, 2)
    assert (one.rule, one.category, one.state) == ("security", "security", "open")
    assert one.fingerprint


async def test_a_comment_that_is_not_signed_is_no_finding() -> None:
    prior = await prior_of(marked(1, ()))
    assert not prior.posted[FINDING.id].ours
    assert prior.records(WE) == {}


async def test_a_signed_comment_counts_though_an_unsigned_one_is_older() -> None:
    """All workflows of a repository write under one login."""
    forged, real, again = marked(1, ()), marked(2, WE.secrets), marked(3, WE.secrets)
    for order in ((forged, real, again), (real, forged, again)):
        prior = await prior_of(*order)
        assert prior.posted[FINDING.id].comment == real
        assert prior.copies == [forged]
        assert prior.duplicates == [again]


async def test_a_record_has_the_line_to_which_github_moved_its_comment() -> None:
    prior = await prior_of(marked(2, WE.secrets, line=9))
    block = StateBlock("s", records=(record(id=FINDING.id, line=4, title="Kept"),))
    [one] = replace(prior, block=block).records(WE).values()
    assert (one.line, one.comment, one.title) == (9, 2, "Kept")


async def test_a_comment_that_is_not_signed_moves_no_record() -> None:
    prior = await prior_of(marked(2, (), line=9))
    kept = record(id=FINDING.id, line=4, comment=1)
    records = replace(prior, block=StateBlock("s", records=(kept,))).records(WE)
    assert records == {FINDING.id: kept}


async def test_without_a_key_unsigned_comments_of_ours_count() -> None:
    keyless = BotIdentity(US.login)

    class OnlyComments:
        reviews = comments = threads = Listed((marked(1, ()),))

    prior = await read_prior(cast("Api", OnlyComments()), PULL, keyless)
    assert [one.comment for one in prior.records(keyless).values()] == [1]


async def test_a_comment_of_the_same_review_is_no_earlier_finding() -> None:
    """A review posts again after another one overtook it."""
    prior = await prior_of(marked(1, WE.secrets))
    assert prior.posted[FINDING.id].key == "k1"
    assert prior.records(WE, "k1") == {}
    assert [*prior.records(WE, "k2")] == [FINDING.id]
