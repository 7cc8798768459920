"""Ordering key and installation of a delivery, which decide when it is processed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.github.webhook.tasks import (
    IgnoredDelivery,
    InstallationChanged,
    MergeGroupDestroyed,
    MergeGroupRequested,
    Ping,
    RepositoriesChanged,
    RerunWanted,
)

if TYPE_CHECKING:
    from reviewbot.github.webhook.tasks import RepositoryRef, Task


def installation_of(task: Task) -> int | None:
    """Return the installation of a task; None if it has none."""
    match task:
        case Ping() | IgnoredDelivery():
            return None
        case InstallationChanged() | RepositoriesChanged():
            return task.installation
        case _:
            return task.repository.installation


def installation_at(repository: RepositoryRef) -> int:
    """Return the installation of an App's task.

    Raises:
        ValueError: the installation is missing. Every webhook of an App names one.
    """
    if repository.installation is None:
        raise ValueError("a task of an App names its installation")
    return repository.installation


def subject_of(task: Task) -> str | None:
    """Return the ordering key of a task, such as ``octo/repo#7``; None if it needs no order."""
    match task:
        case Ping() | IgnoredDelivery() | MergeGroupDestroyed():
            return None  # the check of a merge group must not delay the end of the group
        case InstallationChanged() | RepositoriesChanged():
            return f"installation {task.installation}"
        case MergeGroupRequested():
            about = f"@{task.head_sha}"
        case RerunWanted() if len(task.numbers) != 1:
            about = f"@{task.head_sha}"
        case RerunWanted():
            about = f"#{task.numbers[0]}"
        case _:
            about = f"#{task.number}"
    return f"{task.repository.full_name}{about}"
