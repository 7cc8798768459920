from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import httpx2
import jwt
import pytest
from github import Auth, Github, GithubException, GithubIntegration
from github.GithubException import RateLimitExceededException

from tests.fake_github import SYMLINK, Blob, FakeGitHub, calls, faults, in_thread, openapi
from tests.fake_github.comments import Anchor
from tests.fake_github.routing import ROUTES
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.fake_github import PullRequest
    from tests.fake_github.git import Files
    from tests.fake_github.people import App, Token

BASE: dict[str, str] = {"app.py": "".join(f"line {n}\n" for n in range(1, 41)), "old.py": "gone\n"}
HEAD = BASE | {
    "app.py": BASE["app.py"].replace("line 5\n", "line five\nline 5b\n").replace("line 30\n", ""),
    "new.py": "a = 1\nb = 2\n",
}


@contextlib.contextmanager
def pygithub(github: FakeGitHub, token: Token | str) -> Iterator[Github]:
    secret = token if isinstance(token, str) else token.value
    client = Github(
        base_url=github.url,
        auth=Auth.Token(secret),
        lazy=True,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    try:
        yield client
    finally:
        client.close()


def http(github: FakeGitHub, token: Token | str | None, **more: Any) -> httpx2.AsyncClient:
    secret = token if isinstance(token, str) or token is None else token.value
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    return httpx2.AsyncClient(base_url=github.url, headers=headers, trust_env=False, **more)


def app_jwt(app: App, *, issued: float = 0, life: float = 300) -> str:
    now = int(time.time())
    claims = {"iss": app.client_id, "iat": int(now + issued), "exp": int(now + issued + life)}
    return jwt.encode(claims, app.private_key, algorithm="RS256")


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub(check_answers=True) as fake:
        yield fake
        assert fake.answer_complaints == []


@pytest.fixture
def pull(github: FakeGitHub) -> PullRequest:
    return github.pull(BASE, HEAD, by="mona", title="Five")


def path_of(pull: PullRequest, rest: str = "") -> str:
    return f"/repos/{pull.repo.full_name}/pulls/{pull.number}{rest}"


# --- The change


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


# --- Reviews and their comments


def comment(path: str, line: int, **more: Any) -> dict[str, Any]:
    return {"path": path, "line": line, "side": "RIGHT", "body": "A word."} | more


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (comment("app.py", 20), "Line could not be resolved"),
        (comment("app.py", 5, side="LEFT", start_side="LEFT"), None),
        (comment("app.py", 4, side="LEFT"), "Line could not be resolved"),
        (comment("app.py", 30, side="LEFT"), None),
        (comment("app.py", 30, side="RIGHT"), None),
        (comment("app.py", 41), "Line could not be resolved"),
        (comment("old.py", 1), "Path could not be resolved"),
        (comment("none.py", 1), "Path could not be resolved"),
        (comment("app.py", 6, start_line=5), None),
        (comment("app.py", 6, start_line=6), "start line must precede the end line."),
        (comment("app.py", 5, start_line=6), "start line must precede the end line."),
        (comment("app.py", 31, start_line=5), "start line must be part of the same hunk"),
        (comment("app.py", 6, start_line=20), "start line must be part of the same hunk"),
        (comment("app.py", 6, start_line=5, start_side="LEFT"), None),
        (comment("app.py", 6, extra=1), '"extra" is not a permitted key.'),
        (comment("app.py", 6, subject_type="file"), '"subject_type" is not a permitted key.'),
        (comment("app.py", 6) | {"line": "6"}, "is not an integer"),
        (comment("app.py", 6, start_line=None), "nil is not an integer"),
        (comment("app.py", 6, body=" "), "Body can't be blank"),
        (comment("app.py", 6, body="é" * 65_537), "Body is too long"),
        ({"path": "app.py", "line": 6}, '"body" wasn\'t supplied'),
        ({"path": "app.py", "position": 5, "body": "By position."}, None),
        ({"path": "app.py", "position": 50, "body": "By position."}, "Line could not be resolved"),
        ({"path": "app.py", "body": "Nowhere."}, "Line could not be resolved"),
    ],
)
async def test_a_review_is_posted_whole_or_not_at_all(
    github: FakeGitHub, pull: PullRequest, entry: dict[str, Any], sentence: str | None
) -> None:
    body = {"event": "COMMENT", "comments": [comment("new.py", 1), entry]}
    async with http(github, github.token(pull.repo)) as client:
        response = await client.post(path_of(pull, "/reviews"), json=body)
        listed = (await client.get(path_of(pull, "/comments"))).json()
    if sentence is None:
        assert response.status_code == 200, response.text
        assert len(listed) == 2
    else:
        assert response.status_code == 422
        assert sentence in json.loads(response.text)["message"] + str(response.json().get("errors"))
        assert listed == []
        assert pull.reviews == []


async def test_the_sentences_of_2024_can_be_had_too(github: FakeGitHub, pull: PullRequest) -> None:
    github.rules.old_wording = True
    one = comment("app.py", 20, commit_id=pull.head_sha)
    async with http(github, github.token(pull.repo)) as client:
        many = await client.post(
            path_of(pull, "/reviews"),
            json={"event": "COMMENT", "comments": [comment("app.py", 20)]},
        )
        single = await client.post(path_of(pull, "/comments"), json=one)
    assert many.json()["errors"] == [
        "Pull request review thread line must be part of the diff and Pull request review thread "
        "diff hunk can't be blank"
    ]
    fields = [error["field"] for error in single.json()["errors"]]
    assert fields == ["pull_request_review_thread.line", "pull_request_review_thread.diff_hunk"]


