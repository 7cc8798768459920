"""What the event of a workflow asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.errors import ConfigError
from reviewbot.github import commands, webhook
from reviewbot.github.commands import Command
from reviewbot.github.tasks import Commented, Ignored, ReviewWanted

if TYPE_CHECKING:
    from reviewbot.action.inputs import ActionInputs

MOST_BYTES: Final = 32_000_000
"""Of an event; GitHub's are up to 25 MB."""
_EVENTS: Final = {"pull_request_target": "pull_request"}
"""Events that have the payload of another."""
_NAMES: Final = "pull_request, pull_request_target, issue_comment or pull_request_review_comment"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A review of a pull request; ``by`` is the login of who asked for it in a comment."""

    number: int
    full: bool = False
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing is to be reviewed; ``reason`` ends a sentence."""

    reason: str


def read_event(inputs: ActionInputs) -> Wanted | Skipped:
    """What is to be done.

    Raises:
        ConfigError: the event is none for a review, and the inputs name no pull request.
    """
    if inputs.pull_request is not None:
        return Wanted(inputs.pull_request, inputs.full)
    name = _EVENTS.get(inputs.event_name, inputs.event_name)
    if name not in ("pull_request", "issue_comment", "pull_request_review_comment"):
        raise ConfigError(
            f"{inputs.event_name or 'an event without a name'} is about no pull request:"
            f" run on {_NAMES}, or name one by the input pull-request",
            source="GITHUB_EVENT_NAME",
        )
    task = webhook.read(name, "event", _payload(inputs), None)
    match task:
        case ReviewWanted(number=number):
            return Wanted(number, inputs.full)
        case Commented(number=number, body=body, sender=sender):
            command = commands.find(body)
            if isinstance(command, Command) and command.name in ("review", "review full"):
                return Wanted(number, inputs.full or command.name == "review full", by=sender)
            return Skipped("the comment asks for no review")
        case Ignored(reason=reason):
            return Skipped(f"the event is {reason}")
        case _:
            return Skipped("the pull request was closed, or became a draft")


def _payload(inputs: ActionInputs) -> bytes:
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
