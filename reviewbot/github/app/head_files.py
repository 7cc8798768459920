"""Code at the head of a pull request under review."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reviewbot.github.app import targets
from reviewbot.github.app.targets import ReviewTarget
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.head_files import HeadFiles
from reviewbot.store import publications

if TYPE_CHECKING:
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.store.database import Database
    from reviewbot.store.reviews import ReviewRow


async def pull_request_files(
    database: Database, github: Gateway, row: ReviewRow
) -> HeadFiles | None:
    """Return the files of a pull request; None for a review that is not published on one."""
    found = await database.read(partial(publications.find, review_id=row.id))
    target = None if found is None else targets.from_json(found[1])
    if found is None or not isinstance(target, ReviewTarget):
        return None
    api = github.installation(found[0])
    subject = target.subject
    place = ContentSource(api, subject.pull.repo, subject.merge_base, subject.head)
    return HeadFiles(place)
