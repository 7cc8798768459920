"""Review a pull request in the Action; write the log, the posts and the files."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Final

from reviewbot.action.event import Skipped
from reviewbot.action.inputs import INPUT_ADVICE
from reviewbot.action.report import write_report
from reviewbot.action.settings import settings_of, without_key
from reviewbot.code.fetched_files import FetchedFiles
from reviewbot.code.git_fetch import fetch_commits
from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_commit
from reviewbot.config.settings import CONFIG_NAMES, by_rules_alone
from reviewbot.core.events.events import RulesOnly
from reviewbot.core.wording import count
from reviewbot.errors import (
    EXIT_FINDINGS,
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    ReviewbotError,
    SourceError,
)
from reviewbot.github.app.manifest import web_address
from reviewbot.github.change.base_files import base_files
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.git_origin import origin_of
from reviewbot.github.change.head_files import HeadFiles
from reviewbot.github.change.subject import PublishOptions
from reviewbot.github.client.errors import ForbiddenError, GitHubError, for_author
from reviewbot.github.identity import BotIdentity, PullName
from reviewbot.github.publish.merge import record_merge
from reviewbot.github.publish.pause import paused_result, post_check
from reviewbot.github.publish.publication import Publication, Published
from reviewbot.github.state.prior import Prior
from reviewbot.github.state.read_prior import read_prior
from reviewbot.github.state.scope import NoSuchFileError, assign
from reviewbot.pipeline.output import Outputs
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from reviewbot.action.event import Merged, RequestedReview
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.github.api.gateway import Api, Gateway
    from reviewbot.github.api.pulls import PullRequest
    from reviewbot.github.change.subject import Subject
    from reviewbot.github.state.block import Pause
    from reviewbot.github.state.scope import ReviewScope
    from reviewbot.pipeline.job import StopSignal
    from reviewbot.pipeline.target import OutputTarget

log = logging.getLogger(__name__)

CLONE_BYTES: Final = 500_000_000
"""Most bytes of a clone of the repository."""
_FORK_NOTICE: Final = (
    "This pull request comes from a fork: GitHub gives its workflows a read-only token, so the"
    " review is only in the log, its annotations and the job's summary."
)
_OTHER_HEAD: Final = (
    "somebody pushed after the label was set, and only the labelled commit may be reviewed: look at"
    " the new commits, then remove the label and set it again"
)
_UNPOSTED: Final = (
    f"The input github-token is empty, so nothing is posted on the pull request. {INPUT_ADVICE}"
)
_STOPPED: Final = "It stopped early."
_CANCELLED: Final = "The run was cancelled while its review was posted."


class ActionReview:
    """Review of a pull request by the Action. ``stop`` ends it early."""

    def __init__(
        self, inputs: ActionInputs, github: Gateway, stop: StopSignal, sarif: OutputTarget
    ) -> None:
        self._inputs, self._github, self._stop, self._sarif = inputs, github, stop, sarif
        self._api: Api = github.holder()
        self._notices: tuple[str, ...] = ()

    async def run(self, wanted: RequestedReview) -> int | Skipped:
        """Review and report; return the exit code, or the reason why nothing was reviewed.

        Raises:
            ReviewbotError: the review failed.
        """
        inputs, api = self._inputs, self._api
        pull = PullName(inputs.repository, wanted.number)
        found = await api.pulls.get(pull.repo, pull.number)
        if found.state == "closed":
            return Skipped("the pull request is closed")
        pull = replace(pull, repository_id=found.base.repository_id)
        identity, prior = BotIdentity(""), Prior()
        if inputs.token is not None:
            identity = BotIdentity(await self._github.login(), inputs.signing)
            prior = await read_prior(api, pull, identity)
        if prior.pause is not None and not wanted.explicit:
            return await self._paused(prior.pause, prior, identity, found, pull)
        try:
            assignment = await assign(
                api,
                pull,
                prior,
                page=inputs.page,
                load=partial(settings_of, inputs),
                # Without a key nothing can be signed; offline rules cost nothing.
                full=wanted.full or not identity.secrets,
                only=wanted.only,
                config=inputs.config,
                checkout=self._checkout,
            )
        except NoSuchFileError as error:
            return Skipped(str(error))
        if wanted.head not in (None, assignment.subject.head):
            raise SourceError(_OTHER_HEAD)
        if assignment.context.rules_only is None:
            assignment = self._without_key(wanted, assignment)
        publication = await self._begun(identity, assignment)
        try:
            await self._stream(assignment, publication)
            published = await self._posted(publication, assignment)
            if published is None:
                await self._cancelled(publication, assignment)
                return EXIT_INTERRUPTED
        except BaseException as error:
            sentence = for_author(error) if isinstance(error, ReviewbotError) else _STOPPED
            with suppress(ReviewbotError):
                await publication.fail(sentence)
            raise
        on_push = inputs.event_name == "pull_request"
        if assignment.pull.is_fork and on_push and published.denied and not published.wrote:
            published = replace(published, problems=(_FORK_NOTICE,))
        code = await asyncio.to_thread(self._report, published, assignment)
        return max(code, EXIT_INCOMPLETE) if published.failed else code

    def _without_key(self, wanted: RequestedReview, assignment: ReviewScope) -> ReviewScope:
        """Return the scope with the rules in place of models, if the job gets no key for them.

        Raises:
            ConfigError: a model has no key, and the rules must not take its place.
        """
        reason = without_key(self._inputs, wanted, assignment.settings)
        if not reason:
            return assignment
        context = replace(assignment.context, rules_only=RulesOnly(reason))
        return replace(assignment, settings=by_rules_alone(assignment.settings), context=context)

    def _report(self, published: Published, assignment: ReviewScope) -> int:
        return write_report(
            published,
            assignment.settings,
            self._inputs,
            self._sarif,
            self._notices,
            custom_rules=assignment.context.custom_rules,
        )

    async def _paused(
        self, pause: Pause, prior: Prior, identity: BotIdentity, found: PullRequest, pull: PullName
    ) -> Skipped:
        """Report that the reviews are paused; fail if an open finding reaches ``fail_on``."""
        inputs = self._inputs
        names = (inputs.config,) if inputs.config else CONFIG_NAMES
        base = await base_files(self._api, pull.repo, found.base, config_names=names)
        settings = settings_of(inputs, base.config)
        result = paused_result(pause, prior, identity, found.head.sha, settings)
        if inputs.check is not None:
            key = f"paused-{inputs.run_key}"
            await post_check(self._api, pull, found.head.sha, result, key=key, name=inputs.check)
        failed = result[0] == "failure"
        return Skipped(result[1].rstrip("."), EXIT_FINDINGS if failed else EXIT_OK)

    async def record_merge(self, merged: Merged) -> Skipped:
        """Record what became of the findings; return what was done, as the end of a sentence.

        Raises:
            GitHubError: GitHub refuses a request, except a write that the token does not permit.
        """
        if self._inputs.token is None:
            return Skipped("the pull request was merged, and an empty github-token records nothing")
        found = await self._api.pulls.get(self._inputs.repository, merged.number)
        pull = PullName(self._inputs.repository, merged.number, found.base.repository_id)
        identity = BotIdentity(await self._github.login(), self._inputs.signing)
        try:
            closed = await record_merge(self._api, pull, identity)
        except ForbiddenError as error:
            log.warning("the merge could not be recorded: %s", error)
            return Skipped(f"the merge could not be recorded: {error.for_author}")
        if closed is None:
            return Skipped("the pull request was merged, and has no state to record it in")
        those = count(len(closed), "finding")
        return Skipped(f"the pull request was merged; the fates of {those} are recorded")

    async def _posted(self, publication: Publication, assignment: ReviewScope) -> Published | None:
        """Post the review and return the result; None if the run was cancelled meanwhile.

        A review that GitHub refuses is still reported in the log and in files.
        """
        if self._inputs.token is None:
            return publication.published
        try:
            posting = publication.end(assignment.files)
            if self._stop.outcome is not None:
                return await posting
            return await self._stop.unless_stopped(posting)
        except GitHubError as error:
            if publication.is_posted:
                log.warning("could not check whether another check hides this one: %s", error)
                problem = (
                    f"Could not check whether another check hides this one: {error.for_author}."
                )
                done = publication.published
                return replace(done, problems=(*done.problems, problem))
            log.warning("the review could not be posted: %s", error)
            problem = f"The review could not be posted: {error.for_author}."
            with suppress(GitHubError):
                await publication.fail(problem)
            done = publication.published
            return replace(done, problems=(problem, *done.problems), failed=True)

    async def _cancelled(self, publication: Publication, assignment: ReviewScope) -> None:
        """Report the findings of a cancelled run, although not all of them are posted.

        The report is written at once, since the runner kills a cancelled job after some seconds.
        """
        ended = asyncio.ensure_future(publication.fail(_CANCELLED, "cancelled"))
        done = publication.published
        done = replace(done, report=replace(done.report, outcome="cancelled"))
        await asyncio.to_thread(self._report, done, assignment)
        with suppress(GitHubError):
            await ended

    def _checkout(self, head: str) -> CodeAtCommit | None:
        """Return the files of the head in the job's checkout; None without such a checkout."""
        folder = self._inputs.workspace
        repository = open_commit(folder, head) if folder and folder.is_dir() else None
        return GitFiles(repository) if repository else None

    async def _code(self, subject: Subject, folder: Path, ended: Event) -> CodeAtCommit:
        """Return the code at the head; what :func:`checkout_of` lacks is of the contents API."""
        place = ContentSource(self._api, subject.pull.repo, subject.merge_base, subject.head)
        return HeadFiles(place, checkout=await checkout_of(self._inputs, subject, folder, ended))

    async def _begun(self, identity: BotIdentity, assignment: ReviewScope) -> Publication:
        """Return the started publication; without a token it posts nothing."""
        inputs = self._inputs
        options = replace(
            PublishOptions.of(assignment.settings),
            check=inputs.check,
            review=inputs.review_comments,
            summary=inputs.summary_comment,
            details_url=f"{inputs.page}/actions/runs/{inputs.run_id}" if inputs.run_id else None,
        )
        if inputs.token is None:
            self._notices = (_UNPOSTED,)
            options = replace(options, check=None, review=False, summary=False)
        key = f"{inputs.run_key}-{assignment.subject.head[:12]}"
        publication = Publication(self._api, identity, assignment.subject, options, key=key)
        await publication.begin()
        return publication

    async def _stream(self, assignment: ReviewScope, publication: Publication) -> None:
        """Run the review, publish its events, and show findings in the log at once."""
        settings = assignment.settings
        prepared = await asyncio.to_thread(
            prepare,
            assignment.diff,
            settings,
            attributes=assignment.attributes,
            notices=(*assignment.notices, *self._notices),
            beside=assignment.beside,
            whole_files=assignment.whole_files,
            is_part=not assignment.subject.full,
            context=assignment.context,
        )
        async with AsyncExitStack() as stack:
            ended, temp = Event(), self._inputs.temp
            folder = TemporaryDirectory(prefix="reviewbot-", dir=temp, ignore_cleanup_errors=True)
            clone = Path(stack.enter_context(folder))
            stack.callback(ended.set)
            run = RunDescription(
                prepared=prepared,
                settings=settings,
                purpose=assignment.purpose,
                code=await self._code(assignment.subject, clone, ended),
            )
            outputs = stack.enter_context(
                Outputs(
                    "terminal",
                    None,
                    prepared.job.files,
                    shows_end=False,
                    whole_files=prepared.whole_files,
                )
            )
            events = await stack.enter_async_context(aclosing(run_review(run, stop=self._stop)))
            async for event in events:
                publication.take(event)
                await outputs.take(event)
        with suppress(OSError):  # the calibration of tokens is optional
            await asyncio.to_thread(prepared.calibration.save)


