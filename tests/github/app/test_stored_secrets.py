"""What the App stores of pull requests shows no secret. Without its key, its work fails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from reviewbot.store import turns
from reviewbot.store.encryption import StoreCipher
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS, REVIEWS, WHOLE_FILES
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import find_marked, hanging
from tests.github.app_runs import app_server
from tests.server.nodes import until
from tests.support.github_stories import BASE, ONE, conclusions, summary_of, titles
from tests.support.store_keys import OTHER
from tests.support.stored_bytes import places_of, token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.github.app_runs import AppServer

NAMES: Final = ("diff", "file", "title", "body", "comment")
SECRETS: Final = {name: token(name) for name in NAMES}
CODE: Final = BASE["app.py"] + f'key = "{SECRETS["file"]}"\n'
"""A secret far from the change, which only the whole file has."""
CHANGED: Final = ONE["app.py"] + f'key = "{SECRETS["file"]}"\n'
HEAD: Final = {"app.py": CHANGED, "leak.py": f'token = "{SECRETS["diff"]}"\n'}
TEXTS: Final[dict[str, Any]] = {
    "title": f"Use {SECRETS['title']}",
    "body": f"It is {SECRETS['body']}.",
}


def stored(folder: Path) -> set[str]:
    return places_of(SECRETS, [folder], [f"sqlite:///{folder / 'reviewbot.db'}"])


async def count(server: AppServer, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await server.service.database.read(lambda connection: connection.scalar(query) or 0)


async def test_deliveries_reviews_and_questions_show_no_secret(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE | {"app.py": CODE}))
    async with app_server(github, model, tmp_path) as server:
        denied = github.fail(faults.error("GET", "/pulls/", 502, times=None))
        pull = github.pull(base=BASE | {"app.py": CODE}, head=BASE | HEAD, **TEXTS)
        await server.deliver()
        await until(lambda: bool(denied.hit))
        assert await count(server, DELIVERIES)
        assert stored(tmp_path) == set()

        begun = hanging(model, then=find_marked)
        github.faults.clear()
        await begun.wait()
        assert await count(server, WHOLE_FILES)
        assert await count(server, PUBLICATIONS)
        assert stored(tmp_path) == set()
        (row,) = await server.service.database.read(turns.running)
        await server.service.stop(row.id)
        pull.comment("/review", by="octo")
        await server.settle()
        assert len(titles(pull)) == 2  # the bug and the secret of the diff
        assert stored(tmp_path) == set()

        asked = hanging(model)
        bug = next(one for one in pull.review_comments if "Division" in one.body)
        pull.reply(bug, f"Even with {SECRETS['comment']}?", by="octo")
        pull.reply(bug, "/explain", by="octo")
        await server.deliver()
        await asked.wait()
        assert stored(tmp_path) == set()
        model.respond = lambda _: Answer([])


async def test_without_their_key_deliveries_and_publications_fail_with_the_reason(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    begun = hanging(model)
    async with app_server(github, model, tmp_path) as server:
        pull = github.pull(base=BASE, head=BASE | ONE)
        await server.deliver()
        await begun.wait()
        denied = github.fail(faults.error("GET", "/pulls/", 502, times=None))
        pull.push({"b.py": "b = 1\n"})
        await server.deliver()
        await until(lambda: bool(denied.hit))
    github.faults.clear()
    model.respond = find_marked
    async with app_server(github, model, tmp_path, cipher=StoreCipher([OTHER])) as server:
        database = server.service.database
        (row,) = await database.read(turns.running)
        run = await database.write(partial(turns.requeue, review_id=row.id, run=row.runs, breaks=0))
        await server.queue.enqueue(row.id, run or 0, row.tenant)
        await server.settle()
        lost = "its stored source was encrypted with the key"

        def read(connection: sa.Connection) -> Any:
            rows = [
                connection.execute(sa.select(table.c.state, table.c.reason)).all()
                for table in (DELIVERIES, PUBLICATIONS)
            ]
            return (*rows, connection.scalars(sa.select(REVIEWS.c.outcome)).all())

        deliveries, publications, outcomes = await database.read(read)
        failed = [reason for state, reason in deliveries if state == "failed"]
        assert len(failed) == 1
        assert failed[0].startswith(f"failed permanently after 2 attempts: {lost}")
        assert [state for state, _ in publications] == ["failed"]
        assert lost in publications[0].reason
        assert outcomes == ["incomplete"]
    assert conclusions(pull) == ["failure"], summary_of(pull)
