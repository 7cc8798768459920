"""What a delivery is about, and whose it is: what its place among the others depends on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.github.webhook.tasks import IgnoredDelivery, InstallationChanged, Ping, RerunWanted

if TYPE_CHECKING:
    from reviewbot.github.webhook.tasks import RepositoryRef, Task


def installation_of(task: Task) -> int | None:
    """Return the installation that has to do with it."""
    match task:
        case Ping() | IgnoredDelivery():
            return None
        case InstallationChanged():
            return task.installation
        case _:
            return task.repository.installation


def installation_at(repository: RepositoryRef) -> int:
    """Return the installation that a task of an App is to be done for.

    Raises:
        ValueError: there is none; no webhook of an App is without.
    """
    if repository.installation is None:
        raise ValueError("a task of an App names its installation")
    return repository.installation


def subject_of(task: Task) -> str | None:
    """What it is about, such as ``octo/repo#7``; None if it is about nothing."""
    match task:
        case Ping() | IgnoredDelivery():
            return None
        case InstallationChanged():
            return f"installation {task.installation}"
        case RerunWanted() if len(task.numbers) != 1:
            about = f"@{task.head_sha}"
        case RerunWanted():
            about = f"#{task.numbers[0]}"
        case _:
            about = f"#{task.number}"
    return f"{task.repository.full_name}{about}"
