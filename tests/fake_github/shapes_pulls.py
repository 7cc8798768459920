"""Pull requests, their files and their commits as JSON."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.fake_github import shapes

if TYPE_CHECKING:
    from tests.fake_github.diffs import FileDiff
    from tests.fake_github.git import Commit
    from tests.fake_github.pulls import PullRequest
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON


def _end(pull: PullRequest, repo: Repository | None, ref: str, sha: str) -> JSON:
    owner = None if repo is None else repo.owner
    return {
        "label": ref if owner is None else f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": None if owner is None else shapes.user(pull.repo.world, owner),
        "repo": None if repo is None else shapes.repository(repo),
    }


def pull_request(pull: PullRequest) -> JSON:
    """The form of lists and deliveries."""
    world, url, issue = pull.repo.world, shapes.pull_url(pull), shapes.issue_url(pull)
    comments = f"{shapes.repository_url(pull.repo)}/pulls/comments{{/number}}"
    statuses = f"{shapes.repository_url(pull.repo)}/statuses/{pull.head_sha}"
    web = shapes.web_url(pull)
    links = {
        "self": url,
        "html": web,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": comments,
        "commits": f"{url}/commits",
        "statuses": statuses,
    }
    return {
        "url": url,
        "id": pull.id,
        "node_id": pull.node_id,
        "html_url": web,
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "issue_url": issue,
        "number": pull.number,
        "state": pull.state,
        "locked": pull.locked,
        "title": pull.title,
        "user": shapes.user(world, pull.user),
        "body": pull.body,
        "created_at": world.clock.stamp(pull.created),
        "updated_at": world.clock.stamp(pull.updated),
        "closed_at": None if pull.closed is None else world.clock.stamp(pull.closed),
        "merged_at": None if pull.merged is None else world.clock.stamp(pull.merged),
        "merge_commit_sha": None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [],
        "milestone": None,
        "draft": pull.draft,
        "commits_url": f"{url}/commits",
        "review_comments_url": f"{url}/comments",
        "review_comment_url": comments,
        "comments_url": f"{issue}/comments",
        "statuses_url": statuses,
        "head": _end(pull, pull.head_repo, pull.head_ref, pull.head_sha),
        "base": _end(pull, pull.repo, pull.base_ref, pull.base_sha),
        "_links": {key: {"href": link} for key, link in links.items()},
        "author_association": shapes.association(pull.repo, pull.user),
        "auto_merge": None,
        "active_lock_reason": None,
    }


def full_pull_request(pull: PullRequest) -> JSON:
    """What a GET of one has more, and deliveries of ``pull_request``, too."""
    files, by = pull.diff(), pull.merged_by
    return pull_request(pull) | {
        "merged": pull.merged is not None,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None if by is None else shapes.user(pull.repo.world, by),
        "comments": len(pull.comments),
        "review_comments": len(pull.review_comments),
        "maintainer_can_modify": False,
        "commits": len(pull.commits),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


def file(repo: Repository, change: FileDiff, head: str, *, patch: bool) -> JSON:
    """A file of a pull request or of a comparison."""
    url = shapes.repository_url(repo)
    sha = change.new_sha if change.status != "removed" else change.old_sha
    shown: JSON = {
        "sha": sha,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{repo.world.web_url}/{repo.full_name}/blob/{head}/{change.path}",
        "raw_url": f"{repo.world.web_url}/{repo.full_name}/raw/{head}/{change.path}",
        "contents_url": f"{url}/contents/{change.path}?ref={head}",
    }
    if change.previous is not None:
        shown["previous_filename"] = change.previous
    if patch and change.patch:
        shown["patch"] = change.patch.decode("utf-8", "replace")
    return shown


def commit(repo: Repository, made: Commit) -> JSON:
    url = shapes.repository_url(repo)
    web = f"{repo.world.web_url}/{repo.full_name}/commit/{made.sha}"
    mail = f"{made.author}@users.noreply.github.com"
    who = {"name": made.author, "email": mail, "date": repo.world.clock.stamp(made.at)}
    person = shapes.user(repo.world, repo.world.user(made.author))
    verification = {
        "verified": False,
        "reason": "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": None,
    }
    return {
        "sha": made.sha,
        "node_id": "C_" + hashlib.sha256(made.sha.encode()).hexdigest()[:20],
        "commit": {
            "author": who,
            "committer": who,
            "message": made.message,
            "tree": {"sha": made.tree, "url": f"{url}/git/trees/{made.tree}"},
            "url": f"{url}/git/commits/{made.sha}",
            "comment_count": 0,
            "verification": verification,
        },
        "url": f"{url}/commits/{made.sha}",
        "html_url": web,
        "comments_url": f"{url}/commits/{made.sha}/comments",
        "author": person,
        "committer": person,
        "parents": [
            {"sha": sha, "url": f"{url}/commits/{sha}", "html_url": web.replace(made.sha, sha)}
            for sha in made.parents
        ],
    }
