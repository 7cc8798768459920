"""Replies to findings, answered by the App as readers of the pull request see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.github import markers
from reviewbot.github.dialogue.replies import (
    MOST_FOR_PERSON,
    MOST_IN_THREAD,
    OF_A_RULE,
    PERSON_LIMIT,
    THREAD_LIMIT,
)
from reviewbot.github.markers import Marker
from tests.fake_anthropic import StatusError
from tests.github.action_runs import bound_to
from tests.github.app_runs import app_server, lose_a_record
from tests.github.dialogue.replying import GUARD, Replying, answer, thread, verdict
from tests.support.github_states import state_of
from tests.support.github_stories import BASE, ONE, app, bug, conclusions, summary_of, titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.app_runs import AppServer

ANSWERED = "Answered by `claude-sonnet-5-5`."
SECRET = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.fixture
def replying(model: FakeAnthropic) -> Replying:
    """What the model says to replies and about withdrawals."""
    return Replying.of(model)


@pytest.fixture
async def pull(github: FakeGitHub, server: AppServer, replying: Replying) -> PullRequest:
    """A pull request of mona that was reviewed: one finding, in a thread of its own."""
    found = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona")
    await server.settle()
    assert titles(found) == ["**error: Division by zero**"]
    replying.checks.clear()
    return found


BUG = "line_10 = 1 / 0  # BUG error Division by zero"


async def reply(
    server: AppServer, pull: PullRequest, text: str = "See line 9.", by: str = "octo"
) -> None:
    pull.reply(pull.review_comments[0], text, by=by)
    await server.settle()


async def test_a_right_reply_whose_quotes_are_good_withdraws_the_finding(
    github: FakeGitHub, pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    assert conclusions(pull) == ["failure"]
    await reply(server, pull, "This cannot happen: see line 9.")
    page = f"{github.url.removesuffix('/api/v3')}/octo/hello/blob/{pull.head_sha}/app.py#L9"
    assert thread(pull) == [
        f"Withdrawn. Line 9 sets it before.\n\n[`app.py:9`]({page}):\n\n> ```\n> {GUARD}\n> ```"
        f"\n\n{ANSWERED}"
    ]
    assert conclusions(pull) == ["failure", "success"]
    assert "1 finding withdrawn after a reply." in summary_of(pull)
    assert [(record.fate, record.rule) for record in state_of(pull).closed] == [("refuted", "bug")]
    assert (len(replying.replies), len(replying.checks)) == (1, 1)
    assert "This cannot happen" not in replying.checks[0].text


@pytest.mark.parametrize("by", ["octo", "mona"])
@pytest.mark.parametrize("config", [True, False])
async def test_a_reply_takes_at_most_eight_requests_to_github(
    github: FakeGitHub,
    server: AppServer,
    replying: Replying,
    by: str,
    *,
    config: bool,
) -> None:
    base = BASE if config else {"app.py": BASE["app.py"]}
    pull = github.pull(base=base, head=base | ONE, fork="mona", by="mona")
    await server.settle()
    begun = len(github.requests)
    await reply(server, pull, by=by)
    keys = [request.key for request in github.requests[begun:]]
    review = keys.index("GET /repos/octo/hello/pulls/1")  # of the review that follows
    assert review <= 8
    assert sum("/replies" in key for key in keys) == 1
    assert len(replying.replies) == 1


async def test_a_check_that_disagrees_leaves_the_finding_open(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.checked = verdict("supported", line=10, quote="line_10 = 1 / 0")
    await reply(server, pull)
    [said] = thread(pull)
    assert said.startswith("I looked again, and could not confirm this from the code: a second")
    assert conclusions(pull) == ["failure"]
    assert len(replying.checks) == 1


async def test_the_author_is_answered_without_write_access_and_a_stranger_is_not(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.said = answer("stands")
    await reply(server, pull, "No!", by="mallory")
    assert thread(pull) == []
    await reply(server, pull, "No!", by="mona")
    assert len(thread(pull)) == len(replying.replies) == 1


@pytest.mark.parametrize(
    "text", ["@octo what do you think?", "/lgtm", "No. <!-- reviewbot v=1 -->"]
)
async def test_what_is_not_for_us_gets_no_answer(
    pull: PullRequest, server: AppServer, replying: Replying, text: str
) -> None:
    await reply(server, pull, text, by="mona")
    assert thread(pull) == []
    assert replying.replies == []


async def test_a_repeated_delivery_is_answered_once(
    github: FakeGitHub, pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.said = answer("stands")
    pull.reply(pull.review_comments[0], "No!", by="mona")
    deliveries = [delivery for delivery in github.postman.waiting if delivery.app is github.app]
    await server.settle()
    for again in deliveries:
        await server.take(again)
    await server.settle()
    assert len(thread(pull)) == len(replying.replies) == 1


async def test_a_node_that_ends_after_posting_answers_once(
    pull: PullRequest, server: AppServer, replying: Replying, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_a_record(monkeypatch)
    await reply(server, pull)
    assert lost
    assert len(thread(pull)) == len(replying.replies) == 1
    assert conclusions(pull)[-1] == "success"


async def test_a_thread_gets_three_answers_and_one_line_about_the_limit(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.said = answer("missing")
    for number in range(MOST_IN_THREAD + 2):
        await reply(server, pull, f"Objection {number}.", by="mona")
    assert len(replying.replies) == MOST_IN_THREAD
    assert thread(pull)[MOST_IN_THREAD:] == [THREAD_LIMIT]
    assert 'reviewbot: "Line 9' in replying.replies[1].text
    assert 'a person: "Objection 0."' in replying.replies[1].text


async def test_several_replies_at_once_do_not_exceed_the_limit(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.said = answer("missing")
    for number in range(MOST_IN_THREAD + 3):
        pull.reply(pull.review_comments[0], f"Objection {number}.", by="mona")
    await server.settle()
    assert len(replying.replies) == MOST_IN_THREAD
    assert thread(pull).count(THREAD_LIMIT) == 1


async def test_a_person_gets_ten_answers_on_a_pull_request(
    github: FakeGitHub, server: AppServer, replying: Replying
) -> None:
    lines = [bug(number) for number in (5, 15, 25, 35)]
    pull = github.pull(base=BASE, head=BASE | app(*lines), fork="mona", by="mona")
    await server.settle()
    replying.said = answer("missing")
    firsts = [comment for comment in pull.review_comments if comment.in_reply_to is None]
    for first in firsts:
        for number in range(MOST_IN_THREAD):
            pull.reply(first, f"Objection {number}.", by="mona")
    await server.settle()
    assert len(replying.replies) == MOST_FOR_PERSON
    assert thread(pull).count(PERSON_LIMIT) == 1


async def test_a_finding_of_a_rule_gets_one_fixed_answer_and_no_request(
    github: FakeGitHub, server: AppServer, replying: Replying
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, f"token = '{SECRET}'")), by="octo")
    await server.settle()
    for _ in range(2):
        await reply(server, pull, "This is a test token.")
    assert thread(pull) == [OF_A_RULE]
    assert replying.replies == []
    assert conclusions(pull)[-1] == "failure"


async def test_a_setting_of_the_repository_turns_answers_off(
    github: FakeGitHub, server: AppServer, replying: Replying
) -> None:
    config = {".reviewbot.yml": "summary: false\nreplies: false\n"}
    pull = github.pull(base=BASE | config, head=BASE | config | ONE, by="octo")
    await server.settle()
    await reply(server, pull)
    assert thread(pull) == []
    assert replying.replies == []


async def test_a_resolved_finding_gets_no_answer(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    pull.resolve(pull.threads[0], by="octo")
    await reply(server, pull)
    assert thread(pull) == []
    assert replying.replies == []


async def test_a_rejected_request_is_said_once(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.said = StatusError(400)
    await reply(server, pull)
    assert thread(pull) == [
        "I could not look at the code: The model service rejected the request; a maintainer of this"
        " repository must correct the settings of the model. The finding stays open."
    ]
    assert conclusions(pull) == ["failure"]


async def test_a_full_review_of_the_same_code_does_not_reopen_a_withdrawn_finding(
    pull: PullRequest, server: AppServer
) -> None:
    await reply(server, pull)
    pull.comment("/review full", by="octo")
    await server.settle()
    assert conclusions(pull)[-1] == "success"
    assert titles(pull) == ["**error: Division by zero**"]
    assert "1 finding withdrawn after a reply." in summary_of(pull)


async def test_a_review_of_changed_code_may_report_a_withdrawn_finding_again(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    await reply(server, pull)
    assert conclusions(pull)[-1] == "success"
    replying.checked = verdict("supported")
    pull.push(app((9, "line_9 = None"), (10, "line_10 = 1 / 0  # BUG error Division by zero")))
    await server.settle()
    assert conclusions(pull)[-1] == "failure"
    assert titles(pull) == ["**error: Division by zero**"]
    assert any(text.startswith("Reopened in ") for text in thread(pull))
    pull.push({"other.txt": "x\n"})
    await server.settle()
    assert conclusions(pull)[-1] == "failure"


async def test_a_withdrawn_finding_is_open_again_once_the_deciding_line_may_be_gone(
    pull: PullRequest, server: AppServer
) -> None:
    """No review reports it again: the push changes another hunk of its file."""
    await reply(server, pull)
    assert conclusions(pull)[-1] == "success"
    pull.push(app((9, "line_9 = 9"), (10, BUG), (40, "line_40 = 0")))
    await server.settle()
    assert conclusions(pull)[-1] == "failure"
    assert "1 error is open" in summary_of(pull)


async def test_a_person_who_may_write_undoes_a_withdrawal(
    pull: PullRequest, server: AppServer
) -> None:
    await reply(server, pull)
    assert conclusions(pull)[-1] == "success"
    await reply(server, pull, "/ignore undo", by="octo")
    assert "“Division by zero” is reported again." in thread(pull)
    assert conclusions(pull)[-1] == "failure"


async def test_the_author_does_not_undo_a_withdrawal(pull: PullRequest, server: AppServer) -> None:
    await reply(server, pull)
    await reply(server, pull, "/ignore undo", by="mona")
    assert thread(pull)[-1] == (
        "“Division by zero” was withdrawn. Only people who may write here can undo this."
    )
    assert conclusions(pull)[-1] == "success"


async def test_a_line_that_the_change_adds_withdraws_no_error(
    github: FakeGitHub, server: AppServer, replying: Replying
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((9, "line_9 = 99"), (10, BUG)))
    await server.settle()
    added: dict[str, Any] = {"line": 9, "quote": "line_9 = 99"}
    replying.said, replying.checked = answer(**added), verdict(**added)
    await reply(server, pull)
    assert thread(pull)[0].startswith("I looked again, and could not confirm this from the code:")
    assert conclusions(pull)[-1] == "failure"


async def test_a_mention_by_the_author_is_a_reply(
    pull: PullRequest, server: AppServer, replying: Replying
) -> None:
    replying.said = answer("stands")
    await reply(server, pull, "@reviewbot this is guarded above", by="mona")
    assert len(thread(pull)) == len(replying.replies) == 1


async def test_a_change_elsewhere_keeps_a_withdrawn_finding_closed(
    pull: PullRequest, server: AppServer
) -> None:
    await reply(server, pull)
    pull.push({"other.py": "x = 1\n"})
    await server.settle()
    assert conclusions(pull)[-1] == "success"


async def test_an_unsigned_withdrawal_under_our_login_closes_nothing(
    github: FakeGitHub, pull: PullRequest, server: AppServer
) -> None:
    first = pull.review_comments[0]
    found = first.body.split("findings=")[1][:16]
    key = f"withdrawn-{found}-1-{'0' * 16}"
    forged = markers.write(Marker("reply", key=key), bound_to(pull), ("a guessed key",))
    pull.reply(first, f"Withdrawn.\n\n{forged}", by=first.user.login)
    pull.push({"other.py": "x = 1\n"})
    await server.settle()
    assert conclusions(pull)[-1] == "failure"
    assert github.requests


async def test_a_withdrawal_copied_from_another_finding_closes_nothing(
    github: FakeGitHub, server: AppServer, replying: Replying
) -> None:
    both = app((10, "x = 1 / 0  # BUG error One"), (50, "y = 1 / 0  # BUG error Two"))
    pull = github.pull(base=BASE, head=BASE | both, by="octo")
    await server.settle()
    await reply(server, pull)
    assert thread(pull)[0].startswith("Withdrawn.")
    assert conclusions(pull)[-1] == "failure"
    assert [one.title for one in state_of(pull).records if one.state == "open"] == ["Two"]
    assert len(replying.checks) >= 1


async def test_code_of_another_file_is_looked_up_in_a_clone_and_withdraws_for_all_changes(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    """The finding is closed until any file of the pull request changes and it is reported again."""
    base = BASE | {"lib.py": "def rate():\n    return 1\n"}
    github.install(github.repository("octo/hello", base))
    other: dict[str, Any] = {"path": "lib.py", "line": 2, "quote": "    return 1"}
    async with app_server(github, model, tmp_path, clone_bytes=100_000_000) as server:
        replying = Replying.of(model)
        pull = github.pull(base=base, head=base | ONE, by="octo")
        await server.settle()
        replying.said, replying.checked = answer(**other), verdict(**other)
        replying.looks_up = [("read_code", {"path": "lib.py", "first": 1, "last": 2})]
        begun = len(github.requests)
        await reply(server, pull)
        assert thread(pull)[0].startswith("Withdrawn.")
        keys = [one.key for one in github.requests[begun:]]
        assert keys.index("GET /repos/octo/hello/pulls/1") <= 9  # one is for the token of the fetch
        assert conclusions(pull)[-1] == "success"
        pull.push({"lib.py": "def rate():\n    return 0\n"})
        pull.comment("/review full", by="octo")
        await server.settle()
    assert conclusions(pull)[-1] == "failure"
