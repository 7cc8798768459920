"""The fake GitHub: GraphQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from github import GithubException

from tests.support.github_clients import comment, http, pygithub

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest

THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 2, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id isResolved isOutdated path line
          comments(first: 1) { nodes { databaseId fullDatabaseId author { __typename login } } } }
      }
    }
  }
}
"""
RESOLVE = """
mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }
"""


async def test_threads_are_listed_in_pages_and_resolved_with_contents_write_alone(
    github: FakeGitHub, pull: PullRequest
) -> None:
    pull.review(comments=[comment("app.py", line) for line in (5, 6, 7)], by="reviewbot[bot]")
    where = {"owner": "octo", "name": "hello", "number": 1}
    async with http(github, github.token(pull.repo)) as client:
        answer = await client.post("/graphql", json={"query": THREADS, "variables": where})
        page = answer.json()["data"]["repository"]["pullRequest"]["reviewThreads"]
        after = {"after": page["pageInfo"]["endCursor"]}
        rest = await client.post("/graphql", json={"query": THREADS, "variables": where | after})
        last = rest.json()["data"]["repository"]["pullRequest"]["reviewThreads"]
        resolve = {"query": RESOLVE, "variables": {"id": page["nodes"][0]["id"]}}
        refused = (await client.post("/graphql", json=resolve)).json()
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (2, True)
    assert (len(last["nodes"]), last["pageInfo"]["hasNextPage"]) == (1, False)
    first = page["nodes"][0]["comments"]["nodes"][0]
    assert first["author"] == {"__typename": "User", "login": "reviewbot"}
    assert first["databaseId"] is None
    assert int(first["fullDatabaseId"]) == pull.review_comments[0].id
    assert refused["data"] == {"resolveReviewThread": None}
    assert refused["errors"][0]["type"] == "FORBIDDEN"
    assert refused["errors"][0]["message"] == "Resource not accessible by integration"
    assert pull.threads[0].resolved_by is None
    able = github.world.install(github.app, pull.repo, permissions={"contents": "write"})
    token = github.world.installation_token(
        able, {"contents": "write", "pull_requests": "write", "metadata": "read"}
    )
    async with http(github, token) as client:
        done = (await client.post("/graphql", json=resolve)).json()
    assert done["data"]["resolveReviewThread"]["thread"]["isResolved"]
    assert pull.threads[0].resolved_by is github.app.bot


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("{ viewer { colour } }", "Cannot query field 'colour'"),
        ("{ viewer", "Syntax Error"),
        ('{ node(id: "x") { id } }', "Could not resolve to a node"),
        ('{ repository(owner: "no", name: "no") { id } }', "Could not resolve to a Repository"),
        ("{ viewer { id(x: 1) } }", "Unknown argument"),
    ],
)
async def test_graphql_says_what_is_wrong(
    github: FakeGitHub, pull: PullRequest, query: str, sentence: str
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        response = await client.post("/graphql", json={"query": query})
    assert response.status_code == 200
    assert sentence in response.json()["errors"][0]["message"]


async def test_graphql_lists_need_a_size(github: FakeGitHub, pull: PullRequest) -> None:
    for size, kind in (
        ("", "MISSING_PAGINATION_BOUNDARIES"),
        ("(first: 101)", "EXCESSIVE_PAGINATION"),
    ):
        fields = f"pullRequest(number: 1) {{ reviewThreads{size} {{ totalCount }} }}"
        query = f'{{ repository(owner: "octo", name: "hello") {{ {fields} }} }}'
        async with http(github, github.token(pull.repo)) as client:
            answer = (await client.post("/graphql", json={"query": query})).json()
        assert answer["errors"][0]["type"] == kind


async def test_comments_are_minimized_through_pygithub(
    github: FakeGitHub, pull: PullRequest
) -> None:
    theirs = pull.comment("Mine", by="mona")
    with pygithub(github, github.token(pull.repo)) as client:

        def minimize() -> None:
            lazy = client.get_repo(pull.repo.full_name).get_pull(1)
            lazy.create_issue_comment("Ours").minimize()

        await asyncio.to_thread(minimize)

        def minimize_theirs() -> None:
            lazy = client.get_repo(pull.repo.full_name).get_pull(1)
            lazy.get_issue_comment(theirs.id).minimize()

        with pytest.raises(GithubException):
            await asyncio.to_thread(minimize_theirs)
    assert [one.minimized for one in pull.comments] == [None, "outdated"]


CLOSING = """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      title
      closingIssuesReferences(first: 2) { nodes { number title body repository { id } } }
    }
  }
}
"""


async def test_issues_to_close_are_null_without_the_permission_and_the_rest_is_there(
    github: FakeGitHub, pull: PullRequest
) -> None:
    issue = pull.repo.open_issue("A problem", "Fix it.")
    pull.closes.append(issue)
    body = {
        "query": CLOSING,
        "variables": {"owner": "octo", "name": "hello", "number": pull.number},
    }
    answers = []
    for permissions in ({"pull_requests": "read", "issues": "read"}, {"pull_requests": "read"}):
        async with http(github, github.token(pull.repo, permissions)) as client:
            answers.append((await client.post("/graphql", json=body)).json())
    shown, refused = answers
    found = shown["data"]["repository"]["pullRequest"]
    assert found["closingIssuesReferences"]["nodes"] == [
        {
            "number": issue.number,
            "title": "A problem",
            "body": "Fix it.",
            "repository": {"id": pull.repo.node_id},
        }
    ]
    assert "errors" not in shown
    assert refused["data"]["repository"]["pullRequest"] == {
        "title": found["title"],
        "closingIssuesReferences": {"nodes": [None]},
    }
    [error] = refused["errors"]
    assert error["type"] == "FORBIDDEN"
    path = ["repository", "pullRequest", "closingIssuesReferences", "nodes", 0]
    assert error["path"] == path
