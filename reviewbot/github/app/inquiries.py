"""Store a question for a model with the target of its answer, which the outbox posts."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.github.app import targets
from reviewbot.jobs.admission import IdempotencyConflictError
from reviewbot.store import publications
from reviewbot.store.publications import NewPublication
from reviewbot.store.reviews import packed

if TYPE_CHECKING:
    from reviewbot.github.app.outbox import Outbox
    from reviewbot.github.app.targets import AnswerTarget, ReplyTarget
    from reviewbot.jobs.admission import ReviewRequest
    from reviewbot.jobs.service import ReviewService

log = logging.getLogger(__name__)


async def queue_inquiry(
    service: ReviewService,
    publisher: Outbox,
    installation: int,
    request: ReviewRequest,
    target: AnswerTarget | ReplyTarget,
) -> None:
    """Store a question once, and have ``publisher`` post its answer to ``target``.

    ``installation`` is charged.

    Raises:
        DiffError: the diff cannot be reviewed.
        OverLimitError: the installation has reached its daily limit.
        StoreError: the database is unavailable.
    """
    new = NewPublication(installation, targets.to_json(target), packed(b""))
    try:
        row, known = await service.create(request, also=partial(publications.insert, new=new))
    except IdempotencyConflictError:  # already stored, with a shorter thread
        return
    if not known:
        log.info("stored a question", extra={"review_id": row.id})
        publisher.wake()
