"""What two runs at once have told of twice: the older text of ours stays as it is. Pure.

Both looked before either had posted. A comment can be deleted then; a review that is sent cannot,
so the younger one is written anew without what the older one says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers
from reviewbot.github.comment_text import with_marker
from reviewbot.github.earlier_findings import carried
from reviewbot.github.recognised import is_said_by
from reviewbot.github.told_texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.findings import Finding
    from reviewbot.github.api.reviews import Review, ReviewComment
    from reviewbot.github.memory import Memory, Posted, PullName, Us

_HEAD: Final = (
    "Another review was posted at the same time as this one. What both have found is told there."
)


def repeated(memory: Memory) -> dict[str, Posted]:
    """Ids of comments that say in other words what one of the other run says, and that one.

    Not of those that somebody has answered, resolved or hidden.
    """
    by_head: dict[tuple[str, str], list[tuple[Posted, Finding]]] = {}
    found: dict[str, Posted] = {}
    for one in memory.posted.values():
        said, comment = carried(one), one.comment
        others = by_head.setdefault((comment.path, comment.original_commit), [])
        older = next(
            (
                other
                for other, told in others
                if other.comment.review != comment.review and is_said_by([told], said)
            ),
            None,
        )
        if older is None:
            others.append((one, said))
        elif not one.touched:
            found[one.id] = older
    return found


def doubles_of(memory: Memory) -> tuple[ReviewComment, ...]:
    """The comments that are to be deleted."""
    again = (memory.posted[id_].comment for id_ in repeated(memory))
    return (*memory.doubles, *again)


def single_texts(memory: Memory, us: Us, pull: PullName) -> Iterator[tuple[Review, str]]:
    """The reviews whose text must be another one, each with that text, oldest first.

    Only a marker that is surely ours has a say: in the text that changes, for it is signed anew,
    and in the one that the text leaves it to.
    """

    def sure(text: str) -> markers.Marker | None:
        return markers.parse(text, pull.bound, us.secrets)

    told = {id_ for id_, one in memory.posted.items() if sure(one.comment.body)}
    held: set[str] = set()
    emptied = {comment.review for comment in doubles_of(memory)}
    for review in (one.review for one in memory.reviews):
        marker = sure(review.body)
        if marker is None:
            continue
        texts = texts_of(review.body)
        noted = {one.id for one in marker.findings}
        beside = texts.keys() - noted  # held back
        twice = (noted & told) | (beside & held)
        readable = noted <= texts.keys()  # else somebody has edited it, and it stays as it is
        if readable and (twice or review.id in emptied):
            kept = [text for id_, text in texts.items() if id_ not in twice]
            findings = tuple(one for one in marker.findings if one.id not in twice)
            left = markers.write(replace(marker, findings=findings), pull.bound, us.secrets)
            yield review, with_marker("\n\n".join((_HEAD, *kept)), left)
        told |= noted
        held |= beside
