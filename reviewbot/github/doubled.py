"""What two runs at once have told of twice: the older text of ours stays as it is. Pure.

Both looked before either had posted. A comment can be deleted then; a review that is sent cannot,
so the younger one is written anew without what the older one says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers
from reviewbot.github.comment_text import with_marker
from reviewbot.github.told_texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.github.api.reviews import Review
    from reviewbot.github.memory import Memory, PullName, Us

_HEAD: Final = (
    "Another review was posted at the same time as this one. What both have found is told there."
)


def single_texts(memory: Memory, us: Us, pull: PullName) -> Iterator[tuple[Review, str]]:
    """The reviews whose text must be another one, each with that text, oldest first.

    Only a marker that is surely ours has a say: in the text that changes, for it is signed anew,
    and in the one that the text leaves it to.
    """

    def sure(text: str) -> markers.Marker | None:
        return markers.parse(text, pull.bound, us.secrets)

    told = {id_ for id_, one in memory.posted.items() if sure(one.comment.body)}
    held: set[str] = set()
    emptied = {comment.review for comment in memory.doubles}
    for review in memory.reviews.values():
        marker = sure(review.body)
        if marker is None:
            continue
        texts = texts_of(review.body)
        noted = {one.id for one in marker.findings}
        beside = texts.keys() - noted  # held back
        twice = (noted & told) | (beside & held)
        if twice or review.id in emptied:
            kept = [text for id_, text in texts.items() if id_ not in twice]
            findings = tuple(one for one in marker.findings if one.id not in twice)
            left = markers.write(replace(marker, findings=findings), pull.bound, us.secrets)
            yield review, with_marker("\n\n".join((_HEAD, *kept)), left)
        told |= noted
        held |= beside
