"""Secrets of a diff are not readable in what the server stores, and every run still finds them."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.store.store_key import FILE
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded
from tests.server.databases import postgres_url
from tests.server.nodes import (
    APART,
    ROOT,
    Node,
    assert_whole,
    findings_for,
    follow,
    node,
    until,
    until_state,
)
from tests.support.forks import run_fork
from tests.support.reviews import numbered
from tests.support.store_keys import KEY_TEXT, OTHER_TEXT
from tests.support.stored_bytes import places_of, token

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

NAMES: Final = ("added", "removed", "name", "title", "description")
SECRETS: Final[Mapping[str, str]] = {name: token(name) for name in NAMES}
LEAK: Final = f"""\
diff --git a/leak.py b/leak.py
--- a/leak.py
+++ b/leak.py
@@ -1,3 +1,4 @@
 import api
-old = "{SECRETS["removed"]}"
+new = "{SECRETS["added"]}"
+api.use({SECRETS["name"]})
 api.use(new)
"""
DIFF: Final = "".join(numbered(f"file_{number}.py", 160) for number in range(2)) + LEAK


async def send(one: Node) -> str:
    """Start a review with a secret in each text; its id."""
    body = {
        "diff": DIFF,
        "title": f"Use {SECRETS['title']}",
        "description": f"The token is {SECRETS['description']}.",
    }
    async with one.client() as client:
        answer = await client.post("/v1/reviews", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def asked(request: Recorded) -> list[str]:
    """The numbered files that a request asks about."""
    return re.findall(r'^=== file "(file_\d\.py)"', request.text, re.MULTILINE)


def respond(request: Recorded) -> Answer:
    """Findings in each numbered file; none in the file with the secrets."""
    return Answer([one for path in asked(request) for one in findings_for(path)])


def hang(request: Recorded) -> Answer:
    """The same, but the request about the second file is never answered."""
    waits = "file_1.py" in asked(request)
    return Answer([], before=[Hang()]) if waits else respond(request)


def is_half_done(fake: FakeAnthropic) -> bool:
    """Return whether the request that is not answered has arrived."""
    return any("file_1.py" in asked(request) for request in fake.requests)


def findings(records: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The findings, in a form that equals that of another review of the same diff."""
    them = [one["finding"] for one in records if one["type"] == "finding"]
    return sorted(
        (one["id"], one["rule"] or "", one["title"], str(one["placement"])) for one in them
    )


async def undisturbed(folder: Path) -> list[tuple[Any, ...]]:
    """The findings of a review that nothing interrupts."""
    async with FakeAnthropic(respond) as fake, node(folder, fake=fake, settings=APART) as one:
        records = await follow(one, await send(one))
    found = findings(records)
    assert {rule for _, rule, _, _ in found} == {"bug", "secrets/github-token"}
    assert len(found) == 8  # three in each numbered file, two secrets
    return found


def stored(folder: Path, *urls: str) -> set[str]:
    files = [f"sqlite:///{path}" for path in folder.rglob("*.db")]
    return places_of(SECRETS, [folder], [*files, *urls])


@pytest.mark.slow
async def test_a_restart_finds_the_same_secrets_and_nothing_stored_shows_one(
    database: str, tmp_path: Path
) -> None:
    expected = await undisturbed(tmp_path / "undisturbed")
    folder, urls = tmp_path / "node", [database] * database.startswith("postgresql")
    arguments = ("--database", urls[0]) if urls else ()
    async with FakeAnthropic(hang) as fake:
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        one = Node(folder, arguments, environment, APART)
        await one.start()
        review_id = await send(one)
        await until(lambda: is_half_done(fake))
        await one.kill()
        assert stored(folder, *urls) == set()
        fake.respond = respond
        await one.start()
        try:
            await until_state(one, review_id, "finished")
            records = await follow(one, review_id)
            assert_whole(records)
            assert findings(records) == expected
            assert stored(folder, *urls) == set()
        finally:
            await one.kill()


