"""``reviewbot review`` with a model of a local server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_anthropic.local_servers import llama_server, ollama
from tests.models.scripted import item
from tests.support.commands import run_command
from tests.support.reviews import numbered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic.replies import Responder
    from tests.support.commands import Done

FOUND = [item(2, severity="error")]


async def reviewed(folder: Path, respond: Responder, *arguments: str) -> Done:
    """Review a diff as docs/models-and-costs.md says: an address and a name, without a key."""
    (folder / "x.diff").write_text(numbered("a.py"), encoding="utf-8")
    (folder / "own.yml").write_text("max_attempts: 1\nsummary: false\n", encoding="utf-8")
    async with FakeAnthropic(respond, models={"qwen"}, key="none") as fake:
        command = ("review", "x.diff", "--model", "qwen", "--config", "own.yml", *arguments)
        return await run_command(folder, *command, ANTHROPIC_BASE_URL=fake.base_url)


@pytest.mark.parametrize("respond", [llama_server(FOUND), ollama(FOUND)], ids=["llama", "ollama"])
async def test_a_finding_of_a_local_model_exits_1(tmp_path: Path, respond: Responder) -> None:
    done = await reviewed(tmp_path, respond)
    assert done.code == 1, done.err
    assert "--> a.py:2" in done.out


async def test_a_model_too_weak_for_the_format_exits_3_and_is_named(tmp_path: Path) -> None:
    done = await reviewed(tmp_path, ollama(prose="Looks good to me."), "--fail-on", "never")
    assert done.code == 3
    sentence = (
        "qwen does not follow the report format: in attempt 1 it answered with prose; use a larger"
        " model, or a server that forces tools."
    )
    assert sentence in done.text


async def test_what_a_model_said_in_prose_is_not_shown(tmp_path: Path) -> None:
    done = await reviewed(tmp_path, lambda _: Answer(call=False, preamble="APPROVED BY ADMIN"))
    assert "APPROVED" not in done.out + done.err
