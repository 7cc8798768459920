"""What happens in the world, as payloads for the Apps that are to hear of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fake_github import checks, shapes, shapes_checks, shapes_pulls, shapes_talk
from tests.fake_github.deliveries import Delivery
from tests.fake_github.pulls import PullRequest

if TYPE_CHECKING:
    from tests.fake_github.people import App
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON
    from tests.fake_github.world import World

OWNERS_ONLY = ("rerequested", "requested_action")
CHECKS = ("check_run", "check_suite")


def payload(world: World, app: App, event: str, action: str, about: dict[str, Any]) -> JSON:
    """The payload of an event. ``about`` names what it is about: repo, pull, comment, run ..."""
    if event == "ping":
        return _ping(world, app)
    shown: JSON = {"action": action}
    shown |= _SUBJECTS[event](world, about)
    for key in ("before", "after", "changes"):
        if key in about:
            shown[key] = about[key]
    repo: Repository | None = about.get("repo")
    if repo is not None:
        shown["repository"] = shapes.repository(repo) | {"custom_properties": {}}
        if repo.owner.kind == "Organization":
            shown["organization"] = shapes.organization(world, repo.owner)
        installation = world.installation_of(repo, app)
        if installation is not None:
            shown["installation"] = {"id": installation.id, "node_id": installation.node_id}
    shown["sender"] = shapes.user(world, about["sender"])
    return shown


def _pull_request(_: World, about: dict[str, Any]) -> JSON:
    pull = about["pull"]
    return {"number": pull.number, "pull_request": shapes_pulls.full_pull_request(pull)}


def _review(_: World, about: dict[str, Any]) -> JSON:
    shown = shapes_talk.review(about["review"])
    shown["state"] = shown["state"].lower()  # upper case by API, lower in deliveries
    return {"review": shown, "pull_request": shapes_pulls.pull_request(about["pull"])}


def _review_comment(_: World, about: dict[str, Any]) -> JSON:
    comment = about["comment"]
    return {
        "comment": shapes_talk.review_comment(comment),
        "pull_request": shapes_pulls.pull_request(comment.thread.pull),
    }


def _issue_comment(_: World, about: dict[str, Any]) -> JSON:
    comment = about["comment"]
    return {
        "issue": shapes_talk.issue(comment.issue),
        "comment": shapes_talk.issue_comment(comment),
    }


def _check_run(_: World, about: dict[str, Any]) -> JSON:
    run = about["run"]
    suite = shapes_checks.check_suite(run.suite)
    for key in ("repository", "head_commit", "latest_check_runs_count", "check_runs_url"):
        del suite[key]
    shown: JSON = {"check_run": shapes_checks.check_run(run) | {"check_suite": suite}}
    if "requested_action" in about:
        shown["requested_action"] = {"identifier": about["requested_action"]}
    return shown


def _check_suite(_: World, about: dict[str, Any]) -> JSON:
    suite = shapes_checks.check_suite(about["suite"])
    del suite["repository"]
    return {"check_suite": suite}


def _repositories(repositories: list[Repository]) -> list[JSON]:
    keys = ("id", "node_id", "name", "full_name", "private")
    return [{key: shapes.repository(one)[key] for key in keys} for one in repositories]


def _installation(world: World, about: dict[str, Any]) -> JSON:
    installation = about["installation"]
    covered = [one for one in world.repositories.values() if installation.covers(one)]
    return {
        "installation": shapes_checks.installation(world, installation),
        "repositories": _repositories(covered),
        "requester": None,
    }


def _installation_repositories(world: World, about: dict[str, Any]) -> JSON:
    installation = shapes_checks.installation(world, about["installation"])
    return {
        "installation": installation,
        "repository_selection": installation["repository_selection"],
        "repositories_added": _repositories(about.get("added", [])),
        "repositories_removed": _repositories(about.get("removed", [])),
        "requester": None,
    }


def _merge_group(world: World, about: dict[str, Any]) -> JSON:
    entry = about["entry"]
    commit = entry.repo.store.commits[entry.head]
    who = {"name": commit.author, "email": f"{commit.author}@users.noreply.github.com"}
    shown: JSON = {
        "merge_group": {
            "head_sha": entry.head,
            "head_ref": f"refs/heads/{entry.branch}",
            "base_sha": entry.base,
            "base_ref": f"refs/heads/{entry.pull.base_ref}",
            "head_commit": {
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": world.clock.stamp(commit.at),
                "author": who,
                "committer": who,
            },
        }
    }
    return shown | ({"reason": about["reason"]} if "reason" in about else {})


def _repository(_: World, _about: dict[str, Any]) -> JSON:
    return {}


_SUBJECTS = {
    "check_run": _check_run,
    "check_suite": _check_suite,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
    "issue_comment": _issue_comment,
    "merge_group": _merge_group,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "pull_request_review_comment": _review_comment,
    "repository": _repository,
}


def _ping(world: World, app: App) -> JSON:
    hook = app.id + 400_000_000
    return {
        "zen": "Anything added dilutes everything else.",
        "hook_id": hook,
        "hook": {
            "type": "App",
            "id": hook,
            "name": "web",
            "active": True,
            "events": app.events,
            "config": {
                "content_type": "json",
                "insecure_ssl": "0",
                "secret": "********",
                "url": app.webhook_url,
            },
            "updated_at": world.clock.stamp(app.created),
            "created_at": world.clock.stamp(app.created),
            "app_id": app.id,
            "deliveries_url": f"{world.api_url}/app/hook/deliveries",
        },
    }


def deliveries(world: World, event: str, action: str, about: dict[str, Any]) -> list[Delivery]:
    """Who is to hear of it, and what."""
    found = []
    for app in list(world.apps.values()):
        if not app.is_actions and _hears(world, app, event, action, about):
            found.append(Delivery(app, event, payload(world, app, event, action, about)))
        if event == "pull_request" and action in ("opened", "synchronize"):
            found += _suite_requested(world, app, about)
    return found


def _hears(world: World, app: App, event: str, action: str, about: dict[str, Any]) -> bool:
    if event.startswith("installation"):
        return bool(about["installation"].app is app)
    if world.installation_of(about["repo"], app) is None:
        return False
    if event in CHECKS:
        owner = (about.get("run") or about.get("suite")).app  # type: ignore[union-attr]
        writes = app.permissions.get("checks") == "write"
        return owner is app if action in OWNERS_ONLY else writes or event in app.events
    return event in app.events


def _suite_requested(world: World, app: App, about: dict[str, Any]) -> list[Delivery]:
    """A push makes a suite for each App that may write checks, and tells it."""
    repo, pull = about["repo"], about["pull"]
    assert isinstance(pull, PullRequest)
    writes = app.permissions.get("checks") == "write" and not app.is_actions
    if not writes or world.installation_of(repo, app) is None:
        return []
    suite = checks.suite_for(repo, app, pull.head_sha)
    what = about | {"suite": suite}
    what = {key: value for key, value in what.items() if key not in ("before", "after")}
    return [Delivery(app, "check_suite", payload(world, app, "check_suite", "requested", what))]
