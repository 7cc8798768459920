"""The fake GitHub: check runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.github_clients import RUN, http, pygithub

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest

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