@pytest.mark.slow
async def test_a_node_that_takes_a_review_over_finds_the_same_secrets(tmp_path: Path) -> None:
    expected, url = await undisturbed(tmp_path / "undisturbed"), postgres_url()
    async with (
        FakeAnthropic(hang) as fake,
        node(tmp_path / "a", "--database", url, fake=fake, settings=APART) as first,
    ):
        review_id = await send(first)
        await until(lambda: is_half_done(fake))
        async with node(tmp_path / "b", "--database", url, fake=fake, settings=APART) as second:
            fake.respond = respond
            await first.kill()
            await until_state(second, review_id, "finished")
            records = await follow(second, review_id)
    assert_whole(records)
    assert findings(records) == expected


async def test_a_review_whose_key_is_lost_ends_incomplete_and_says_why(tmp_path: Path) -> None:
    async with FakeAnthropic(hang) as fake:
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        one = Node(tmp_path, (), environment, APART)
        await one.start()
        review_id = await send(one)
        await until(lambda: is_half_done(fake))
        await one.kill()
        path = tmp_path / FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.unlink()
        fake.respond = respond
        await one.start()
        try:
            found = await until_state(one, review_id, "finished")
            assert found["outcome"] == "incomplete"
            (reason,) = found["reasons"]
            assert "was encrypted with the key" in reason
            assert "which this server does not have (REVIEWBOT_STORE_KEY)" in reason
            assert "the key of stored source was replaced" in one.log
            async with one.client() as client:
                for answer in (
                    await client.get(f"/v1/reviews/{review_id}/diff"),
                    await client.post(f"/v1/reviews/{review_id}/rerun"),
                ):
                    assert answer.status_code == 410
                    assert "does not have" in answer.json()["detail"]
            await until_state(one, await send(one), "finished")  # new reviews are not affected
        finally:
            await one.kill()


async def test_the_diff_of_a_review_has_no_secret_and_the_same_lines(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        review_id = await send(one)
        async with one.client() as client:
            answer = await client.get(f"/v1/reviews/{review_id}/diff")
            title = (await client.get(f"/v1/reviews/{review_id}")).json()["title"]
        assert title == "Use [REDACTED:secret]"
        expected = DIFF
        for secret in SECRETS.values():
            expected = expected.replace(secret, "[REDACTED:secret]")
        assert answer.text == expected
        numbers = [
            [(line.old_no, line.new_no) for hunk in file.hunks for line in hunk.lines]
            for file in parse_diff(DIFF.encode())
        ]
        assert numbers == [
            [(line.old_no, line.new_no) for hunk in file.hunks for line in hunk.lines]
            for file in parse_diff(answer.content)
        ]


def serve(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "REVIEWBOT_STATE_DIR": str(folder),
        **environment,
    }
    return run_fork(("serve", "--port", "0", *arguments), environment=environment, folder=folder)


def test_with_postgres_the_server_does_not_start_without_a_key(tmp_path: Path) -> None:
    done = serve(tmp_path, "--database", "postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 2
    sentence = (
        "reviewbot: REVIEWBOT_STORE_KEY: is not set; with Postgres, stored source is encrypted with"
        " a key that all nodes share; make one with: openssl rand -base64 32"
    )
    assert done.stderr.splitlines()[-1].endswith(sentence)
    assert not (tmp_path / FILE).exists()


def test_a_key_of_another_length_is_refused_and_not_shown(tmp_path: Path) -> None:
    for text in ("c2hvcnQ=", "not base64", f"{KEY_TEXT},short"):
        done = serve(tmp_path, REVIEWBOT_STORE_KEY=text)
        assert done.returncode == 2
        assert "REVIEWBOT_STORE_KEY: must be 32 bytes in base64" in done.stderr
        assert text not in done.stderr


@pytest.mark.slow
async def test_a_node_with_another_key_does_not_start_beside_others(tmp_path: Path) -> None:
    url = postgres_url()
    async with node(tmp_path / "a", "--database", url):
        (tmp_path / "b").mkdir()
        done = serve(tmp_path / "b", "--database", url, REVIEWBOT_STORE_KEY=OTHER_TEXT)
        assert done.returncode == 2
        assert "give all nodes the same key" in done.stderr
        both = f"{OTHER_TEXT},{KEY_TEXT}"
        async with node(tmp_path / "c", "--database", url, REVIEWBOT_STORE_KEY=both):
            pass
