"""Pause and resume the reviews of a pull request, and the check without a review.

The pause is in the signed state of the summary comment. If there is no such comment, one is
created. Without a key to sign with, nothing is paused: others could write such a state, too.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.core.render import TOOL_NAME
from reviewbot.core.wording import count
from reviewbot.errors import ReviewbotError
from reviewbot.github import markers
from reviewbot.github.client.errors import OvertakenError
from reviewbot.github.markers import Marker
from reviewbot.github.publish import check_run
from reviewbot.github.publish.check_reporter import CheckReporter
from reviewbot.github.publish.comment_text import with_marker
from reviewbot.github.publish.post import put_summary
from reviewbot.github.publish.publication import MOST_OVERTAKEN, now
from reviewbot.github.state.block import StateBlock, pack
from reviewbot.github.state.read_prior import read_prior

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.publish.check_run import Conclusion
    from reviewbot.github.state.block import Pause
    from reviewbot.github.state.prior import Prior

log = logging.getLogger(__name__)

NO_KEY: Final = (
    "a pause must be signed, and the workflow that answers comments has no key to sign with. Give"
    " it the anthropic-api-key of the workflow that reviews pushes. A workflow without a key"
    " reviews every push"
)
_TEXT: Final = "This comment holds the state of the reviews of this pull request."


class NotPausedError(ReviewbotError):
    """Reviews cannot be paused or resumed; the message completes "Not paused: ..."."""


async def set_pause(
    api: Api, pull: PullName, identity: BotIdentity, pause: Pause | None, *, comment: int
) -> Pause | None:
    """Pause or resume the reviews; return the pause that applies. The call is idempotent.

    ``pause`` is None to resume; an earlier pause stays. ``comment`` is the id of the comment with
    the command.

    Raises:
        NotPausedError: there is no key to sign the state with, or the state is too large.
        OvertakenError: other runs keep writing the summary.
        GitHubError: GitHub refuses a request.
    """
    if not identity.secrets:
        raise NotPausedError(NO_KEY)
    for left in reversed(range(MOST_OVERTAKEN)):
        prior = await read_prior(api, pull, identity)
        block = prior.block or StateBlock("")
        if (prior.pause is None) == (pause is None):
            return prior.pause
        state = pack(replace(block, pause=pause))
        if state is None:
            raise NotPausedError("the state of this pull request has no room for a pause")
        # Another key tells a review that is being posted that the summary has changed.
        key = f"{'paused' if pause else 'resumed'}-{comment}"
        text = await _text(api, pull, identity, prior, key=key, state=state)
        try:
            await put_summary(api, pull, identity, prior, text)
        except OvertakenError:
            if not left:
                raise
        else:
            break
    return pause


async def _text(
    api: Api, pull: PullName, identity: BotIdentity, prior: Prior, *, key: str, state: str
) -> str:
    """Return the summary comment with another state."""
    if prior.summary is not None:
        comment, marker = prior.summary
        written = markers.write(replace(marker, key=key, state=state), pull.bound, identity.secrets)
        return markers.replaced(comment.body, pull.bound, written)
    found = await api.pulls.get(pull.repo, pull.number)
    marker = Marker("summary", found.head.sha, found.base.sha, key=key, state=state)
    return with_marker(_TEXT, markers.write(marker, pull.bound, identity.secrets))


def paused_result(
    pause: Pause,
    prior: Prior,
    identity: BotIdentity,
    head: str,
    settings: Settings,
) -> tuple[Conclusion, str]:
    """Return the conclusion of the check of a commit that is not reviewed now, and its text.

    The findings are those that were open at the last review, without those dismissed since. An
    incomplete review of the same commit stays incomplete.
    """
    fail_on = settings.fail_on
    worst = () if fail_on == "never" else SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    failing = sum(
        one.state == "open" and not one.held and one.severity in worst
        for one in prior.records(identity).values()
    )
    last = prior.summary[1] if prior.summary and not prior.is_first else None
    conclusion: Conclusion = "neutral"
    text = "This commit is not reviewed."
    if last is not None and last.head == head:
        text = "This commit was reviewed before."
        if last.outcome == "incomplete":
            conclusion, text = (
                settings.if_incomplete,
                "The last review of this commit is incomplete.",
            )
    text = f"{pause.sentence} {text}"
    if not failing:
        return conclusion, text
    return "failure", f"{text} Still open: {count(failing, 'finding')} at {fail_on} or above."


async def post_check(
    api: Api,
    pull: PullName,
    head: str,
    result: tuple[Conclusion, str],
    *,
    key: str,
    name: str = TOOL_NAME,
) -> None:
    """Post a check run of a commit that is not reviewed now, once for each ``key``.

    Raises:
        GitHubError: the request failed for a temporary reason.
    """
    first = check_run.created(
        head_sha=head, external_id=f"{pull.number}:{key}", started_at=now(), name=name
    )
    check = CheckReporter(api, pull.repo, first)
    await check.begin()
    if check.refused is not None:
        log.warning("there is no check run: %s", check.refused)
    await check.end([check_run.ended(*result, completed_at=now())])
