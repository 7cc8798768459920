"""Pull requests with source files that no model, rule or linter reads: never a green check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.github_stories import BASE, conclusions, summary_of

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

COBOL = {"legacy/pay.cbl": "       PROGRAM-ID. PAY.\n"}
PYTHON = {"other.py": "x = 1\n"}


async def test_a_shallow_review_has_a_neutral_check_that_names_the_files_and_the_setting(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | COBOL | PYTHON)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (0, "shallow")
    assert conclusions(pull) == ["neutral"]
    (check,) = pull.repo.check_runs.values()
    assert (check.title or "").startswith(
        "Shallow: no findings in 2 files, of which 1 was not read."
    )
    for text in (check.summary or "", summary_of(pull)):
        assert "`legacy/pay.cbl` (unread)" in text
        assert "`accept_unread: [cobol]`" in text


async def test_an_unread_file_stays_unread_in_later_reviews(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | COBOL | PYTHON)
    await runner.run(pull, model="offline")
    pull.push({"more.py": "y = 2\n"})
    run = await runner.run(pull, model="offline")
    assert run.outputs["outcome"] == "shallow"
    assert conclusions(pull)[-1] == "neutral"


async def test_a_pull_request_of_which_no_source_file_was_read_fails_its_check(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | COBOL)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (3, "incomplete")
    assert conclusions(pull) == ["failure"]


async def test_the_base_can_accept_unread_files(github: FakeGitHub, runner: Runner) -> None:
    accepted = {**BASE, ".reviewbot.yml": "accept_unread: [cobol]\n"}
    pull = github.pull(base=accepted, head=accepted | COBOL | PYTHON)
    run = await runner.run(pull, model="offline")
    assert (run.code, run.outputs["outcome"]) == (0, "clean")
    assert conclusions(pull) == ["success"]


VENDORED = {"vendor/lib.py": "import os\n\nos.system(input())\neval(input())\n"}
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2


async def test_a_new_vendored_file_has_a_neutral_check_and_its_findings_are_only_listed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | PYTHON | VENDORED)
    run = await runner.run(pull, model="offline", fail_on="note")
    assert (run.code, run.outputs["outcome"]) == (0, "shallow")
    assert conclusions(pull) == ["neutral"]
    assert pull.review_comments == []
    (check,) = pull.repo.check_runs.values()
    for text in (check.summary or "", summary_of(pull)):
        assert "`vendor/lib.py` (unread): New, and vendored: third-party code, in vendor/" in text
        assert '`accept_unread: ["/vendor/lib.py"]`' in text
    assert "Its file is not reviewed." in summary_of(pull)


async def test_a_secret_in_a_new_vendored_file_is_posted_and_fails_the_check(
    github: FakeGitHub, runner: Runner
) -> None:
    leak = {"vendor/lib.py": f'token = "{TOKEN}"\n'}
    pull = github.pull(base=BASE, head=BASE | PYTHON | leak)
    run = await runner.run(pull, model="offline", fail_on="error")
    assert (run.code, run.outputs["outcome"]) == (1, "findings")
    assert conclusions(pull) == ["failure"]
    (comment,) = pull.review_comments
    assert comment.thread.anchor.path == "vendor/lib.py"
    assert TOKEN not in comment.body
    pull.push({"vendor/lib.py": "token = None\n"})
    await runner.run(pull, model="offline", fail_on="error")
    assert conclusions(pull)[-1] == "neutral"
    assert "Resolved" in summary_of(pull)


async def test_a_mark_that_a_later_push_adds_resolves_no_finding(
    github: FakeGitHub, runner: Runner
) -> None:
    code = "eval(input())\n"
    pull = github.pull(base=BASE, head=BASE | {"own.py": code})
    await runner.run(pull, model="offline", fail_on="warning")
    assert conclusions(pull)[-1] == "failure"
    pull.push({"own.py": f"# @generated\n{code}"})
    await runner.run(pull, model="offline", fail_on="warning")
    assert conclusions(pull)[-1] == "failure"
    assert "Resolved" not in summary_of(pull)


async def test_the_attributes_of_the_base_name_vendored_files_and_those_of_the_head_do_not(
    github: FakeGitHub, runner: Runner
) -> None:
    attributes = {".gitattributes": "vendor/** linguist-vendored\n"}
    pull = github.pull(base=BASE | attributes, head=BASE | attributes | PYTHON | VENDORED)
    await runner.run(pull, model="offline")
    assert conclusions(pull) == ["success"]
    pull = github.pull(base=BASE, head=BASE | attributes | PYTHON | VENDORED)
    await runner.run(pull, model="offline")
    assert conclusions(pull)[-1] == "neutral"


async def test_an_unread_file_is_not_sent_to_a_model_in_later_reviews(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | PYTHON | VENDORED)
    await runner.run(pull)
    pull.push({"more.py": "y = 2\n", "vendor/lib.py": "eval(input())  # again\n"})
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "shallow"
    assert conclusions(pull)[-1] == "neutral"
    sent = b"".join(request.raw for request in runner.model.requests).decode()
    assert "more.py" in sent
    assert "eval(input())" not in sent
