"""Calls on pull requests: the change, as JSON, as a diff, file by file."""

from __future__ import annotations

from tests.fake_github import shapes_pulls
from tests.fake_github.api_repos import listed, refuse_large
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import Answer

READ = "pull_requests=read"
EITHER = "pull_requests=read; contents=read"


@route("GET /repos/{owner}/{repo}/pulls", needs=READ)
def list_pulls(call: Call) -> Answer:
    query = call.request.query
    state, base, head = query.get("state", "open"), query.get("base"), query.get("head")
    found = [
        pull
        for pull in reversed(call.repo.pulls)
        if state in ("all", pull.state)
        and base in (None, pull.base_ref)
        and head in (None, shapes_pulls.pull_request(pull)["head"]["label"])
    ]
    return call.page(found, shapes_pulls.pull_request)


@route("GET /repos/{owner}/{repo}/pulls/{pull_number}", needs=EITHER)
def get_pull(call: Call) -> Answer:
    pull = call.repo.pull(call.number("pull_number"))
    if call.accepts("diff"):
        refuse_large(call, pull.diff(), pull.diff_text)
        return Answer(pull.diff_text, headers={"content-type": "application/vnd.github.diff"})
    return Answer(shapes_pulls.full_pull_request(pull))


@route("GET /repos/{owner}/{repo}/pulls/{pull_number}/files", needs=READ)
def list_files(call: Call) -> Answer:
    pull = call.repo.pull(call.number("pull_number"))
    shown = listed(call, pull.diff()[: call.world.rules.listed_files], pull.head_sha)
    return call.page(shown, lambda one: one)


@route("GET /repos/{owner}/{repo}/pulls/{pull_number}/commits", needs=READ)
def list_commits(call: Call) -> Answer:
    pull = call.repo.pull(call.number("pull_number"))
    commits = call.repo.store.commits
    return call.page(pull.commits[:250], lambda sha: shapes_pulls.commit(call.repo, commits[sha]))


@route("GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls", needs=READ)
def pulls_of_commit(call: Call) -> Answer:
    sha = call.commit("commit_sha")
    found = [pull for pull in call.repo.pulls if sha in pull.commits]
    return call.page(found, shapes_pulls.pull_request)
