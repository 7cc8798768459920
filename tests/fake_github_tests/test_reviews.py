"""The fake GitHub: reviews, review comments and threads."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_github.comments import Anchor
from tests.support.github_clients import HEAD, comment, http, path_of, pygithub

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest


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
