"""What two runs at once have told of twice: the older text of ours stays as it is. Pure.

Both looked before either had posted. A comment can be deleted then; a review that is sent cannot,
so the younger one is written anew without what the older one says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers
from reviewbot.github.comment_text import with_marker
from reviewbot.github.earlier_findings import carried
from reviewbot.github.recognised import is_said_by
from reviewbot.github.told_texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.findings import Finding
    from reviewbot.github.api.reviews import Review, ReviewComment
    from reviewbot.github.markers import Marker
    from reviewbot.github.memory import Memory, Posted, PullName, Us

_HEAD: Final = (
    "Another review was posted at the same time as this one. What both have found is told there."
)


@dataclass(frozen=True, slots=True)
class Doubled:
    """What is there twice.

    Attributes:
        comments: those to be deleted.
        older: the comments that say the same as one of these under another id, by that id.
        texts: the reviews whose text must be another one, each with that text.
    """

    comments: tuple[ReviewComment, ...]
    older: Mapping[str, Posted]
    texts: tuple[tuple[Review, str], ...]


def doubled(memory: Memory, us: Us, pull: PullName) -> Doubled:
    """What two runs at once have left. CPU work: for a thread.

    Only a marker that is surely ours has a say: in what goes, and in what it goes for.
    """

    def sure(text: str) -> Marker | None:
        return markers.parse(text, pull.bound, us.secrets)

    believed = [one for one in memory.posted.values() if sure(one.comment.body)]
    older = _older(believed)
    comments = (*memory.doubles, *(memory.posted[id_].comment for id_ in older))
    told, held = {one.id for one in believed}, set[str]()
    emptied = {comment.review for comment in comments}
    texts: list[tuple[Review, str]] = []
    for review in (one.review for one in memory.reviews):
        marker = sure(review.body)
        if marker is None:
            continue
        items = texts_of(review.body)
        noted = {one.id for one in marker.findings}
        beside = items.keys() - noted  # held back
        twice = (noted & told) | (beside & held)
        readable = noted <= items.keys()  # else somebody has edited it, and it stays as it is
        if readable and (twice or review.id in emptied):
            kept = [text for id_, text in items.items() if id_ not in twice]
            findings = tuple(one for one in marker.findings if one.id not in twice)
            left = markers.write(replace(marker, findings=findings), pull.bound, us.secrets)
            texts.append((review, with_marker("\n\n".join((_HEAD, *kept)), left)))
        told |= noted
        held |= beside
    return Doubled(comments, older, tuple(texts))


def _older(posted: Iterable[Posted]) -> dict[str, Posted]:
    """The comments that say at the same head what those of another review say in other words.

    By the ids of these, but for those that somebody has answered, resolved or hidden.
    """
    at_heads: dict[tuple[str, str], list[tuple[Posted, Finding]]] = {}
    found: dict[str, Posted] = {}
    for one in posted:
        said, comment = carried(one), one.comment
        before = at_heads.setdefault((comment.path, comment.original_commit), [])
        others = (other for other in before if other[0].comment.review != comment.review)
        older = next((other for other, told in others if is_said_by([told], said)), None)
        if older is None:
            before.append((one, said))
        elif not one.touched:
            found[one.id] = older
    return found
