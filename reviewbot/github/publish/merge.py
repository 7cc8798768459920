"""Record in the summary comment what became of the findings of a merged pull request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.github import markers
from reviewbot.github.publish.post import put_summary
from reviewbot.github.state.block import pack
from reviewbot.github.state.fates import at_merge
from reviewbot.github.state.read_prior import read_prior

if TYPE_CHECKING:
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.state.block import ClosedRecord


async def record_merge(
    api: Api, pull: PullName, identity: BotIdentity
) -> tuple[ClosedRecord, ...] | None:
    """Give the findings that are left their fates. Return all closed records.

    Returns:
        The closed records; None if there is no trusted state, or if the merge was recorded before.
        So nobody counts them twice.

    Raises:
        OvertakenError: another run writes the summary at the same time.
        GitHubError: GitHub refuses a request.
    """
    prior = await read_prior(api, pull, identity)
    if prior.summary is None or prior.block is None or prior.block.merged:
        return None
    comment, marker = prior.summary
    block = at_merge(prior.block, prior.dismissed)
    # No review follows, so no digests of hunks are needed: the state gets shorter.
    state = pack(block, {})
    if state is None:
        return None
    # Another key tells a review that is being posted that the summary has changed.
    written = replace(marker, key=f"merged-{(marker.head or '')[:12]}", state=state)
    text = markers.write(written, pull.bound, identity.secrets)
    body = markers.replaced(comment.body, pull.bound, text)
    await put_summary(api, pull, identity, prior, body)
    return block.closed