async def test_a_review_through_pygithub(github: FakeGitHub, pull: PullRequest) -> None:
    with pygithub(github, github.token(pull.repo)) as client:

        def post() -> int:
            repo = client.get_repo(pull.repo.full_name)
            review = repo.get_pull(1).create_review(
                repo.get_commit(pull.head_sha),
                "Summary",
                "COMMENT",
                [
                    {"path": "app.py", "line": 6, "start_line": 5, "side": "RIGHT", "body": "Two."},
                    {"path": "app.py", "line": 30, "side": "LEFT", "body": "Gone."},
                ],
            )
            return review.id

        number = await asyncio.to_thread(post)
    assert len(github.requests) == 1
    assert github.requests[0].written
    assert [one.body for one in pull.review_comments] == ["Two.", "Gone."]
    assert pull.reviews[0].id == number > 2**31
    hunk = pull.review_comments[0].thread.anchor.hunk
    assert hunk.startswith("@@ -2,7 +2,8 @@")
    assert hunk.endswith("\n-line 5\n+line five\n+line 5b")


async def test_a_pending_review_is_seen_by_its_author_alone_and_blocks_the_next(
    github: FakeGitHub, pull: PullRequest
) -> None:
    reviews = path_of(pull, "/reviews")
    ours, theirs = github.token(pull.repo), github.world.personal_token("mona")
    github.repository().allow("mona", "write")
    async with http(github, ours) as bot, http(github, theirs) as mona:
        pending = (await bot.post(reviews, json={"comments": [comment("new.py", 1)]})).json()
        again = await bot.post(reviews, json={"event": "COMMENT", "body": "Now."})
        single = await bot.post(
            path_of(pull, "/comments"), json=comment("new.py", 1, commit_id=pull.head_sha)
        )
        assert pending["state"] == "PENDING"
        assert "submitted_at" not in pending
        assert again.json()["errors"] == ["User can only have one pending review per pull request"]
        assert single.json()["errors"][0]["field"] == "user_id"
        assert len((await bot.get(reviews)).json()) == 1
        assert (await mona.get(reviews)).json() == []
        assert (await bot.get(path_of(pull, "/comments"))).json() == []
        inside = (await bot.get(f"{reviews}/{pending['id']}/comments")).json()
        assert "line" not in inside[0]
        assert (await mona.delete(f"{reviews}/{pending['id']}")).status_code == 404
        assert (await bot.delete(f"{reviews}/{pending['id']}")).status_code == 200
        draft = (await bot.post(reviews, json={"body": "Later."})).json()
        done = await bot.post(f"{reviews}/{draft['id']}/events", json={"event": "COMMENT"})
        assert done.json()["state"] == "COMMENTED"
        gone = await bot.delete(f"{reviews}/{draft['id']}")
        assert "Can not delete a non-pending" in gone.text
        changed = await bot.put(f"{reviews}/{draft['id']}", json={"body": "Better."})
        assert changed.json()["body"] == "Better."
        no = await bot.put(f"{reviews}/{draft['id']}/dismissals", json={"message": "x"})
        assert no.status_code == 422


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"event": "COMMENT"}, "blank"),
        ({"event": "COMMENT", "body": " "}, "blank"),
        ({"event": "REQUEST_CHANGES", "comments": [comment("new.py", 1)]}, "blank"),
        ({"event": "SHOUT", "body": "x"}, "is not a member of"),
        ({"event": "COMMENT", "body": "x" * 65_537}, "too long"),
        ({"event": "COMMENT", "body": "😀" * 32_769}, "too long"),
        ({"event": "COMMENT", "body": "x", "commit_id": "0" * 40}, "not part of the pull request"),
        ({"event": "COMMENT", "body": "x", "commit_id": None}, "nil is not a string"),
        ({"event": "COMMENT", "body": "x", "comments": [comment("new.py", 1)] * 31}, None),
    ],
)
async def test_what_a_review_may_not_say(
    github: FakeGitHub, pull: PullRequest, body: dict[str, Any], sentence: str | None
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        response = await client.post(path_of(pull, "/reviews"), json=body)
    assert response.status_code == (502 if sentence is None else 422)
    assert (sentence or "") in response.text
    assert pull.reviews == []


async def test_nobody_judges_their_own_and_actions_does_not_approve(
    github: FakeGitHub, pull: PullRequest
) -> None:
    approve = {"event": "APPROVE", "body": "Fine."}
    writes = {"pull_requests": "write"}
    actions, mona = (
        github.world.actions_token(pull.repo, writes),
        github.world.personal_token("mona"),
    )
    pull.repo.allow("mona", "write")
    async with http(github, actions) as job, http(github, mona) as author:
        first = await job.post(path_of(pull, "/reviews"), json=approve)
        second = await author.post(path_of(pull, "/reviews"), json=approve)
    assert "not permitted to approve" in first.text
    assert "Can not approve your own" in second.text


async def test_comments_on_files_and_answers(github: FakeGitHub, pull: PullRequest) -> None:
    comments = path_of(pull, "/comments")
    with pygithub(github, github.token(pull.repo)) as client:

        def write() -> tuple[int, int]:
            lazy = client.get_repo(pull.repo.full_name).get_pull(1)
            whole = lazy.create_review_comment(
                "Whole file", pull.head_sha, "app.py", subject_type="file"
            )
            reply = lazy.create_review_comment_reply(whole.id, "And more")
            return whole.id, reply.id

        first, reply = await asyncio.to_thread(write)
    async with http(github, github.token(pull.repo)) as client2:
        nested = await client2.post(f"{comments}/{reply}/replies", json={"body": "x"})
        by_field = await client2.post(comments, json={"body": "Third", "in_reply_to": first})
        listed = (await client2.get(comments)).json()
        wrong = await client2.post(
            comments, json=comment("app.py", 20, commit_id=pull.head_sha, body="x")
        )
        edited = await client2.patch(
            f"/repos/{pull.repo.full_name}/pulls/comments/{first}", json={"body": "Better"}
        )
        gone = await client2.delete(f"/repos/{pull.repo.full_name}/pulls/comments/{reply}")
    assert nested.status_code == 422
    assert by_field.status_code == 201
    assert [one["subject_type"] for one in listed] == ["file"] * 3
    assert [one.get("in_reply_to_id") for one in listed] == [None, first, first]
    assert wrong.json()["errors"][0]["field"] == "pull_request_review_thread.line"
    assert wrong.json()["message"] == "Validation Failed"
    assert edited.json()["body"] == "Better"
    assert gone.status_code == 204
    assert [one.body for one in pull.review_comments] == ["Better", "Third"]


async def test_threads_follow_their_lines_or_are_outdated(
    github: FakeGitHub, pull: PullRequest
) -> None:
    moved = pull.review_comment("app.py", 6, "Moves")
    gone = pull.review_comment("new.py", 1, "Goes")
    left = pull.review_comment("app.py", 30, "Left", side="LEFT")
    first = pull.head_sha
    pull.push({"app.py": "top\n" + HEAD["app.py"], "new.py": "a = 9\nb = 2\n"})
    assert moved.thread.now is not None
    assert (moved.thread.now.line, moved.thread.now.commit) == (7, pull.head_sha)
    assert gone.thread.now is None
    assert left.thread.now is not None
    assert left.thread.now.line == 30
    async with http(github, github.token(pull.repo)) as client:
        listed = (await client.get(path_of(pull, "/comments"))).json()
    assert [one["line"] for one in listed] == [7, None, 30]
    assert [one["original_line"] for one in listed] == [6, 1, 30]
    assert listed[1]["commit_id"] == first
    pull.force_push(HEAD, whole=True)
    assert isinstance(gone.thread.now, Anchor)


# --- Issue comments, reactions, people


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


# --- Check runs

RUN = {"name": "reviewbot"}
OUTPUT: dict[str, Any] = {"title": "Two findings", "summary": "One."}
NOTE = {
    "path": "app.py",
    "start_line": 5,
    "end_line": 5,
    "annotation_level": "warning",
    "message": "Here.",
}


def output(**more: Any) -> dict[str, Any]:
    return {"output": OUTPUT | more}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"status": "completed"}, "conclusion"),
        ({"conclusion": "great"}, "is not"),
        ({"conclusion": "stale"}, "GitHub alone"),
        ({"status": "in_progress", "conclusion": "success"}, "conclusion"),
        ({"status": "pending"}, "pending"),
        ({"details_url": "javascript:alert(1)"}, "http or https"),
        ({"name": " "}, "missing_field"),
        ({"color": "red"}, '"color" is not a permitted key'),
        ({"external_id": 7}, "is not a string"),
        ({"head_sha": "0" * 40}, "No commit found for SHA"),
        ({"output": {"title": "x"}}, '"summary" wasn\'t supplied'),
        ({"output": {"summary": "x"}}, '"title" wasn\'t supplied'),
        (output(summary="x" * 65_536), "Only 65535 characters are allowed; 65536 were supplied."),
        (output(summary="é" * 32_768), "summary exceeds a maximum bytesize of 65535"),
        (output(text="x" * 65_536), "Only 65535 characters are allowed"),
        (output(annotations=[NOTE] * 51), "No more than 50 items are allowed; 51 were supplied."),
        (output(annotations=[NOTE | {"level": "x"}]), '"level" is not a permitted key'),
        (output(annotations=[NOTE | {"annotation_level": "error"}]), "is not a member of"),
        (output(annotations=[NOTE | {"end_line": 7, "start_column": 1}]), "start_column"),
        (output(annotations=[NOTE | {"end_line": 4}]), "end_line"),
        (output(annotations=[NOTE | {"start_line": 0}]), "end_line"),
        (output(annotations=[NOTE | {"message": "x" * 65_537}]), "65536"),
        (output(annotations=[NOTE | {"title": "x" * 256}]), "255"),
        (output(annotations=[{"path": "app.py"}]), "wasn't supplied"),
        ({"actions": [{"label": "x" * 21, "description": "d", "identifier": "i"}]}, "20"),
        ({"actions": [{"label": "l", "description": "d", "identifier": "i"}] * 4}, "3"),
    ],
)
async def test_what_a_check_run_may_not_be(
    github: FakeGitHub, pull: PullRequest, body: dict[str, Any], sentence: str
) -> None:
    runs = f"/repos/{pull.repo.full_name}/check-runs"
    async with http(github, github.token(pull.repo)) as client:
        response = await client.post(runs, json=RUN | {"head_sha": pull.head_sha} | body)
    assert response.status_code == 422
    assert sentence in response.text.replace('\\"', '"')
    assert pull.repo.check_runs == {}


