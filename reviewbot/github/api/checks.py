"""Check runs. Their bodies are made by :mod:`reviewbot.github.publish.check_run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.github.api.records import commit, repository
from reviewbot.github.client.exchange import Urgency, read, write

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient, Record

MOST: Final = 5_000


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check run.

    Attributes:
        annotations: number of its annotations.
        app_id: id of the App that created it.
        url: its page on GitHub; may be empty.
        started_at: RFC 3339 time of its start; empty if unknown.
    """

    id: int
    name: str
    head_sha: str
    external_id: str
    status: str
    conclusion: str | None
    annotations: int
    app_id: int | None
    url: str = ""
    started_at: str = ""


class Checks:
    """API calls for check runs."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def create(self, repo: str, body: Record) -> CheckRun:
        """Return a new run.

        Raises:
            UncertainWriteError: look for it with :meth:`find` before making another.
        """
        request = write("POST", f"{repository(repo)}/check-runs", body)
        return await self._caller.one(request, _run)

    async def update(self, repo: str, number: int, body: Record) -> CheckRun:
        """Update a run. The final update is sent before waiting progress updates.

        Raises:
            UncertainWriteError: the response to an update with annotations was lost. GitHub appends
                annotations; call :meth:`get` for their number.
        """
        adds = bool((body.get("output") or {}).get("annotations"))
        request = write(
            "PATCH",
            f"{repository(repo)}/check-runs/{number}",
            body,
            repeatable=not adds,
            urgency=Urgency.FINAL if body.get("status") == "completed" else Urgency.PROGRESS,
        )
        return await self._caller.one(request, _run)

    async def get(self, repo: str, number: int) -> CheckRun:
        """Return the run of that id."""
        return await self._caller.one(read(f"{repository(repo)}/check-runs/{number}"), _run)

    async def find(
        self, repo: str, head_sha: str, *, name: str, external_id: str
    ) -> CheckRun | None:
        """Return the newest run at a commit with that name and external id."""
        runs = await self.at(repo, head_sha, name=name)
        ours = (run for run in runs if run.external_id == external_id)
        return max(ours, key=lambda run: run.id, default=None)

    async def at(
        self, repo: str, head_sha: str, *, name: str, app_id: int | None = None
    ) -> tuple[CheckRun, ...]:
        """Return all check runs with a name at a commit.

        Apps may share a name, so ``app_id`` selects the runs of one App; None selects
        those of any App.
        """
        path = f"{repository(repo)}/commits/{commit(head_sha)}/check-runs"
        parameters: dict[str, str | int] = {"check_name": name, "filter": "all"}
        if app_id is not None:
            parameters["app_id"] = app_id
        runs = await self._caller.every(path, _run, parameters, within="check_runs", most=MOST)
        return tuple(run for run in runs if run.name == name)


def _run(found: Record) -> CheckRun:
    return CheckRun(
        id=found["id"],
        name=found["name"],
        head_sha=found["head_sha"],
        external_id=found.get("external_id") or "",
        status=found["status"],
        conclusion=found.get("conclusion"),
        annotations=(found.get("output") or {}).get("annotations_count") or 0,
        app_id=(found.get("app") or {}).get("id"),
        url=found.get("html_url") or "",
        started_at=found.get("started_at") or "",
    )
