"""The review cache in front of the models of one run."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE
from reviewbot.models.cache_checks import SeenCodeChecks
from reviewbot.models.cached import CachedBatches, identity
from reviewbot.models.catalog import lookup
from reviewbot.store.cache import DatabaseCache

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.jobs.run_dependencies import RunDependencies
    from reviewbot.models.batch import BatchTask, RunBatch, Verify
    from reviewbot.pipeline.prepare import Prepared
    from reviewbot.pipeline.workers import Workers
    from reviewbot.store.reviews import ReviewRow

log = logging.getLogger(__name__)


def _by_path(settings: Settings) -> dict[str, str]:
    """Return the levels by path, for the key of the cache."""
    return {
        f"{rule} in {' '.join(one.paths)} ({place})": level
        for place, one in enumerate(settings.path_rules)
        for rule, level in one.rules.items()
    }


def _verifier(settings: Settings) -> str:
    """Return a digest of the model that verifies; empty if each model verifies its own findings."""
    chosen = settings.verify_model
    if chosen is None:
        return ""
    known = identity(lookup(chosen.name, settings.models), chosen.base_url)
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def cached(
    row: ReviewRow,
    able: Workers,
    prepared: Prepared,
    settings: Settings,
    kit: RunDependencies,
) -> tuple[RunBatch, Verify | None]:
    """Return ``able.run_batch`` and ``able.verify`` with the review cache of the tenant."""
    if not kit.cache_bytes:
        return able.run_batch, able.verify

    def identities(task: BatchTask) -> dict[str, str]:
        chain = able.chains[task.id]
        if chain[0].name == OFFLINE:
            return {}  # the rules are faster than a look-up
        return {
            choice.name: identity(lookup(choice.name, settings.models), choice.base_url)
            for choice in chain
            if choice.name != OFFLINE
        }

    async def dossier_of(task: BatchTask) -> tuple[ChunkView, ...]:
        if able.dossiers is None:
            return ()
        first = lookup(able.chains[task.id][0].name, settings.models)
        return (await able.dossiers(task.request, first)).dossier

    def failed(what: str, error: Exception) -> None:
        log.warning(
            "the cache could not %s: %s",
            what,
            type(error).__name__,
            extra={"review_id": row.id},
        )

    # The prompt says whether findings are verified, and verdicts are those of one verifier.
    version = f"{prepared.job.prompt_version}"
    if prepared.job.verified:
        version += f"/{_verifier(settings)}"
    if able.lookups:
        version += f"/{settings.lookups} look-ups"  # not those of this push: they grow with it
    if settings.examples is not None:
        version += f"/{settings.examples} examples"
    batches = CachedBatches(
        able.run_batch,
        DatabaseCache(kit.database, row.tenant, limit=kit.cache_bytes),
        identities=identities,
        prompt_version=version,
        rules={**settings.rules, **_by_path(settings)},
        similarity=settings.reuse_similarity,
        checks=SeenCodeChecks(able.look_up, dossier_of if able.dossiers else None),
        use=kit.cache_use,
        on_failure=failed,
    )
    return batches, able.verify and batches.with_verdicts(able.verify)
