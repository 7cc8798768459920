"""Code at the head of a pull request under review."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reviewbot.code.fetched_files import FetchedFiles
from reviewbot.github.app import targets
from reviewbot.github.app.targets import AnswerTarget, ReviewTarget
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.head_files import HeadFiles
from reviewbot.store import publications

if TYPE_CHECKING:
    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.github.app.clones import AppClones
    from reviewbot.store.database import Database
    from reviewbot.store.reviews import ReviewRow


async def pull_request_files(
    database: Database, github: Gateway, clones: AppClones, row: ReviewRow
) -> CodeAtCommit | None:
    """Return the files of a pull request; None for a review that is not published on one.

    They are read from a clone, and from the contents API without one. The answer to a reply reads
    a clone alone.
    """
    found = await database.read(partial(publications.find, review_id=row.id))
    target = None if found is None else targets.from_json(found[1])
    if found is not None and isinstance(target, AnswerTarget) and clones.is_on:
        # Without a clone, each file would take a request.
        return FetchedFiles(partial(clones.fetch, found[0], target.place.subject))
    if found is None or not isinstance(target, ReviewTarget):
        return None
    api = github.installation(found[0])
    subject = target.subject
    place = ContentSource(api, subject.pull.repo, subject.merge_base, subject.head)
    checkout = None
    if clones.is_on:
        checkout = FetchedFiles(partial(clones.fetch, found[0], subject))
    return HeadFiles(place, checkout=checkout)