async def checkout_of(
    inputs: ActionInputs, subject: Subject, folder: Path, ended: Event
) -> CodeAtCommit | None:
    """Return the code at the head: of a checkout, else of a clone; None outside of a runner.

    Args:
        inputs: inputs of the Action.
        subject: the pull request.
        folder: folder for a clone, which is made when the first file is read.
        ended: set at the end of the review; it ends a fetch.
    """
    checkout = await asyncio.to_thread(_objects, inputs, subject)
    if checkout is not None or inputs.workspace is None:  # of a runner; it may be empty
        return checkout
    page = f"{web_address(inputs.api_url)}/{subject.pull.repo}"
    origin = origin_of(subject, page, inputs.token)
    fetch = partial(fetch_commits, folder / "clone", origin, max_bytes=CLONE_BYTES, stop=ended)
    return FetchedFiles(partial(asyncio.to_thread, fetch))


def _objects(inputs: ActionInputs, subject: Subject) -> CodeAtCommit | None:
    """Return the files of head and merge base in the job's checkout; None if it lacks one."""
    folder, base = inputs.workspace, subject.merge_base
    repository = open_commit(folder, subject.head) if folder and folder.is_dir() else None
    if repository is None or folder is None or base is None:
        return GitFiles(repository) if repository else None
    return GitFiles(replace(repository, start=base)) if open_commit(folder, base) else None
