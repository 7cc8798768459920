"""``reviewbot review`` in a repository with a model that cannot look code up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.test_review_evidence import TAX, a_change
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.support.commands import run_command
from tests.support.repositories import _alone, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded

__all__ = ["_alone"]

CALLED = f"R4 |{TAX.splitlines()[3]}"
"""Line of the definition that a changed line calls, in another file."""
NO_LOOKUPS = "models:\n  claude-sonnet-5-5:\n    lookups: false\n"


async def requests_of(
    folder: Path, *, config: str = "", refuses: tuple[str, ...] = ()
) -> list[Recorded]:
    a_change(folder)
    write(config, ".reviewbot.yml")
    async with FakeAnthropic(lambda _: Answer(), refuses=refuses) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        done = await run_command(folder, "review", "--no-summary", **keys)
        assert done.code == 0, done.err
        return fake.requests


@pytest.mark.parametrize(
    "config",
    [NO_LOOKUPS, NO_LOOKUPS.replace("lookups: false", "prompt: compact")],
    ids=["no look-ups", "compact prompt"],
)
async def test_a_model_that_cannot_look_up_gets_what_changed_lines_call(
    tmp_path: Path, config: str
) -> None:
    [request] = await requests_of(tmp_path, config=config)
    assert len(request.body["tools"]) == 1
    assert "<surroundings>" in request.text
    assert CALLED in request.text


async def test_a_server_that_refuses_look_ups_gets_what_changed_lines_call(
    tmp_path: Path,
) -> None:
    requests = await requests_of(tmp_path, refuses=("tools",))
    assert requests[0].offers_lookups
    assert CALLED not in requests[0].text
    assert not requests[-1].offers_lookups
    assert CALLED in requests[-1].text


async def test_a_model_that_looks_up_gets_only_the_changes_at_first(tmp_path: Path) -> None:
    [request] = await requests_of(tmp_path)
    assert request.offers_lookups
    assert "<surroundings>" not in request.text


async def test_no_code_beside_the_change_is_sent_if_look_ups_are_off(tmp_path: Path) -> None:
    [request] = await requests_of(tmp_path, config=f"{NO_LOOKUPS}lookups: 0\n")
    assert "<surroundings>" not in request.text


async def test_excluded_files_are_not_sent_beside_the_change(tmp_path: Path) -> None:
    config = NO_LOOKUPS + "exclude: [lib/**]\n"
    [request] = await requests_of(tmp_path, config=config)
    assert CALLED not in request.text