async def test_a_check_run_through_pygithub(github: FakeGitHub, pull: PullRequest) -> None:
    with pygithub(github, github.token(pull.repo)) as client:

        def work() -> int:
            repo = client.get_repo(pull.repo.full_name)
            run = repo.create_check_run(
                "reviewbot", pull.head_sha, status="in_progress", external_id="pr-1", output=OUTPUT
            )
            for at in range(0, 120, 50):
                notes = [NOTE] * min(50, 120 - at)
                run.edit(output=OUTPUT | {"text": f"from {at}", "annotations": notes})
            run.edit(output=OUTPUT, conclusion="neutral")
            return run.id

        number = await asyncio.to_thread(work)
    run = pull.repo.check_runs[number]
    assert len(run.annotations) == 120
    assert (run.status, run.conclusion, run.text) == ("completed", "neutral", None)
    assert run.completed is not None
    async with http(github, github.token(pull.repo)) as client2:
        repo = f"/repos/{pull.repo.full_name}"
        notes = await client2.get(f"{repo}/check-runs/{number}/annotations?per_page=100&page=2")
        listed = (await client2.get(f"{repo}/commits/{pull.head_sha}/check-runs")).json()
        suites = (await client2.get(f"{repo}/commits/{pull.head_ref}/check-suites")).json()
        suite = listed["check_runs"][0]["check_suite"]["id"]
        in_suite = (await client2.get(f"{repo}/check-suites/{suite}/check-runs")).json()
        cut = await client2.patch(
            f"{repo}/check-runs/{number}", json={"output": OUTPUT | {"text": "é" * 40_000}}
        )
    assert len(notes.json()) == 20
    assert 'rel="prev"' in notes.headers["link"]
    assert listed["total_count"] == in_suite["total_count"] == 1
    assert [one["number"] for one in listed["check_runs"][0]["pull_requests"]] == [1]
    assert suites["check_suites"][0]["conclusion"] == "neutral"
    assert len(cut.json()["output"]["text"]) == 32_767


