"""Where the App's reviews and answers are posted, stored with them. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from reviewbot.core.decode import decoder
from reviewbot.github.change.subject import PublishOptions, Subject  # noqa: TC001 - decoded
from reviewbot.github.commands.answers import CommandComment  # noqa: TC001 - decoded
from reviewbot.github.dialogue.look import AnswerPlace  # noqa: TC001 - decoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.github.identity import PullName


@dataclass(frozen=True, slots=True)
class ReviewTarget:
    """The pull request that a review is posted on, and the options of its publication."""

    subject: Subject
    options: PublishOptions

    @property
    def pull(self) -> PullName:
        """The pull request."""
        return self.subject.pull


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """The comment that is answered, and the hosts that links of the answer may point to."""

    question: CommandComment
    link_hosts: tuple[str, ...]

    @property
    def pull(self) -> PullName:
        """The pull request."""
        return self.question.pull


@dataclass(frozen=True, slots=True)
class AnswerTarget:
    """The thread of a reply that is answered, and the hosts that links may point to."""

    place: AnswerPlace
    link_hosts: tuple[str, ...]

    @property
    def pull(self) -> PullName:
        """The pull request."""
        return self.place.pull


Target: TypeAlias = ReviewTarget | ReplyTarget | AnswerTarget


def to_json(target: Target) -> dict[str, Any]:
    """Return ``target`` as an object for JSON."""
    return asdict(target)


def from_json(data: Mapping[str, Any]) -> Target:
    """Return the target that :func:`to_json`, or a version with flat targets, wrote.

    Raises:
        ValueError: the data is not a target.
    """
    if "place" in data:
        return cast("Target", decoder(AnswerTarget)(data, "target"))
    nested = data if data.keys() & {"subject", "question"} else _from_flat(data)
    kind = ReplyTarget if "question" in nested else ReviewTarget
    return cast("Target", decoder(kind)(nested, "target"))


def _from_flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target of the versions that stored the fields of all its parts in one object."""
    pull = {name: data[name] for name in ("repo", "number", "repository_id") if name in data}
    if data.get("kind") == "reply":
        return {**data, "question": {**data, "pull": pull}}
    levels = {"rules": data.get("rules", {}), "by_path": data.get("path_rules", ())}
    return {
        "subject": {**data, "pull": pull, "levels": levels},
        "options": {**data, "by_app": True},
    }
