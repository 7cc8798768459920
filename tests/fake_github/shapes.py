"""Users and repositories as JSON, and the addresses of things."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fake_github.people import User
    from tests.fake_github.pulls import Issue, PullRequest
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON
    from tests.fake_github.world import World

_USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_URLS = {
    f"{name}_url": f"/{path}"
    for name, path in {
        "archive": "{archive_format}{/ref}",
        "assignees": "assignees{/user}",
        "blobs": "git/blobs{/sha}",
        "branches": "branches{/branch}",
        "collaborators": "collaborators{/collaborator}",
        "comments": "comments{/number}",
        "commits": "commits{/sha}",
        "compare": "compare/{base}...{head}",
        "contents": "contents/{+path}",
        "contributors": "contributors",
        "deployments": "deployments",
        "downloads": "downloads",
        "events": "events",
        "forks": "forks",
        "git_commits": "git/commits{/sha}",
        "git_refs": "git/refs{/sha}",
        "git_tags": "git/tags{/sha}",
        "hooks": "hooks",
        "issue_comment": "issues/comments{/number}",
        "issue_events": "issues/events{/number}",
        "issues": "issues{/number}",
        "keys": "keys{/key_id}",
        "labels": "labels{/name}",
        "languages": "languages",
        "merges": "merges",
        "milestones": "milestones{/number}",
        "notifications": "notifications{?since,all,participating}",
        "pulls": "pulls{/number}",
        "releases": "releases{/id}",
        "stargazers": "stargazers",
        "statuses": "statuses/{sha}",
        "subscribers": "subscribers",
        "subscription": "subscription",
        "tags": "tags",
        "teams": "teams",
        "trees": "git/trees{/sha}",
    }.items()
}
_COUNTS = ("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size")
_FEATURES = ("has_issues", "has_projects", "has_wiki", "has_pages", "has_downloads")


def user(world: World, who: User) -> JSON:
    name = who.login.replace("[", "%5B").replace("]", "%5D")
    url = f"{world.api_url}/users/{name}"
    web = f"apps/{who.login.removesuffix('[bot]')}" if who.kind == "Bot" else who.login
    return {
        "login": who.login,
        "id": who.id,
        "node_id": who.node_id,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{who.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{world.web_url}/{web}",
        **{key: url + path for key, path in _USER_URLS.items()},
        "type": who.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization(world: World, who: User) -> JSON:
    """The short form that deliveries have."""
    url = f"{world.api_url}/orgs/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": who.node_id,
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{who.id}?v=4",
        "description": None,
    }


def repository_url(repo: Repository) -> str:
    return f"{repo.world.api_url}/repos/{repo.full_name}"


def repository(repo: Repository) -> JSON:
    world, url = repo.world, repository_url(repo)
    web = f"{world.web_url}/{repo.full_name}"
    host = world.web_url.partition("://")[2]
    stamp = world.clock.stamp()
    issues = sum(issue.state == "open" for issue in repo.issues.values())
    return {
        "id": repo.id,
        "node_id": repo.node_id,
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user(world, repo.owner),
        "html_url": web,
        "description": None,
        "fork": repo.parent is not None,
        "url": url,
        **{key: url + path for key, path in _REPOSITORY_URLS.items()},
        "created_at": stamp,
        "updated_at": stamp,
        "pushed_at": stamp,
        "git_url": f"git://{host}/{repo.full_name}.git",
        "ssh_url": f"git@{host}:{repo.full_name}.git",
        "clone_url": f"{web}.git",
        "svn_url": web,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        **dict.fromkeys(_COUNTS, 0),
        **dict.fromkeys(_FEATURES, True),
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "open_issues": issues,
        "open_issues_count": issues,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
    }


def full_repository(repo: Repository) -> JSON:
    """What a GET of one repository has more than the others."""
    more: JSON = {"network_count": 0, "subscribers_count": 0, "temp_clone_token": None}
    if repo.parent is not None:
        more |= {"parent": repository(repo.parent), "source": repository(repo.parent)}
    return repository(repo) | more


def association(repo: Repository, who: User) -> str:
    if who is repo.owner:
        return "OWNER"
    if repo.roles.get(who.login):
        return "MEMBER" if repo.owner.kind == "Organization" else "COLLABORATOR"
    merged = any(pull.merged and pull.user is who for pull in repo.pulls)
    return "CONTRIBUTOR" if merged else "NONE"


def issue_url(issue: Issue) -> str:
    return f"{repository_url(issue.repo)}/issues/{issue.number}"


def pull_url(pull: PullRequest) -> str:
    return f"{repository_url(pull.repo)}/pulls/{pull.number}"


def web_url(issue: Issue) -> str:
    kind = "pull" if hasattr(issue, "head_sha") else "issues"
    return f"{issue.repo.world.web_url}/{issue.repo.full_name}/{kind}/{issue.number}"
