"""The fake GitHub: issue comments, reactions, permissions of people."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.github_clients import http, pygithub

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest


async def test_issue_comments_and_reactions(github: FakeGitHub, pull: PullRequest) -> None:
    base = f"/repos/{pull.repo.full_name}/issues"
    from_mona = pull.comment("/review", by="mona")
    token = github.token(pull.repo)
    async with http(github, token) as client:
        made = (await client.post(f"{base}/1/comments", json={"body": "Summary"})).json()
        one = f"{base}/comments/{made['id']}"
        edited = await client.patch(one, json={"body": "Edited"})
        others = await client.patch(f"{base}/comments/{from_mona.id}", json={"body": "Mine"})
        long = await client.post(f"{base}/1/comments", json={"body": "x" * 65_537})
        blank = await client.post(f"{base}/1/comments", json={"body": "  "})
        plain = pull.repo.open_issue()
        on_issue = await client.post(f"{base}/{plain.number}/comments", json={"body": "x"})
        eyes = {"content": "eyes"}
        denied = await client.post(f"{base}/comments/{from_mona.id}/reactions", json=eyes)
        github.rules.documented_reactions = False
        codes = [
            (await client.post(f"{base}/comments/{from_mona.id}/reactions", json=eyes)).status_code
            for _ in range(2)
        ]
        odd = await client.post(f"{base}/comments/{from_mona.id}/reactions", json={"content": "👀"})
        listed = (await client.get(f"{base}/1/comments")).json()
        assert (await client.delete(one)).status_code == 204
        assert (await client.get(one)).status_code == 404
    assert made["user"]["login"] == "reviewbot[bot]"
    assert made["performed_via_github_app"]["slug"] == "reviewbot"
    assert edited.json()["body"] == "Edited"
    assert (others.status_code, on_issue.status_code, denied.status_code) == (403, 403, 403)
    assert long.json()["errors"][0]["message"].startswith("Body is too long")
    assert blank.status_code == 422
    assert codes == [201, 200]
    assert odd.status_code == 422
    assert [comment["reactions"]["eyes"] for comment in listed] == [1, 0]


async def test_permissions_of_people(github: FakeGitHub) -> None:
    repo = github.repository("octo/open", private=False)
    repo.allow("mona", "maintain")
    github.user("visitor")
    with pygithub(github, github.token(repo)) as client:

        def levels() -> list[str]:
            lazy = client.get_repo(repo.full_name)
            names = ("octo", "mona", "visitor")
            return [lazy.get_collaborator_permission(name) for name in names]

        assert await asyncio.to_thread(levels) == ["admin", "write", "read"]
    async with http(github, github.token(repo)) as other:
        nobody = await other.get(f"/repos/{repo.full_name}/collaborators/nobody/permission")
    assert nobody.status_code == 404