async def test_check_runs_belong_to_the_app_that_made_them(
    github: FakeGitHub, pull: PullRequest
) -> None:
    runs = f"/repos/{pull.repo.full_name}/check-runs"
    body = RUN | {"head_sha": pull.head_sha, "details_url": "https://x.test/"}
    actions = github.world.actions_token(pull.repo, {"checks": "write"})
    pull.repo.allow("mona", "admin")
    mona = github.world.personal_token("mona")
    async with http(github, actions) as job, http(github, github.token(pull.repo)) as app:
        theirs = (await job.post(runs, json=body)).json()
        ours = (await app.post(runs, json=body)).json()
        refused = await app.patch(f"{runs}/{theirs['id']}", json={"status": "in_progress"})
        sha = await app.patch(f"{runs}/{ours['id']}", json={"head_sha": pull.head_sha})
        both = (await app.get(f"/repos/octo/hello/commits/{pull.head_sha}/check-runs")).json()
        again = (await app.post(runs, json=body)).json()
        path = f"/repos/octo/hello/commits/{pull.head_sha}/check-runs?app_id={github.app.id}"
        latest, whole = (await app.get(path)).json(), (await app.get(f"{path}&filter=all")).json()
    async with http(github, mona) as person:
        user = await person.post(runs, json=body)
    assert theirs["details_url"] == theirs["html_url"]
    assert ours["details_url"] == "https://x.test/"
    assert "Invalid app_id" in refused.text
    assert '\\"head_sha\\" is not a permitted key' in sha.text
    assert both["total_count"] == 2
    assert [one["id"] for one in latest["check_runs"]] == [again["id"]]
    assert whole["total_count"] == 2
    assert (user.status_code, user.json()["message"]) == (
        403,
        "You must authenticate via a GitHub App.",
    )


# --- Who may


@pytest.mark.parametrize(
    ("permissions", "call", "body"),
    [
        ({"pull_requests": "read"}, "POST /pulls/1/reviews", {"event": "COMMENT", "body": "x"}),
        ({"contents": "read"}, "GET /pulls/1/files", None),
        ({"checks": "read"}, "POST /check-runs", RUN),
        ({"pull_requests": "write"}, "GET /contents/app.py", None),
        ({}, "POST /issues/1/comments", {"body": "x"}),
        ({}, "GET /commits/main/check-runs", None),
    ],
)
async def test_a_token_can_do_what_it_was_given_alone(
    github: FakeGitHub,
    pull: PullRequest,
    permissions: dict[str, str],
    call: str,
    body: dict[str, Any] | None,
) -> None:
    method, path = call.split()
    async with http(github, github.token(pull.repo, permissions)) as client:
        response = await client.request(method, f"/repos/octo/hello{path}", json=body)
    assert response.status_code == 403
    assert response.json()["message"] == "Resource not accessible by integration"
    assert "=" in response.headers["x-accepted-github-permissions"]


