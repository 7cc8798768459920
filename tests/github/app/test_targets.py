"""What publishing needs is stored with a review, and read again after an upgrade."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa

from reviewbot.core.findings.levels import PathRules, RuleLevels
from reviewbot.github.app.targets import (
    AnswerTarget,
    ReplyTarget,
    ReviewTarget,
    Target,
    from_json,
    to_json,
)
from reviewbot.github.change.subject import PublishOptions, Subject
from reviewbot.github.commands.answers import CommandComment
from reviewbot.github.dialogue.look import AnswerPlace
from reviewbot.github.identity import PullName
from reviewbot.store import turns
from reviewbot.store.tables import PUBLICATIONS
from tests.github.action_runs import find_marked, hanging
from tests.github.app_runs import app_server
from tests.support.github_stories import BASE, app, bug, conclusions, titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub

FLAT_REVIEW: Final = """\
{"repo": "octo/hello", "repository_id": 3000000001, "number": 1, \
"head": "de156fa7b90348466a852a6a2454598c1194a4bb", \
"base": "7bb38c825481f6e2616bb00200b79134515d3168", \
"merge_base": "7bb38c825481f6e2616bb00200b79134515d3168", \
"page": "https://github.com/octo/hello", "settings": "985d47e5f89c4106", "fail_on": "warning", \
"if_incomplete": "failure", "link_hosts": ["github.com"], "unshown": [], "full": true, \
"block": null, "rules": {"python/eval": "off"}, \
"path_rules": [{"paths": ["tests/**"], "rules": {"bug": "note"}}], "max_inline": 4, \
"rules_commit": "7bb38c825481f6e2616bb00200b79134515d3168", "only": ""}"""
"""A row of a review as the versions with tables 3 wrote it."""
FLAT_REPLY: Final = """\
{"kind": "reply", "repo": "octo/hello", "repository_id": 3000000001, "number": 7, \
"comment": 41, "thread": 40, "link_hosts": ["github.com"]}"""
"""A row of an answer as they wrote it."""

REVIEW: Final = ReviewTarget(
    Subject(
        pull=PullName("octo/hello", 1, 3000000001),
        head="de156fa7b90348466a852a6a2454598c1194a4bb",
        base="7bb38c825481f6e2616bb00200b79134515d3168",
        merge_base="7bb38c825481f6e2616bb00200b79134515d3168",
        page="https://github.com/octo/hello",
        settings="985d47e5f89c4106",
        levels=RuleLevels({"python/eval": "off"}, (PathRules(("tests/**",), {"bug": "note"}),)),
        rules_commit="7bb38c825481f6e2616bb00200b79134515d3168",
    ),
    PublishOptions(fail_on="warning", by_app=True, max_inline=4),
)
REPLY: Final = ReplyTarget(
    CommandComment(PullName("octo/hello", 7, 3000000001), 41, 40), ("github.com",)
)


@pytest.mark.parametrize(("flat", "target"), [(FLAT_REVIEW, REVIEW), (FLAT_REPLY, REPLY)])
def test_a_target_is_read_from_its_own_form_and_from_the_flat_form(
    flat: str, target: Target
) -> None:
    assert from_json(json.loads(json.dumps(to_json(target)))) == target
    assert from_json(json.loads(flat)) == target


def test_the_target_of_a_reply_to_a_finding_is_read_from_its_own_form() -> None:
    pull = PullName("octo/hello", 7, 3000000001)
    place = AnswerPlace(
        pull=pull,
        head="a" * 40,
        base="b" * 40,
        page="https://github.com/octo/hello",
        thread=40,
        node="T_1",
        key="0123456789abcdef-41",
        path="app.py",
        digest="1" * 16,
        whole_digest="2" * 16,
    )
    target = AnswerTarget(place, ("github.com",))
    assert from_json(json.loads(json.dumps(to_json(target)))) == target
    assert target.pull == pull


@pytest.mark.parametrize("data", [{}, {"kind": "reply"}, {"subject": {}}, {"question": None}])
def test_other_data_is_refused_with_the_missing_field(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^target\.(subject|question|options)"):
        from_json(data)


async def test_a_review_that_an_earlier_version_stored_is_published_after_the_upgrade(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    begun = hanging(model)
    async with app_server(github, model, tmp_path) as server:
        pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 60, 10))))
        await server.deliver()
        await begun.wait()

        def make_flat(connection: sa.Connection) -> None:
            stored = json.loads(connection.scalar(sa.select(PUBLICATIONS.c.target)) or "")
            subject = stored["subject"]
            own = {key: subject[key] for key in ("head", "base", "merge_base", "page", "settings")}
            flat = json.dumps(json.loads(FLAT_REVIEW) | own)
            connection.execute(sa.update(PUBLICATIONS).values(target=flat))

        await server.service.database.write(make_flat)
    model.respond = find_marked
    async with app_server(github, model, tmp_path) as server:
        database = server.service.database
        (row,) = await database.read(turns.running)
        run = await database.write(partial(turns.requeue, review_id=row.id, run=row.runs, breaks=0))
        await server.queue.enqueue(row.id, run or 0, row.tenant)
        await server.settle()
    assert len(titles(pull)) == len(pull.review_comments) == 4  # max_inline of the row
    assert conclusions(pull) == ["failure"]  # fail_on of the row, for warnings
