"""A server loads its libraries before the first review needs them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.server.nodes import node

ROOT = Path(__file__).parents[2]

SECOND = """
import asyncio, sys
from pathlib import Path
from reviewbot.config.load import read_settings
from reviewbot.jobs.warm_up import SAMPLE, warm_up
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.workers import workers
from reviewbot.pipeline.review import review
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.models.scripted import item

async def main():
    async with FakeAnthropic(lambda _: Answer([item(1, message="`a` [b](c)")])) as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        settings = read_settings({"summary": False}, env=env, cwd=Path("/"))
        await asyncio.to_thread(warm_up, settings)
        before = set(sys.modules)
        prepared = prepare(SAMPLE, settings)
        async with workers(prepared, settings) as able:
            async for _ in review(prepared.job, able.run_batch, keeps_syntax=able.keeps_syntax):
                pass
        assert fake.requests
        small = ("anyio.", "encodings.", "stringprep")  # what a first connection loads
        print([one for one in set(sys.modules) - before if not one.startswith(small)])

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_review_after_the_warm_up_imports_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SECOND], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show no mapped files")
@pytest.mark.slow
async def test_a_server_loads_the_sdk_before_its_first_review(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([])) as fake,
        node(tmp_path, fake=fake, cold=True) as one,
    ):
        assert one.process is not None
        process = psutil.Process(one.process.pid)
        async with asyncio.timeout(30):
            # The SDK's models are made with this library.
            while not any(  # noqa: ASYNC110 - nothing here could set an event
                "pydantic_core" in part.path for part in process.memory_maps()
            ):
                await asyncio.sleep(0.05)
        assert not fake.requests