async def test_what_a_token_may_not_see_is_not_there(github: FakeGitHub) -> None:
    hidden, shown = github.repository("octo/hidden"), github.repository("octo/shown", private=False)
    other = github.repository("octo/other")
    async with http(github, github.token(other)) as client:
        statuses = [
            (await client.get(f"/repos/{repo.full_name}")).status_code for repo in (hidden, shown)
        ]
        write = await client.post("/repos/octo/shown/check-runs", json=RUN)
    async with http(github, None) as client:
        statuses += [
            (await client.get(f"/repos/{repo.full_name}")).status_code for repo in (hidden, shown)
        ]
        anonymous = await client.post("/repos/octo/shown/issues/1/comments", json={"body": "x"})
    assert statuses == [404, 200, 404, 200]
    assert (write.status_code, anonymous.status_code) == (403, 401)


async def test_installation_tokens_through_pygithub(github: FakeGitHub) -> None:
    repo = github.repository("octo/hello")
    github.install(repo, account="octo")

    def whole() -> tuple[str, str, str]:
        auth = Auth.AppAuth(github.app.client_id, github.app.private_key)
        with contextlib.closing(
            GithubIntegration(
                auth=auth,
                base_url=github.url,
                seconds_between_requests=None,
                seconds_between_writes=None,
            )
        ) as integration:
            found = integration.get_repo_installation("octo", "hello")
            token = integration.get_access_token(found.id, {"contents": "read"})
            slug = integration.get_app().slug
        return token.token, str(token.expires_at), str(slug)

    secret, _, slug = await asyncio.to_thread(whole)
    assert slug == "reviewbot"
    assert secret.startswith(f"ghs_{github.app.id}_")
    assert 500 < len(secret) < 540
    async with http(github, secret) as client:
        assert (await client.get("/repos/octo/hello/contents/README.md")).status_code == 200
        assert (await client.get("/repos/octo/hello/pulls")).status_code == 403
        names = (await client.get("/installation/repositories")).json()["repositories"]
        assert [one["full_name"] for one in names] == ["octo/hello"]
        github.clock.ahead += 3_601
        assert (await client.get("/repos/octo/hello")).json()["message"] == "Bad credentials"


@pytest.mark.parametrize(
    ("make", "status", "sentence"),
    [
        (app_jwt, 200, "reviewbot"),
        (lambda app: app_jwt(app, issued=-30, life=600), 200, "reviewbot"),
        (lambda app: app_jwt(app, life=700), 401, "too far in the future"),
        (lambda app: app_jwt(app, issued=-60, life=50), 401, "must be in the future"),
        (lambda app: app_jwt(app, issued=60), 401, "'Issued at'"),
        (lambda app: app_jwt(app)[:-4] + "AAAA", 401, "could not be decoded"),
        (lambda app: jwt.encode({"iss": app.client_id}, "x" * 32), 401, "could not be decoded"),
        (
            lambda _: jwt.encode({"iss": "someone"}, "x" * 32),
            404,
            "Integration not found",
        ),
        (lambda _: "ghs_unknown", 401, "Bad credentials"),
    ],
)
async def test_an_app_shows_who_it_is_by_a_short_lived_jwt(
    github: FakeGitHub, make: Callable[[App], str], status: int, sentence: str
) -> None:
    async with http(github, make(github.app)) as client:
        response = await client.get("/app")
    assert response.status_code == status
    assert sentence in response.text


async def test_tokens_are_bounded_by_their_installation(github: FakeGitHub) -> None:
    one, two = github.repository("octo/one"), github.repository("octo/two")
    installation = github.install(one, two)
    tokens = f"/app/installations/{installation.id}/access_tokens"
    async with http(github, app_jwt(github.app)) as client:
        more = await client.post(tokens, json={"permissions": {"contents": "write"}})
        less = await client.post(
            tokens, json={"repository_ids": [one.id], "permissions": {"checks": "write"}}
        )
        unknown = await client.post(tokens, json={"repositories": ["three"]})
        installation.suspended = github.clock.now()
        suspended = await client.post(tokens)
    assert (more.status_code, unknown.status_code, suspended.status_code) == (422, 422, 403)
    assert [repo["name"] for repo in less.json()["repositories"]] == ["one"]
    installation.suspended = None
    async with http(github, less.json()["token"]) as client:
        assert (await client.get("/repos/octo/one")).status_code == 200
        assert (await client.get("/repos/octo/two")).status_code == 404
        assert (await client.delete("/installation/token")).status_code == 204
        assert (await client.get("/repos/octo/one")).status_code == 401


# --- GraphQL

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


# --- Limits


