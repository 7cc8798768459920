"""Every call, against a GitHub as strict as the real one, with the permissions of the App."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.github.api import app as app_api
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.api.threads import Discussion
from reviewbot.github.client.auth import AppCredentials
from reviewbot.github.client.errors import (
    DiffTooLargeError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from reviewbot.github.client.rate_limit import Pace
from tests.fake_github import SYMLINK, Blob, FakeGitHub, Fault, PullRequest, faults

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.github.api.gateway import Api

REPO = "octo/hello"
BASE = {"a.py": "x = 1\n", "b.py": "y = 1\n", "docs/c.md": "hello\n"}
HEAD = BASE | {"a.py": "x = 2\nz = 3\n", "new name.py": "q = 1\n"}
AT_ONCE = Pace(gap_s=0.0)


@asynccontextmanager
async def installed(
    permissions: dict[str, str] | None = None, **more: Any
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    """A GitHub with a pull request, and what our App may do there."""
    async with FakeGitHub() as github:
        pull = github.pull(BASE, HEAD, **more)
        number = github.install(pull.repo, permissions=permissions).id
        credentials = AppCredentials(str(github.app.id), SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url, pace=AT_ONCE) as gateway:
            yield github, pull, gateway.installation(number)


# --- Pull requests


async def test_a_pull_request_is_read_with_what_a_review_needs() -> None:
    async with installed(title="A <title>", body=None, by="mona", draft=True) as (_, pull, api):
        found = await api.pulls.get(REPO, 1)
    assert (found.number, found.state, found.draft) == (1, "open", True)
    assert (found.title, found.body) == ("A <title>", "")
    assert (found.author.login, found.author.is_bot) == ("mona", False)
    assert (found.head.sha, found.head.ref) == (pull.head_sha, pull.head_ref)
    assert (found.base.sha, found.base.ref, found.base.repository) == (pull.base_sha, "main", REPO)
    assert found.base.repository_id == pull.repo.id
    assert not found.is_fork
    assert found.changed_files == 2


async def test_a_fork_is_one_also_after_it_was_deleted() -> None:
    async with installed(fork="mallory") as (_, pull, api):
        found = await api.pulls.get(REPO, 1)
        assert (found.is_fork, found.head.repository) == (True, "mallory/hello")
        pull.delete_fork()
        found = await api.pulls.get(REPO, 1)
        assert (found.is_fork, found.head.repository) == (True, None)


async def test_a_diff_and_its_files_say_the_same() -> None:
    async with installed() as (_, pull, api):
        base, head = pull.base_sha, pull.head_sha
        diff = await api.pulls.compare_diff(REPO, base, head, max_bytes=10_000)
        assert diff == pull.diff_text
        listed = await api.pulls.files(REPO, await api.pulls.get(REPO, 1))
    assert listed.complete
    assert [(one.path, one.status, one.additions, one.deletions) for one in listed.files] == [
        ("a.py", "modified", 2, 1),
        ("new name.py", "added", 1, 0),
    ]
    assert listed.files[0].patch == "@@ -1 +1,2 @@\n-x = 1\n+x = 2\n+z = 3"
    assert listed.files[0].blob_sha


async def test_a_diff_that_is_too_large_is_one_error_and_its_files_come_in_pages() -> None:
    async with FakeGitHub() as github:
        many = {f"{number:03}.py": "x = 1\n" for number in range(310)}
        pull = github.pull(BASE, BASE | many)
        token = github.token(pull.repo)
        async with Gateway(SecretText(token.value), base_url=github.url) as gateway:
            api = gateway.holder()
            with pytest.raises(DiffTooLargeError, match="300 files and 20,000"):
                await api.pulls.compare_diff(REPO, pull.base_sha, pull.head_sha, max_bytes=1 << 20)
            found = await api.pulls.get(REPO, 1)
            listed = await api.pulls.files(REPO, found)
            assert len(listed.files) == 310
            assert listed.complete
            github.rules.listed_files = 250
            listed = await api.pulls.files(REPO, found)
            assert len(listed.files) == 250
            assert not listed.complete
            compared = await api.pulls.compare(REPO, pull.base_sha, pull.head_sha)
            assert len(compared.files.files) == 300
            assert not compared.files.complete


async def test_a_comparison_says_where_two_commits_parted() -> None:
    async with installed() as (_, pull, api):
        before = pull.head_sha
        after = pull.push({"a.py": "x = 3\n"})
        found = await api.pulls.compare(REPO, before, after)
        assert found.merge_base == before
        assert [one.path for one in found.files.files] == ["a.py"]
        assert found.files.complete
        diff = await api.pulls.compare_diff(REPO, before, after, max_bytes=10_000)
        assert diff.startswith(b"diff --git a/a.py b/a.py")
        rewritten = pull.force_push({"a.py": "x = 4\n"})
        assert (await api.pulls.compare(REPO, after, rewritten)).merge_base == pull.base_sha
        with pytest.raises(NotFoundError):
            await api.pulls.compare(REPO, after, "0" * 40)


async def test_a_permission_is_told_for_anybody() -> None:
    async with installed() as (_, pull, api):
        pull.repo.allow("mona", "maintain")
        pull.repo.allow("rita", "triage")
        pull.repo.world.user("mallory")
        found = {
            login: await api.pulls.permission(REPO, login)
            for login in ("octo", "mona", "rita", "mallory", "nobody-at-all", "reviewbot[bot]")
        }
    assert found == {
        "octo": "admin",
        "mona": "write",
        "rita": "read",
        "mallory": "none",
        "nobody-at-all": "none",
        "reviewbot[bot]": "none",
    }


# --- Files


async def test_a_file_comes_as_its_bytes_at_a_commit() -> None:
    async with installed() as (_, pull, api):
        latin = pull.push({"latin.txt": Blob(b"caf\xe9\n"), "link": Blob(b"a.py", SYMLINK)})

        async def file(path: str, ref: str = latin) -> bytes | None:
            return await api.contents.file(REPO, path, ref, max_bytes=1_000)

        assert await file("latin.txt") == b"caf\xe9\n"
        assert await file("a.py", "main") == b"x = 1\n"
        assert await file("new name.py") == b"q = 1\n"
        assert await file("docs/c.md") == b"hello\n"
        assert await file("docs") is None
        assert await file("missing.py") is None
        assert await file("a.py", "no-such-branch") is None
        with pytest.raises(TooLargeError):
            await api.contents.file(REPO, "a.py", latin, max_bytes=3)


async def test_a_blob_comes_as_its_bytes() -> None:
    async with installed() as (github, _, api):
        listed = await api.pulls.files(REPO, await api.pulls.get(REPO, 1))
        sha = listed.files[0].blob_sha
        assert sha
        assert await api.contents.blob(REPO, sha, max_bytes=100) == b"x = 2\nz = 3\n"
        with pytest.raises(TooLargeError):
            await api.contents.blob(REPO, sha, max_bytes=5)
        github.rules.blob_bytes = 5
        with pytest.raises(TooLargeError, match="large"):
            await api.contents.blob(REPO, sha, max_bytes=13)


# --- Check runs


async def test_a_check_run_is_made_found_again_changed_and_ended() -> None:
    output = {"title": "Title", "summary": "Summary"}
    note = {
        "path": "a.py",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "warning",
        "message": "hm",
    }
    async with installed() as (github, pull, api):
        body = {
            "name": "reviewbot",
            "head_sha": pull.head_sha,
            "external_id": "7",
            "status": "in_progress",
        }
        made = await api.checks.create(REPO, body)
        assert (made.status, made.external_id, made.conclusion) == ("in_progress", "7", None)
        assert (made.app_id, made.annotations) == (github.app.id, 0)
        changed = await api.checks.update(REPO, made.id, {"output": output})
        assert changed.status == "in_progress"
        ended = {
            "status": "completed",
            "conclusion": "neutral",
            "output": {**output, "annotations": [note]},
        }
        await api.checks.update(REPO, made.id, ended)
        done = await api.checks.get(REPO, made.id)
        assert (done.status, done.conclusion, done.annotations) == ("completed", "neutral", 1)

        async def find(name: str = "reviewbot", number: str = "7") -> int | None:
            found = await api.checks.find(REPO, pull.head_sha, name=name, external_id=number)
            return None if found is None else found.id

        async def of(app_id: int) -> set[int]:
            runs = await api.checks.at(REPO, pull.head_sha, name="reviewbot", app_id=app_id)
            return {run.id for run in runs}

        again = await api.checks.create(REPO, body)
        assert await find() == again.id
        assert await find(number="8") is None
        assert await find(name="other") is None
        assert await of(github.app.id) == {made.id, again.id}
        assert await of(github.app.id + 1) == set()


async def test_a_check_run_that_github_refuses_says_why() -> None:
    async with installed() as (_, pull, api):
        body = {"name": "reviewbot", "head_sha": pull.head_sha, "status": "completed"}
        with pytest.raises(InvalidError, match=r'"conclusion" wasn.t supplied') as caught:
            await api.checks.create(REPO, body)
    assert caught.value.status == 422


# --- Reviews


def review(pull: PullRequest, **changes: Any) -> dict[str, Any]:
    comments = [{"path": "a.py", "line": 2, "side": "RIGHT", "body": "On a line"}]
    return {
        "commit_id": pull.head_sha,
        "event": "COMMENT",
        "body": "Above",
        "comments": comments,
    } | changes


async def test_a_review_is_made_and_read_back_with_its_comments() -> None:
    async with installed() as (_, pull, api):
        made = await api.reviews.create(REPO, 1, review(pull))
        assert (made.state, made.body, made.commit) == ("COMMENTED", "Above", pull.head_sha)
        assert (made.author.login, made.author.is_bot) == ("reviewbot[bot]", True)
        assert await api.reviews.all(REPO, 1) == (made,)
        (comment,) = await api.reviews.comments(REPO, 1)
        assert (comment.path, comment.line, comment.side) == ("a.py", 2, "RIGHT")
        assert (comment.body, comment.review) == ("On a line", made.id)
        assert (comment.in_reply_to, comment.author) == (None, made.author)
        pull.push({"a.py": "other = 1\n"})
        (outdated,) = await api.reviews.comments(REPO, 1)
        assert (outdated.line, outdated.original_line) == (None, 2)


async def test_a_review_with_a_comment_beside_the_diff_is_refused_whole_with_the_reason() -> None:
    async with installed() as (_, pull, api):
        bad = {"path": "b.py", "line": 1, "side": "RIGHT", "body": "x"}
        with pytest.raises(InvalidError) as caught:
            await api.reviews.create(REPO, 1, review(pull, comments=[bad]))
        assert caught.value.status == 422
        assert pull.reviews == []


async def test_threads_can_be_answered_and_cleared() -> None:
    async with installed() as (_, pull, api):
        await api.reviews.create(REPO, 1, review(pull))
        (first,) = await api.reviews.comments(REPO, 1)
        reply = await api.reviews.reply(REPO, 1, first.id, "An answer")
        assert (reply.in_reply_to, reply.body) == (first.id, "An answer")
        for _ in range(2):
            await api.reviews.delete_comment(REPO, reply.id)
            assert [one.id for one in await api.reviews.comments(REPO, 1)] == [first.id]


async def test_a_pending_review_is_found_and_deleted() -> None:
    async with installed() as (_, pull, api):
        pull.review(None, "stale", by="reviewbot[bot]")
        pull.review(None, "of somebody else", by="mona")
        (pending,) = [one for one in await api.reviews.all(REPO, 1) if one.state == "PENDING"]
        assert pending.body == "stale"
        for _ in range(2):
            await api.reviews.delete_pending(REPO, 1, pending.id)
            assert pending.id not in [one.id for one in await api.reviews.all(REPO, 1)]


# --- Comments


async def test_comments_are_written_changed_and_deleted() -> None:
    async with installed() as (_, pull, api):
        pull.comment("Hello", by="mona")
        made = await api.comments.create(REPO, 1, "A comment")
        assert [(one.author.login, one.body) for one in await api.comments.all(REPO, 1)] == [
            ("mona", "Hello"),
            ("reviewbot[bot]", "A comment"),
        ]
        assert (await api.comments.update(REPO, made.id, "Changed")).body == "Changed"
        assert (await api.comments.all(REPO, 1))[-1].body == "Changed"
        for _ in range(2):
            await api.comments.delete(REPO, made.id)
            assert [one.body for one in await api.comments.all(REPO, 1)] == ["Hello"]


async def test_reactions_go_to_comments_of_both_kinds_once() -> None:
    async with installed() as (github, pull, api):
        github.rules.documented_reactions = False
        comment = pull.comment("/review", by="mona")
        on_line = pull.review_comment("a.py", 1, "/explain", by="mona")
        for _ in range(2):
            await api.comments.react(REPO, comment.id, on_line=False)
            await api.comments.react(REPO, on_line.id, on_line=True)
        assert [one.content for one in comment.reactions] == ["eyes"]
        assert [one.content for one in on_line.reactions] == ["eyes"]


# --- Threads


async def test_threads_are_listed_with_the_comment_that_began_them() -> None:
    async with installed() as (_, pull, api):
        await api.reviews.create(REPO, 1, review(pull))
        (first,) = await api.reviews.comments(REPO, 1)
        pull.reply(pull.review_comments[0], "No", by="mona")
        other = pull.review_comment("a.py", 1, "Mine", by="mona")
        pull.resolve(other.thread, by="rita")
        one, two = await api.threads.all(REPO, 1)
        assert (one.first_comment, one.resolved, one.resolved_by) == (first.id, False, None)
        assert (two.first_comment, two.resolved, two.resolved_by) == (other.id, True, "rita")


async def test_many_threads_come_in_pages() -> None:
    async with installed() as (_, pull, api):
        lines = [{"path": "a.py", "line": 1, "side": "RIGHT", "body": "x"}] * 26
        for _ in range(9):
            pull.review(comments=lines, by="mona")
        assert len({one.id for one in await api.threads.all(REPO, 1)}) == 234
        assert len(await api.reviews.comments(REPO, 1)) == 234


async def test_issues_of_the_repository_come_with_the_first_page_of_threads() -> None:
    async with installed() as (github, pull, api):
        for _ in range(4):
            comments = [{"path": "a.py", "line": 1, "side": "RIGHT", "body": "x"}] * 26
            pull.review(comments=comments, by="mona")
        other = github.repository("octo/secret", BASE)
        pull.closes.append(other.open_issue("Private", "Plan."))
        pull.closes += [
            pull.repo.open_issue(f"Issue {number}", "x" * 30_000) for number in range(7)
        ]
        found = await api.threads.discussion(REPO, 1)
        threads, issues = found.threads, found.issues
        assert found.author == pull.user.login
        assert [request.path for request in github.requests].count("/graphql") == 2
        assert len(threads) == 104
        assert [issue.title for issue in issues] == [f"Issue {number}" for number in range(5)]
        assert {len(issue.body) for issue in issues} == {20_000}


async def test_a_refused_field_of_issues_leaves_the_threads() -> None:
    """GitHub may refuse the field as a whole, or each issue."""
    threads = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []}
    pull_request = {"closingIssuesReferences": None, "reviewThreads": threads}
    home = {"id": "R_1", "pullRequest": pull_request}
    path = ["repository", "pullRequest", "closingIssuesReferences"]
    refusal = {"type": "FORBIDDEN", "path": path, "message": "No."}
    async with installed() as (github, _, api):
        body = {"data": {"repository": home}, "errors": [refusal]}
        github.fail(Fault("POST", "/graphql", 200, body))
        assert await api.threads.discussion(REPO, 1) == Discussion(())
        elsewhere = {**refusal, "path": ["repository", "pullRequest"]}
        github.fail(Fault("POST", "/graphql", 200, {**body, "errors": [refusal, elsewhere]}))
        with pytest.raises(NotFoundError):
            await api.threads.discussion(REPO, 1)
    async with installed({"pull_requests": "read", "metadata": "read"}) as (_, pull, api):
        pull.closes.append(pull.repo.open_issue("A problem"))
        pull.review_comment("a.py", 1, "Mine", by="mona")
        found = await api.threads.discussion(REPO, 1)
        assert (len(found.threads), found.issues) == (1, ())


async def test_resolving_without_the_permission_is_a_value() -> None:
    async with installed() as (_, pull, api):
        await api.reviews.create(REPO, 1, review(pull))
        (thread,) = await api.threads.all(REPO, 1)
        assert await api.threads.resolve(thread.id) is False
        assert await api.threads.resolve("PRRT_unknown") is False
        assert not pull.threads[0].resolved_by


async def test_with_the_permission_a_thread_is_resolved() -> None:
    permissions = {"contents": "write", "pull_requests": "write", "metadata": "read"}
    async with installed(permissions) as (_, pull, api):
        await api.reviews.create(REPO, 1, review(pull))
        (thread,) = await api.threads.all(REPO, 1)
        assert await api.threads.resolve(thread.id) is True
        (thread,) = await api.threads.all(REPO, 1)
        assert (thread.resolved, thread.resolved_by) == (True, None)


async def test_our_own_comments_can_be_hidden_and_others_not() -> None:
    async with installed() as (_, pull, api):
        await api.reviews.create(REPO, 1, review(pull))
        (ours,) = await api.reviews.comments(REPO, 1)
        assert await api.threads.minimize(ours.node_id) is True
        assert pull.review_comments[0].minimized == "outdated"
        theirs = pull.comment("Hello", by="mona")
        assert await api.threads.minimize(theirs.node_id) is False


async def test_threads_of_what_is_not_there_are_not_there() -> None:
    async with installed() as (_, _, api):
        with pytest.raises(NotFoundError, match="octo/other#1"):
            await api.threads.all("octo/other", 1)


# --- The App


async def test_the_app_knows_itself() -> None:
    async with FakeGitHub() as github:
        credentials = AppCredentials(str(github.app.id), SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url) as gateway:
            found = await gateway.app.get()
            assert (found.id, found.slug, found.login) == (
                github.app.id,
                "reviewbot",
                "reviewbot[bot]",
            )
            assert await gateway.login() == "reviewbot[bot]"


async def test_deliveries_are_listed_back_to_a_time_and_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FakeGitHub() as github:
        pull = github.pull(BASE, HEAD)
        github.install(pull.repo)
        nobody = "http://127.0.0.1:9/webhooks/github"
        sent = await github.deliver(github.delivery("pull_request", "opened", pull=pull), nobody)
        github.app.deliveries += [replace(sent, id=sent.id + number) for number in range(1, 120)]
        credentials = AppCredentials(str(github.app.id), SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url, pace=AT_ONCE) as gateway:
            now = datetime.now(UTC)
            found = await gateway.app.deliveries(now - timedelta(hours=1))
            assert len(found) == 120
            assert len({one.id for one in found}) == 120
            newest = found[0]
            assert newest.guid == sent.delivery.guid
            assert not newest.succeeded
            assert not newest.redelivery
            assert await gateway.app.deliveries(now + timedelta(hours=1)) == ()
            monkeypatch.setattr(app_api, "MOST", 100)
            assert await gateway.app.deliveries(now - timedelta(hours=1)) == found[:100]
            await gateway.app.redeliver(newest.id)


@pytest.mark.slow
async def test_a_new_app_comes_of_a_manifests_code_once() -> None:
    manifest = {
        "name": "My reviewer",
        "url": "https://reviewbot.invalid",
        "hook_attributes": {"url": "https://reviewbot.invalid/webhooks/github"},
        "redirect_url": "https://reviewbot.invalid/setup",
        "default_permissions": {"contents": "read"},
        "default_events": [],
    }
    async with FakeGitHub() as github, Gateway(None, base_url=github.url) as gateway:
        code = github.manifest_code(manifest)
        made = await gateway.new_app(code)
        assert (made.slug, made.name) == ("my-reviewer", "my-reviewer")
        assert made.private_key.reveal().startswith("-----BEGIN")
        assert made.webhook_secret.reveal()
        assert made.private_key.reveal() not in repr(made)
        with pytest.raises(NotFoundError):
            await gateway.new_app(code)
        with pytest.raises(NotFoundError):
            await gateway.new_app("../x/..")


# --- What may not be done


async def test_a_missing_permission_is_named_as_github_names_it() -> None:
    async with installed({"pull_requests": "read", "metadata": "read"}) as (_, pull, api):
        with pytest.raises(ForbiddenError, match="needs the permission pull_requests: write, in"):
            await api.reviews.create(REPO, 1, review(pull))
        with pytest.raises(ForbiddenError, match="checks: write"):
            await api.checks.create(REPO, {"name": "x", "head_sha": pull.head_sha})
        with pytest.raises(ForbiddenError, match="issues: write; pull_requests: write"):
            await api.comments.create(REPO, 1, "text")


@pytest.mark.parametrize(
    ("status", "message"), [(410, "was deleted"), (451, "legal reasons"), (409, "409")]
)
async def test_each_refusal_has_a_sentence(status: int, message: str) -> None:
    async with installed() as (github, _, api):
        github.fail(faults.error("GET", "/pulls/1", status))
        with pytest.raises(Exception, match=message) as caught:
            await api.pulls.get(REPO, 1)
        assert str(caught.value).count(". ") == 0


# --- The whole way


async def test_on_an_enterprise_server_all_of_it_works_too() -> None:
    async with FakeGitHub(enterprise=True) as github:
        pull = github.pull(BASE, HEAD)
        number = github.install(pull.repo).id
        credentials = AppCredentials(str(github.app.id), SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url, pace=AT_ONCE) as gateway:
            api = gateway.installation(number)
            await api.reviews.create(REPO, 1, review(pull))
            assert len(await api.threads.all(REPO, 1)) == 1
            ends = (pull.base_sha, pull.head_sha)
            diff = await api.pulls.compare_diff(REPO, *ends, max_bytes=10_000)
            assert diff == pull.diff_text


async def test_a_write_that_happened_and_was_not_answered_can_be_found() -> None:
    from reviewbot.github.client.errors import UncertainWriteError

    async with installed() as (github, pull, api):
        github.fail(faults.error_after("POST", "/reviews"), faults.drop("POST", "/comments"))
        with pytest.raises(UncertainWriteError):
            await api.reviews.create(REPO, 1, review(pull))
        assert [one.body for one in await api.reviews.all(REPO, 1)] == ["Above"]
        with pytest.raises(UncertainWriteError):
            await api.comments.create(REPO, 1, "text")
        assert await api.comments.all(REPO, 1) == ()
