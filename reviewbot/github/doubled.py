"""What two runs at once have told of twice: the older text of ours stays as it is. Pure.

Both looked before either had posted. A comment can be deleted then; a review that is sent cannot,
so the younger one is written anew without what the older one says. And of two like lines each may
have found another one: these comments have one id, and the younger gets its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers
from reviewbot.github.comment_text import remarked, with_marker
from reviewbot.github.earlier_findings import carried
from reviewbot.github.memory import same_place
from reviewbot.github.recognised import is_said_by
from reviewbot.github.told_texts import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.findings import Finding
    from reviewbot.github.api.reviews import Review, ReviewComment
    from reviewbot.github.markers import Marker
    from reviewbot.github.memory import Memory, Posted
    from reviewbot.github.names import PullName, Us

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
        renamed: the comments that have the id of another finding, each with the text that it must
            have.
    """

    comments: tuple[ReviewComment, ...]
    older: Mapping[str, Posted]
    texts: tuple[tuple[Review, str], ...]
    renamed: tuple[tuple[ReviewComment, str], ...]


def doubled(memory: Memory, us: Us, pull: PullName, *, before: Memory, key: str) -> Doubled:
    """What two runs at once have left. CPU work: for a thread.

    Only a marker that is surely ours has a say: in what goes, and in what it goes for.

    Args:
        memory: what is there.
        us: who we are.
        pull: the pull request.
        before: what was there when this run looked whether it had been said.
        key: of this run.
    """

    def sure(text: str) -> Marker | None:
        return markers.parse(text, pull.bound, us.secrets)

    marked = [(one, sure(one.comment.body)) for one in memory.posted.values()]
    believed = [(one, marker) for one, marker in marked if marker]
    both = {marker.findings[0].id for one in memory.doubles if (marker := sure(one.body))}
    known = both | before.posted.keys()
    new = [(one, marker.key == key) for one, marker in believed if one.id not in known]
    older = _older([one for one, own in new if own], [one for one, own in new if not own])
    comments = (*memory.doubles, *(memory.posted[id_].comment for id_ in older))
    told, held = {one.id for one, _ in believed}, set[str]()
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
    renamed = tuple(_renamed(memory, us, pull, sure))
    return Doubled(comments, older, tuple(texts), renamed)


def _renamed(
    memory: Memory, us: Us, pull: PullName, sure: Callable[[str], Marker | None]
) -> Iterator[tuple[ReviewComment, str]]:
    """The comments on other lines than that which has their id, with an id of their own."""
    for copy in memory.copies:
        marker = sure(copy.body)
        if marker is None:
            continue
        [noted] = marker.findings
        if same_place(copy, memory.posted[noted.id].comment) is False:
            own = hashlib.sha256(f"{noted.id} at {copy.id}".encode()).hexdigest()[: len(noted.id)]
            named = replace(marker, findings=(replace(noted, id=own),))
            yield copy, remarked(copy.body, markers.write(named, pull.bound, us.secrets))


def _older(ours: Iterable[Posted], theirs: Sequence[Posted]) -> dict[str, Posted]:
    """The comments of another run that say at the same head what younger ones of ours say.

    By the ids of these, each for one; but for those that somebody has answered, resolved or hidden.
    """
    left = {one.id: (one, _where_posted(one)) for one in theirs}
    found: dict[str, Posted] = {}
    for one in ours:
        if one.touched:
            continue
        said, comment = _where_posted(one), one.comment
        for other, told in left.values():
            at_head = other.comment.original_commit == comment.original_commit
            if at_head and other.comment.id < comment.id and is_said_by([told], said):
                found[one.id] = other
                del left[other.id]
                break
    return found


def _where_posted(posted: Posted) -> Finding:
    """A finding on the lines that its comment was written on."""
    comment, said = posted.comment, carried(posted)
    last = comment.original_line or said.end_line
    return replace(said, line=comment.original_start_line or last, end_line=last)