async def test_the_primary_limit_is_an_hour_long_and_304_costs_nothing(
    github: FakeGitHub, pull: PullRequest
) -> None:
    token = github.token(pull.repo)
    async with http(github, token) as client:
        first = await client.get("/repos/octo/hello")
        assert first.headers["x-ratelimit-limit"] == "5000"
        assert first.headers["x-ratelimit-remaining"] == "4999"
        tag = {"if-none-match": first.headers["etag"]}
        second = await client.get("/repos/octo/hello", headers=tag)
        assert (second.status_code, second.content) == (304, b"")
        assert second.headers["x-ratelimit-remaining"] == "4999"
        github.limits.exhaust(github.requests[0].actor)
        third = await client.get("/repos/octo/hello")
        assert (third.status_code, third.headers["x-ratelimit-remaining"]) == (403, "0")
        assert (await client.get("/rate_limit")).json()["rate"]["remaining"] == 0
        github.clock.ahead += 3_601
        token.expires += 3_601
        assert (await client.get("/repos/octo/hello")).status_code == 200
    with pygithub(github, token) as client2:
        github.limits.exhaust(github.requests[0].actor)
        with pytest.raises(RateLimitExceededException):
            await asyncio.to_thread(client2.get_repo("octo/hello").get_pulls().get_page, 0)
    async with http(github, github.token(pull.repo)) as client:
        github.limits.exhaust(github.requests[0].actor, left=9)
        other = await client.get("/repos/octo/hello", headers=tag)
        assert other.status_code == 200  # a tag holds for one token alone


