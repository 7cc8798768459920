"""Reviews on a server of a diff that was reviewed before, with code outside of the diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.given_files import GivenFiles
from reviewbot.server.telemetry.instrumentation import Telemetry
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.models.scripted import item
from tests.server.in_process import reviewed, service

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.jobs.service import ReviewService
    from reviewbot.store.reviews import ReviewRow

DIFF = b"""\
--- a/app.py
+++ b/app.py
@@ -1,2 +1,2 @@
 from lib.rate import rate
-total = 1
+line_1 = rate(1)
"""
APP = b"from lib.rate import rate\nline_1 = rate(1)\n"
CALLEE = b"def rate(count):\n    return count * 2\n"
READ = ("read_code", {"path": "lib/rate.py", "first": 1, "last": 2})
SEARCH = ("search_code", {"text": "rate"})
QUIET = "verify: false\nsummary: false\nlinters: false\n"
WITHOUT_LOOKUPS = "models: {claude-sonnet-5-5: {lookups: false}}\n"
FOUND = item(2, path="app.py", quote="line_1 = rate(1)")
RESTS_ON = [{"path": "lib/rate.py", "quote": "    return count * 2"}]


class Repository:
    """The code at the commit of the next review."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] | None = {"app.py": APP, "lib/rate.py": CALLEE}

    async def find_code(self, _row: ReviewRow) -> CodeAtCommit | None:
        return None if self.files is None else GivenFiles(self.files)


async def review(
    review_service: ReviewService, fake: FakeAnthropic, *answers: Answer
) -> list[dict[str, Any]]:
    """Review the diff, for which the model is expected to be asked for these answers."""
    before = len(fake.requests)
    fake.enqueue(*answers)
    records = await reviewed(review_service, DIFF)
    assert len(fake.requests) - before == len(answers)
    assert records[-1]["outcome"] == "findings"
    return records


def findings(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shown = [record["finding"] for record in records if record["type"] == "finding"]
    return [{key: value for key, value in finding.items() if key != "cached"} for finding in shown]


def conversation() -> tuple[Answer, ...]:
    return (
        Answer(call=False, lookups=[READ]),
        Answer([FOUND | {"rests_on": RESTS_ON}], outcome="continuing", lookups=[SEARCH]),
        Answer(),
    )


@pytest.fixture
def repository() -> Repository:
    """The repository that is reviewed."""
    return Repository()


@pytest.mark.slow
async def test_look_ups_are_repeated_at_the_new_commit_and_decide_about_reuse(
    tmp_path: Path, repository: Repository
) -> None:
    (tmp_path / ".reviewbot.yml").write_text(QUIET)
    async with FakeAnthropic() as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        async with service(
            tmp_path, Telemetry(), model="claude-sonnet-5-5", env=env
        ) as review_service:
            review_service.find_code = repository.find_code
            first = await review(review_service, fake, *conversation())
            again = await review(review_service, fake)
            assert findings(again) == findings(first)
            assert [place["line"] for place in findings(again)[0]["rests_on"]] == [2]
            assert first[-1]["lookups"]["count"] == 2
            assert again[-1]["lookups"] is None
            assert again[-1]["usage"]["input"] == again[-1]["usage"]["output"] == 0
            repository.files = {"app.py": APP, "lib/rate.py": CALLEE.replace(b"2", b"3")}
            await review(review_service, fake, *conversation())  # only the callee changed
            await review(review_service, fake)
            repository.files |= {"b.py": b"rate = 3\n"}
            await review(review_service, fake, *conversation())  # the search finds another file
            repository.files |= {"c.py": b"unrelated = 3\n"}
            await review(review_service, fake)
            repository.files = None
            await review(review_service, fake, Answer([FOUND]))


async def test_another_number_of_look_ups_is_another_prompt(
    tmp_path: Path, repository: Repository
) -> None:
    async with FakeAnthropic() as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        async with service(
            tmp_path, Telemetry(), model="claude-sonnet-5-5", env=env
        ) as review_service:
            review_service.find_code = repository.find_code
            for limit in (12, 24):
                (tmp_path / ".reviewbot.yml").write_text(f"{QUIET}lookups: {limit}\n")
                await review(review_service, fake, Answer([FOUND]))
            await review(review_service, fake)


async def test_a_dossier_that_changed_is_asked_about_again(
    tmp_path: Path, repository: Repository
) -> None:
    (tmp_path / ".reviewbot.yml").write_text(QUIET + WITHOUT_LOOKUPS)
    async with FakeAnthropic() as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        async with service(
            tmp_path, Telemetry(), model="claude-sonnet-5-5", env=env
        ) as review_service:
            review_service.find_code = repository.find_code
            await review(review_service, fake, Answer([FOUND]))
            assert "return count * 2" in fake.requests[0].text
            await review(review_service, fake)
            repository.files = {"app.py": APP, "lib/rate.py": CALLEE.replace(b"2", b"3")}
            await review(review_service, fake, Answer([FOUND]))
            repository.files |= {"c.py": b"unrelated = 3\n"}
            await review(review_service, fake)
            repository.files = {"app.py": APP}  # nothing beside the change is left to show
            await review(review_service, fake, Answer([FOUND]))
            await review(review_service, fake)
