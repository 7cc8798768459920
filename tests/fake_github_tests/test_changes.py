"""The fake GitHub: diffs, files, contents, commits and branches."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from github import GithubException

from tests.fake_github import SYMLINK, Blob, FakeGitHub
from tests.support.github_clients import BASE, HEAD, app_jwt, http, path_of, pygithub, receive

if TYPE_CHECKING:
    from tests.fake_github import PullRequest
    from tests.fake_github.git import Files


async def test_a_pull_request_has_the_diff_that_git_makes(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        shown = (await client.get(path_of(pull))).json()
        diff = await client.get(path_of(pull), headers={"accept": "application/vnd.github.diff"})
        files = (await client.get(path_of(pull, "/files"))).json()
    assert shown["head"]["sha"] == pull.head_sha
    assert (shown["additions"], shown["deletions"], shown["changed_files"]) == (4, 2, 2)
    assert diff.text.startswith("diff --git a/app.py b/app.py\nindex ")
    assert "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+a = 1\n+b = 2\n" in diff.text
    assert [file["filename"] for file in files] == ["app.py", "new.py"]
    assert files[1]["patch"] == "@@ -0,0 +1,2 @@\n+a = 1\n+b = 2"
    assert files[1]["sha"] == "223ca50d99502c4cf15a026d366965225e573961"


async def test_diffs_end_at_so_many_files_and_lines(github: FakeGitHub, pull: PullRequest) -> None:
    with pygithub(github, github.token(pull.repo)) as client:

        def diff() -> str:
            lazy = client.get_repo(pull.repo.full_name).get_pull(1)
            accept = {"Accept": "application/vnd.github.diff"}
            data = lazy.requester.requestJsonAndCheck("GET", lazy.url, headers=accept)[1]
            return str(data["data"])

        assert "+line five" in await asyncio.to_thread(diff)
        for limit in ("diff_files", "diff_lines"):
            was = getattr(github.rules, limit)
            setattr(github.rules, limit, 1)
            with pytest.raises(GithubException) as refused:
                await asyncio.to_thread(diff)
            assert refused.value.status == 406
            assert refused.value.data["errors"][0]["code"] == "too_large"
            setattr(github.rules, limit, was)


async def test_files_come_in_pages_and_large_and_binary_ones_without_patch(
    github: FakeGitHub,
) -> None:
    many: dict[str, str | bytes | Blob | None] = {f"f{n:03}.txt": f"{n}\n" for n in range(230)}
    many |= {"large.txt": "x\n" * 2_001, "image.png": b"\x89PNG\0\1", "new name.txt": "same\n" * 9}
    pull = github.pull({"old.txt": "same\n" * 9}, many)
    with pygithub(github, github.token(pull.repo)) as client:

        def files() -> dict[str, Any]:
            found = client.get_repo(pull.repo.full_name).get_pull(1).get_files()
            return {file.filename: file for file in found}

        client.per_page = 100
        found = await asyncio.to_thread(files)
    assert len(found) == 233
    assert [one.query["page"] for one in github.called("GET", "/files")[1:]] == ["2", "3"]
    assert found["large.txt"].patch is None
    assert found["large.txt"].additions == 2_001
    assert found["image.png"].patch is None
    assert found["new name.txt"].previous_filename == "old.txt"
    assert found["f007.txt"].patch == "@@ -0,0 +1 @@\n+7"


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [("", 30), ("?per_page=7", 7), ("?per_page=100", 100), ("?per_page=101", 100)],
)
async def test_no_page_of_a_list_has_more_than_a_hundred(
    github: FakeGitHub, pull: PullRequest, wanted: str, shown: int
) -> None:
    await receive(github, lambda _: 202)
    for number in range(101):
        pull.comment(f"Comment {number}", by="mona")
        await github.deliver(github.delivery("ping"))
    for path, caller in (
        (f"/repos/{pull.repo.full_name}/issues/1/comments", github.token(pull.repo)),
        ("/app/hook/deliveries", app_jwt(github.app)),
    ):
        async with http(github, caller) as client:
            page = await client.get(path + wanted)
        assert len(page.json()) == shown
        assert 'rel="next"' in page.headers["link"]


async def test_contents_and_blobs_by_commit(github: FakeGitHub) -> None:
    large = bytes(range(256)) * 4_097
    files: Files = {"d/a b.txt": "é\n", "big": large, "link": Blob(b"d/a b.txt", SYMLINK)}
    pull = github.pull(files, {**files, "d/a b.txt": "other\n"})
    repo = f"/repos/{pull.repo.full_name}"
    async with http(github, github.token(pull.repo)) as client:
        old = (await client.get(f"{repo}/contents/d/a%20b.txt", params={"ref": "main"})).json()
        new = (await client.get(f"{repo}/contents/d/a%20b.txt?ref={pull.head_sha}")).json()
        big = (await client.get(f"{repo}/contents/big")).json()
        raw = await client.get(
            f"{repo}/contents/big", headers={"accept": "application/vnd.github.raw+json"}
        )
        blob = (await client.get(f"{repo}/git/blobs/{big['sha']}")).json()
        folder = (await client.get(f"{repo}/contents/d")).json()
        root = (await client.get(f"{repo}/contents/")).json()
        link = (await client.get(f"{repo}/contents/link")).json()
        missing = await client.get(f"{repo}/contents/none")
        nowhere = await client.get(f"{repo}/contents/d?ref=nowhere")
    assert base64.b64decode(old["content"]).decode() == "é\n"
    assert base64.b64decode(new["content"]) == b"other\n"
    assert (big["content"], big["encoding"], big["size"]) == ("", "none", len(large))
    assert raw.content == large
    assert base64.b64decode(blob["content"]) == large
    assert "\n" in blob["content"][:70]
    assert [entry["name"] for entry in folder] == ["a b.txt"]
    assert [entry["type"] for entry in root] == ["file", "dir", "symlink"]
    assert link["type"] == "symlink"
    assert (missing.status_code, nowhere.status_code) == (404, 404)


async def test_compare_branches_commits_and_trees(github: FakeGitHub, pull: PullRequest) -> None:
    pull.push({"new.py": "a = 3\n"})
    pull.repo.commit("main", {"other.py": "x\n"})
    repo = f"/repos/{pull.repo.full_name}"
    async with http(github, github.token(pull.repo)) as client:
        compared = (await client.get(f"{repo}/compare/main...{pull.head_ref}")).json()
        branch = (await client.get(f"{repo}/branches/main")).json()
        commit = (await client.get(f"{repo}/commits/{pull.head_sha}")).json()
        tree = (await client.get(f"{repo}/git/trees/{pull.head_sha}?recursive=1")).json()
        ref = (await client.get(f"{repo}/git/ref/heads/main")).json()
        commits = (await client.get(path_of(pull, "/commits"))).json()
        listed = (await client.get(f"{repo}/pulls")).json()
        unknown = await client.get(f"{repo}/commits/nowhere/check-runs")
    assert (unknown.status_code, github.refused) == (422, [github.requests[-1]])
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("diverged", 2, 1)
    assert [file["filename"] for file in compared["files"]] == ["app.py", "new.py"]
    assert branch["commit"]["sha"] == ref["object"]["sha"] == pull.repo.tip
    assert [file["filename"] for file in commit["files"]] == ["new.py"]
    assert {entry["path"] for entry in tree["tree"]} == {"app.py", "new.py", "old.py"}
    assert [one["sha"] for one in commits] == pull.commits
    assert [one["number"] for one in listed] == [1]


async def test_a_rebase_keeps_the_change_and_a_force_push_does_not(pull: PullRequest) -> None:
    first = pull.head_sha
    pull.rebase({"app.py": BASE["app.py"] + "line 41\n"})
    files = pull.repo.files(pull.head_sha)
    assert files["app.py"].decode() == HEAD["app.py"] + "line 41\n"
    assert [file.path for file in pull.diff()] == ["app.py", "new.py"]
    assert first not in pull.commits
    pull.force_push({"other.py": "x\n"})
    assert [file.path for file in pull.diff()] == ["other.py"]
    assert pull.merge_base == pull.repo.tip


async def test_a_fork_has_the_commits_and_is_not_in_check_runs(github: FakeGitHub) -> None:
    repo = github.repository("octo/hello", BASE, private=False)
    pull = repo.open_pull({"new.py": "x\n"}, by="stranger", fork="stranger")
    run = {"name": "review", "head_sha": pull.head_sha}
    async with http(github, github.token(repo)) as client:
        shown = (await client.get(path_of(pull))).json()
        made = await client.post("/repos/octo/hello/check-runs", json=run)
    assert shown["head"]["label"] == f"stranger:{pull.head_ref}"
    assert shown["head"]["repo"]["fork"]
    assert shown["author_association"] == "NONE"
    assert made.status_code == 201
    assert made.json()["pull_requests"] == []
    pull.delete_fork()
    async with http(github, github.token(repo)) as client:
        assert (await client.get(path_of(pull))).json()["head"]["repo"] is None