async def test_graphql_has_a_limit_of_its_own_and_says_so_with_200(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        query = {"query": "{ rateLimit { remaining } }"}
        first = await client.post("/graphql", json=query)
        github.limits.exhaust(github.requests[0].actor, resource="graphql")
        second = await client.post("/graphql", json=query)
        other = await client.get("/repos/octo/hello")
    assert first.json()["data"]["rateLimit"]["remaining"] == 4_999
    assert first.headers["x-ratelimit-resource"] == "graphql"
    assert second.json()["errors"][0]["type"] == "RATE_LIMITED"
    assert (second.headers["x-ratelimit-remaining"], other.status_code) == ("0", 200)


async def test_the_token_of_a_job_has_a_thousand_calls(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.world.actions_token(pull.repo)) as client:
        response = await client.get("/repos/octo/hello")
    assert response.headers["x-ratelimit-limit"] == "1000"


async def test_content_that_comes_too_fast_is_refused(
    github: FakeGitHub, pull: PullRequest
) -> None:
    comments = f"/repos/{pull.repo.full_name}/issues/1/comments"
    async with http(github, github.token(pull.repo)) as client:
        for _ in range(80):
            assert (await client.post(comments, json={"body": "x"})).status_code == 201
        refused = await client.post(comments, json={"body": "x"})
        assert (refused.status_code, refused.headers["retry-after"]) == (403, "60")
        assert "secondary rate limit" in refused.text
        assert len(github.limits.refused) == 1
        github.clock.ahead += 61
        assert (await client.post(comments, json={"body": "x"})).status_code == 201


# --- Faults


async def test_faults_before_and_after_the_write(github: FakeGitHub, pull: PullRequest) -> None:
    comments = f"/repos/{pull.repo.full_name}/issues/1/comments"
    token = github.token(pull.repo)

    def post() -> int:
        with pygithub(github, token) as client:
            lazy = client.get_repo(pull.repo.full_name).get_pull(1)
            try:
                lazy.create_issue_comment("Once")
            except GithubException as error:
                return error.status
            except OSError:  # requests has its connection errors below it
                return 0
        return 201

    found: list[tuple[int, int]] = []
    for fault in (
        faults.error("POST", "/comments", 500),
        faults.error_after("POST", "/comments", 502),
        faults.drop("POST", "/comments"),
        faults.drop("POST", "/comments", after=True),
        faults.secondary("POST", "/comments"),
        faults.secondary("POST", "/comments", status=429, retry_after=None),
        faults.abuse("POST", "/comments"),
        faults.primary("POST", "/comments", reset=github.clock.now() + 9),
    ):
        before = len(pull.comments)
        github.fail(fault)
        found.append((await asyncio.to_thread(post), len(pull.comments) - before))
        assert fault.hit == [github.requests[-1]]
    assert found == [(500, 0), (502, 1), (0, 0), (0, 1), (403, 0), (429, 0), (422, 0), (403, 0)]
    assert await asyncio.to_thread(post) == 201
    assert [one.ended for one in github.called("POST", comments)].count("dropped") == 2


async def test_faults_may_wait_for_their_turn_and_stay(
    github: FakeGitHub, pull: PullRequest
) -> None:
    github.fail(faults.Fault("GET", r"/pulls/\d+$", 503, skip=1, times=2))
    async with http(github, github.token(pull.repo)) as client:
        statuses = [(await client.get(path_of(pull))).status_code for _ in range(4)]
    assert statuses == [200, 503, 503, 200]


@in_virtual_time
async def test_slow_answers_take_virtual_time_and_real_time_for_threads() -> None:
    async with FakeGitHub() as github:
        pull = github.pull(BASE, HEAD)
        token = github.token(pull.repo)
        github.fail(faults.slow("GET", "/pulls/1", 1_000))
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with http(github, token, timeout=None) as client:
            assert (await client.get(path_of(pull))).status_code == 200
        assert loop.time() - began == pytest.approx(1_000)
        github.fail(faults.slow("GET", "/pulls/1", 0.02))
        with pygithub(github, token) as lazy:
            got = await asyncio.to_thread(lambda: lazy.get_repo("octo/hello").get_pull(1).title)
        assert got == "A change"
        assert github.requests[-1].at - github.requests[0].at >= 999
        await asyncio.sleep(3_600)
        async with http(github, token) as client:
            assert (await client.get(path_of(pull))).status_code == 401


async def test_calls_that_the_fake_does_not_know_fail_the_test() -> None:
    github = FakeGitHub()
    await github.__aenter__()
    async with http(github, None) as client:
        assert (await client.get("/emojis")).status_code == 404
        assert (await client.get("/rate_limit?verbose=1")).status_code == 200
    assert github.unknown == ["GET /emojis", "GET /rate_limit?verbose"]
    with pytest.raises(AssertionError, match="GET /emojis"):
        await github.__aexit__(None, None, None)


async def test_bodies_that_are_no_json_and_callers_without_a_name(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        broken = await client.post(path_of(pull, "/reviews"), content=b"{")
        listed = await client.post(path_of(pull, "/reviews"), json=[1])
        nameless = await client.get("/repos/octo/hello", headers={"user-agent": ""})
        version = {"x-github-api-version": "2021-01-01"}
        old = await client.get("/repos/octo/hello", headers=version)
    assert broken.json()["message"] == "Problems parsing JSON"
    assert listed.json()["message"] == "Body should be a JSON object"
    assert nameless.status_code == 403
    assert old.status_code == 400


# --- Webhooks


async def receive(
    github: FakeGitHub, answer: Callable[[httpx2.Request], int]
) -> list[httpx2.Request]:
    """Has deliveries come to a function in place of a server."""
    got: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        got.append(request)
        return httpx2.Response(answer(request))

    github.app.webhook_url = "http://bot.test/webhooks/github"
    github.postman.client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return got


async def test_all_that_happens_is_delivered_signed(github: FakeGitHub) -> None:
    got = await receive(github, lambda _: 202)
    github.organization("octo")
    repo = github.repository("octo/hello", BASE)
    github.install(repo)
    pull = repo.open_pull({"new.py": "x = 1\n"}, by="mona")
    pull.comment("/review", by="mona")
    pull.push({"new.py": "x = 2\n"})
    pull.review_comment("new.py", 1, "Why?", by="mona")
    token = github.token(repo)
    async with http(github, token) as client:
        await client.post("/repos/octo/hello/check-runs", json=RUN | {"head_sha": pull.head_sha})
        await client.post("/repos/octo/hello/issues/1/comments", json={"body": "Mine"})
    pull.close()
    await github.deliver_all()
    seen = [f"{one.headers['x-github-event']}.{json.loads(one.content)['action']}" for one in got]
    assert seen == [
        "installation.created",
        "pull_request.opened",
        "check_suite.requested",
        "issue_comment.created",
        "pull_request.synchronize",
        "check_suite.requested",
        "pull_request_review.submitted",
        "pull_request_review_comment.created",
        "check_run.created",
        "issue_comment.created",
        "pull_request.closed",
    ]
    for one in got:
        digest = hmac.new(b"hush", one.content, hashlib.sha256).hexdigest()
        assert one.headers["x-hub-signature-256"] == f"sha256={digest}"
        assert "installation" in json.loads(one.content)
    bots = [json.loads(one.content)["sender"]["type"] == "Bot" for one in got]
    assert bots == [False] * 8 + [True, True, False]
    await github.postman.client.aclose()  # type: ignore[union-attr]


def keys_of(value: Any, path: str = "") -> set[str]:
    """All paths of an object."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= {f"{path}.{key}"} | keys_of(inner, f"{path}.{key}")
    return found


async def test_payloads_have_what_handlers_read(github: FakeGitHub, pull: PullRequest) -> None:
    github.install(pull.repo)
    run_token = github.token(pull.repo)
    async with http(github, run_token) as client:
        await client.post("/repos/octo/hello/check-runs", json=RUN | {"head_sha": pull.head_sha})
    run = next(iter(pull.repo.check_runs.values()))
    talk = pull.comment("/review", by="mona")
    thread = pull.review_comment("new.py", 1, "Why?", by="mona")
    expected = {
        ("pull_request", "reopened", "pull"): ".number .pull_request.draft .pull_request.head.sha "
        ".pull_request.base.repo.full_name .installation.id .sender.type .repository.private",
        ("issue_comment", "created", "talk"): ".issue.pull_request.url .comment.author_association "
        ".comment.user.login .comment.performed_via_github_app",
        ("pull_request_review_comment", "created", "thread"): ".comment.in_reply_to_id "
        ".comment.pull_request_review_id .pull_request.head.sha .comment.side",
        ("check_run", "rerequested", "run"): ".check_run.external_id .check_run.app.id "
        ".check_run.check_suite.head_branch",
        ("check_suite", "rerequested", "suite"): ".check_suite.head_sha .check_suite.pull_requests",
    }
    answer = pull.reply(thread, "Because", by="mona")
    about: dict[str, Any] = {"pull": {"pull": pull}, "talk": {"comment": talk}}
    about |= {"thread": {"comment": answer}, "run": {"run": run}, "suite": {"suite": run.suite}}
    for (event, action, what), paths in expected.items():
        payload = github.delivery(event, action, **about[what]).payload
        assert set(paths.split()) <= keys_of(payload), event
    pressed = github.delivery("check_run", "requested_action", run=run, requested_action="fix")
    assert pressed.payload["requested_action"] == {"identifier": "fix"}
    assert github.delivery("ping").payload["hook"]["type"] == "App"


async def test_failed_deliveries_are_listed_and_sent_again_with_the_same_id(
    github: FakeGitHub, pull: PullRequest
) -> None:
    github.install(pull.repo)
    statuses = iter([500, 202, 202])
    got = await receive(github, lambda _: next(statuses))
    await github.deliver(github.delivery("pull_request", "opened", pull=pull))
    await github.deliver(github.delivery("ping"))
    async with http(github, app_jwt(github.app)) as client:
        first = await client.get("/app/hook/deliveries?per_page=1")
        assert 'rel="next"' in first.headers["link"]
        rest = (await client.get(first.headers["link"].split(">")[0][1:])).json()
        assert (rest[0]["status_code"], rest[0]["event"]) == (500, "pull_request")
        one = (await client.get(f"/app/hook/deliveries/{rest[0]['id']}")).json()
        again = await client.post(f"/app/hook/deliveries/{one['id']}/attempts")
        assert again.status_code == 202
        await asyncio.gather(*github._redeliveries)
        listed = (await client.get("/app/hook/deliveries")).json()
    ids = [request.headers["x-github-delivery"] for request in got]
    assert ids[2] == ids[0] == one["guid"] != ids[1]
    assert got[2].content == got[0].content
    assert [(row["redelivery"], row["status_code"]) for row in listed] == [
        (True, 202),
        (False, 202),
        (False, 500),
    ]
    await github.postman.client.aclose()  # type: ignore[union-attr]


async def test_a_delivery_with_another_secret_and_one_to_nobody(
    github: FakeGitHub, pull: PullRequest
) -> None:
    got = await receive(github, lambda _: 401)
    ping = github.delivery("ping")
    assert not (await github.deliver(ping, secret="other")).ok
    digest = hmac.new(b"other", ping.body, hashlib.sha256).hexdigest()
    assert got[0].headers["x-hub-signature-256"] == f"sha256={digest}"
    await github.postman.client.aclose()  # type: ignore[union-attr]
    github.postman.client = None
    sent = await github.deliver(ping, "http://127.0.0.1:9/")
    assert (sent.ok, sent.status) == (False, "failed to connect to host")
    assert pull.number == 1


async def test_a_manifest_becomes_an_app_once(github: FakeGitHub) -> None:
    manifest = {
        "name": "Review Bot 2",
        "url": "https://bot.test",
        "redirect_url": "https://bot.test/setup",
        "hook_attributes": {"url": "https://bot.test/webhooks/github"},
        "default_permissions": {"checks": "write", "pull_requests": "write", "issues": "read"},
        "default_events": ["pull_request", "issue_comment", "check_run"],
    }
    code = github.manifest_code(manifest, owner="octo")
    async with http(github, None) as client:
        made = (await client.post(f"/app-manifests/{code}/conversions")).json()
        again = await client.post(f"/app-manifests/{code}/conversions")
    assert again.status_code == 404
    assert made["slug"] == "review-bot-2"
    now = int(time.time())
    token = jwt.encode(
        {"iss": str(made["id"]), "iat": now, "exp": now + 60}, made["pem"], algorithm="RS256"
    )
    async with http(github, token) as client:
        assert (await client.get("/app")).json()["name"] == "review-bot-2"
        hook = (await client.get("/app/hook/config")).json()
        assert hook["url"] == "https://bot.test/webhooks/github"
    granted = {"checks": "write", "pull_requests": "write"}
    with pytest.raises(AssertionError, match="issue_comment needs issues"):
        github.manifest_code(manifest | {"default_permissions": granted})


# --- The description, and other ways to have it


def test_every_call_of_the_fake_is_one_of_github() -> None:
    calls.load()
    others = {one.call for one in ROUTES} - openapi.description()["calls"].keys()
    # GraphQL has a schema of its own; the root of a repository has no path.
    assert others == {"POST /graphql", "GET /repos/{owner}/{repo}/contents"}


async def test_an_enterprise_server_has_prefixes() -> None:
    async with FakeGitHub(enterprise=True) as github:
        pull = github.pull(BASE, HEAD)
        with pygithub(github, github.token(pull.repo)) as client:

            def read() -> tuple[str, str]:
                lazy = client.get_repo("octo/hello").get_pull(1)
                lazy.create_issue_comment("x").minimize()
                return lazy.title, lazy.html_url

            title, web = await asyncio.to_thread(read)
        assert github.url.endswith("/api/v3")
        assert title == "A change"
        assert web.startswith(github.url.removesuffix("/api/v3"))
        assert pull.comments[0].minimized == "outdated"


def test_it_runs_in_a_thread_for_code_that_blocks() -> None:
    with in_thread() as github:
        pull = github.pull(BASE, HEAD, title="Blocking")
        with pygithub(github, github.token(pull.repo)) as client:
            assert client.get_repo("octo/hello").get_pull(1).title == "Blocking"
        pull.push({"new.py": "c = 1\n"})
    with pytest.raises(AssertionError, match="does not know"), in_thread() as github:
        httpx2.get(f"{github.url}/emojis", trust_env=False)
