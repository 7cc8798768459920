"""Apps, installations, check suites and check runs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_github import shapes

if TYPE_CHECKING:
    from tests.fake_github.checks import CheckRun, CheckSuite
    from tests.fake_github.people import App, Installation
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON
    from tests.fake_github.world import World


def app(world: World, one: App) -> JSON:
    stamp = world.clock.stamp(one.created)
    return {
        "id": one.id,
        "slug": one.slug,
        "node_id": one.node_id,
        "client_id": one.client_id,
        "owner": shapes.user(world, one.owner),
        "name": one.name,
        "description": "",
        "external_url": one.external_url,
        "html_url": f"{world.web_url}/apps/{one.slug}",
        "created_at": stamp,
        "updated_at": stamp,
        "permissions": one.permissions,
        "events": one.events,
    }


def app_or_none(world: World, one: App | None) -> JSON | None:
    return None if one is None else app(world, one)


def installation(world: World, one: Installation) -> JSON:
    api, account = world.api_url, one.account
    kind = "Organization" if account.kind == "Organization" else "User"
    stamp = world.clock.stamp
    return {
        "id": one.id,
        "account": shapes.user(world, account),
        "repository_selection": "all" if one.repositories is None else "selected",
        "access_tokens_url": f"{api}/app/installations/{one.id}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{world.web_url}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "client_id": one.app.client_id,
        "app_slug": one.app.slug,
        "target_id": account.id,
        "target_type": kind,
        "permissions": one.permissions,
        "events": one.app.events,
        "created_at": stamp(one.created),
        "updated_at": stamp(one.created),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": None if one.suspended is None else stamp(one.suspended),
    }


def pull_requests(repo: Repository, sha: str) -> list[JSON]:
    """The open pull requests from branches of this repository; forks are left out."""

    def end(source: Repository, ref: str, at: str) -> JSON:
        return {
            "ref": ref,
            "sha": at,
            "repo": {
                "id": source.id,
                "url": shapes.repository_url(source),
                "name": source.name,
            },
        }

    return [
        {
            "url": shapes.pull_url(pull),
            "id": pull.id,
            "number": pull.number,
            "head": end(repo, pull.head_ref, pull.head_sha),
            "base": end(repo, pull.base_ref, pull.base_sha),
        }
        for pull in repo.pulls
        if pull.state == "open" and pull.head_sha == sha and not pull.from_fork
    ]


def check_run(run: CheckRun) -> JSON:
    repo, world = run.repo, run.repo.world
    url = f"{shapes.repository_url(repo)}/check-runs/{run.id}"
    web = f"{world.web_url}/{repo.full_name}/runs/{run.id}"
    return {
        "id": run.id,
        "name": run.name,
        "node_id": run.node_id,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": web,
        "details_url": run.details_url or (web if run.app.is_actions else run.app.external_url),
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started,
        "completed_at": run.completed,
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": run.suite.id},
        "app": app(world, run.app),
        "pull_requests": pull_requests(repo, run.head_sha),
    }


def annotation(run: CheckRun, one: JSON) -> JSON:
    blob = f"{run.repo.world.web_url}/{run.repo.full_name}/blob/{run.head_sha}/{one['path']}"
    columns = {"start_column": None, "end_column": None, "title": None, "raw_details": None}
    return columns | one | {"blob_href": blob}


def check_suite(suite: CheckSuite) -> JSON:
    repo, world = suite.repo, suite.repo.world
    url = f"{shapes.repository_url(repo)}/check-suites/{suite.id}"
    commit = repo.store.commits[suite.head_sha]
    mail = f"{commit.author}@users.noreply.github.com"
    who = {"name": commit.author, "email": mail}
    return {
        "id": suite.id,
        "node_id": suite.node_id,
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": suite.status,
        "conclusion": suite.conclusion,
        "url": url,
        "before": commit.parents[0] if commit.parents else "0" * 40,
        "after": suite.head_sha,
        "pull_requests": pull_requests(repo, suite.head_sha),
        "app": app(world, suite.app),
        "repository": shapes.repository(repo),
        "created_at": world.clock.stamp(suite.created),
        "updated_at": world.clock.stamp(suite.updated),
        "head_commit": {
            "id": commit.sha,
            "tree_id": commit.tree,
            "message": commit.message,
            "timestamp": world.clock.stamp(commit.at),
            "author": who,
            "committer": who,
        },
        "latest_check_runs_count": len(suite.runs),
        "check_runs_url": f"{url}/check-runs",
    }
