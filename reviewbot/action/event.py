"""Read the requested review or command from the event of a workflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from reviewbot.errors import EXIT_OK, ConfigError
from reviewbot.github.webhook import commands
from reviewbot.github.webhook import parse as webhook
from reviewbot.github.webhook.payload import at, positive
from reviewbot.github.webhook.tasks import (
    CancelAction,
    Commented,
    IgnoredDelivery,
    MergeGroupDestroyed,
    MergeGroupRequested,
)

if TYPE_CHECKING:
    from reviewbot.action.inputs import ActionInputs
    from reviewbot.github.webhook.commands import BotCommand, Unknown
    from reviewbot.github.webhook.tasks import Task

MOST_BYTES: Final = 32_000_000
"""Maximum bytes of an event; events of GitHub have up to 25 MB."""
DEPENDABOT: Final = "dependabot[bot]"
_EVENTS: Final = {"pull_request_target": "pull_request"}
"""Events that have the payload of another event."""
_COMMENTS: Final = ("issue_comment", "pull_request_review_comment")
_NAMES: Final = (
    "pull_request, pull_request_target, merge_group, issue_comment or pull_request_review_comment"
)


@dataclass(frozen=True, slots=True)
class RequestedReview:
    """A requested review of a pull request.

    ``explicit`` is True if a person requested it, so that it is made while the reviews are paused.
    ``only`` is a gitignore pattern of the files to review. ``has_secrets`` is False if GitHub gives
    the job no secrets of Actions, as for a fork. ``head`` is the only commit that may be reviewed,
    if any.
    """

    number: int
    full: bool = False
    explicit: bool = False
    only: str = ""
    has_secrets: bool = True
    head: str | None = None


@dataclass(frozen=True, slots=True)
class RequestedCommand:
    """A comment with a command, whose author's permission is not checked yet."""

    task: Commented
    command: BotCommand | Unknown


@dataclass(frozen=True, slots=True)
class RequestedReply:
    """A reply in a thread without a command, whose author's permission is not checked yet."""

    task: Commented


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge of a pull request, whose findings get their fates."""

    number: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event without a review to run; ``reason`` ends a sentence. ``code`` is the exit code."""

    reason: str
    code: int = EXIT_OK


def read_event(
    inputs: ActionInputs,
) -> RequestedReview | RequestedCommand | RequestedReply | MergeGroupRequested | Merged | Skipped:
    """Return the request of the event; the input pull-request is for other kinds of events.

    Raises:
        ConfigError: the event is not supported and the inputs name no pull request. Or the event
            cannot be read, or belongs to another repository.
    """
    name = _EVENTS.get(inputs.event_name, inputs.event_name)
    if name in _COMMENTS:
        body = _body(inputs)
        _checked(inputs, body)
        return _of_comment(webhook.read(name, "event", body, None))
    if name == "pull_request":
        return _of_pull_request(inputs, _checked(inputs, _body(inputs)))
    if name == "merge_group":
        body = _body(inputs)
        _checked(inputs, body)
        return _of_merge_group(webhook.read(name, "event", body, None), inputs)
    if inputs.pull_request is not None:
        return RequestedReview(inputs.pull_request, inputs.full, explicit=True)
    raise ConfigError(
        f"{inputs.event_name or 'an event without a name'} is not supported:"
        f" run on {_NAMES}, or set the input pull-request",
        source="GITHUB_EVENT_NAME",
    )


def _of_pull_request(inputs: ActionInputs, payload: object) -> RequestedReview | Merged | Skipped:
    """Return a review for each action of a pull request, except actions that end a review.

    A run that reviews nothing would pass, and become the newest check of the commit.
    """
    number = positive(at(payload, "pull_request.number"))
    if number is None:
        raise ConfigError("the event names no pull request", source=str(inputs.event_path))
    if at(payload, "action") in get_args(CancelAction):
        if at(payload, "action") == "closed" and at(payload, "pull_request.merged") is True:
            return Merged(number)
        return Skipped("the pull request was closed, or became a draft")
    if at(payload, "pull_request.draft") is True:
        return Skipped("the pull request is a draft")
    on_label = inputs.event_name == "pull_request_target" and at(payload, "action") == "labeled"
    head = at(payload, "pull_request.head.sha") if on_label else None
    if on_label and not isinstance(head, str):
        raise ConfigError("the event names no head", source=str(inputs.event_path))
    return RequestedReview(
        number,
        inputs.full,
        has_secrets=inputs.event_name != "pull_request" or not _lacks_secrets(payload),
        head=head if isinstance(head, str) else None,
    )


def _lacks_secrets(payload: object) -> bool:
    """Return whether GitHub gives no secrets to the job of an event ``pull_request``.

    So it is for a pull request from a fork, which may be deleted, and for an event that Dependabot
    caused (docs.github.com, "Events that trigger workflows" and "Dependabot on GitHub Actions").
    """
    if at(payload, "sender.login") == DEPENDABOT:
        return True
    if not isinstance(at(payload, "pull_request.head"), dict):
        return False  # an event by hand, with no more than a number
    ours, theirs = at(payload, "repository.full_name"), at(payload, "pull_request.head.repo")
    return at(theirs, "full_name") != ours


def _of_comment(task: Task) -> RequestedCommand | RequestedReply | Skipped:
    if not isinstance(task, Commented):
        reason = task.reason if isinstance(task, IgnoredDelivery) else "no comment"
        return Skipped(f"the event is {reason}")
    command = commands.find(task.body)
    if command is None and task.reply is not None:
        return RequestedReply(task)
    return RequestedCommand(task, command) if command else Skipped("the comment has no command")


def _of_merge_group(task: Task, inputs: ActionInputs) -> MergeGroupRequested | Skipped:
    """Return the merge group whose checks are requested.

    Raises:
        ConfigError: the event is not usable. To skip it would let the group pass.
    """
    if isinstance(task, MergeGroupRequested):
        return task
    if isinstance(task, MergeGroupDestroyed):
        return Skipped("the merge group was merged or taken out of the queue")
    reason = task.reason if isinstance(task, IgnoredDelivery) else "unknown"
    raise ConfigError(
        f"the merge_group event cannot be used: {reason}", source=str(inputs.event_path)
    )


def _checked(inputs: ActionInputs, body: bytes) -> object:
    """Return the payload of the event.

    Raises:
        ConfigError: the payload is not JSON, or belongs to another repository.
    """
    source = str(inputs.event_path)
    try:
        payload = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise ConfigError("is not valid JSON", source=source) from None
    repository = at(payload, "repository.full_name")
    if not isinstance(repository, str) or repository.lower() != inputs.repository.lower():
        raise ConfigError(
            f"the event does not belong to {inputs.repository}, which GITHUB_REPOSITORY names",
            source=source,
        )
    return payload


def _body(inputs: ActionInputs) -> bytes:
    path = inputs.event_path
    if path is None:
        raise ConfigError("is not set: there is no event", source="GITHUB_EVENT_PATH")
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=str(path)) from error
    if len(data) > MOST_BYTES:
        raise ConfigError(f"is larger than {MOST_BYTES:,} bytes", source=str(path))
    return data
