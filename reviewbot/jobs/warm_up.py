"""Load the libraries that a first review would wait for."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.core.safety.shown_text import shown_markdown
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings

SAMPLE: Final = b"--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a = 1\n+a = eval(input())\n"


def warm_up(settings: Settings) -> None:
    """Review a line offline, and import the SDK if a model needs the SDK. Takes seconds.

    Call it in a separate thread: it blocks, and imports hold the interpreter for milliseconds.

    Raises:
        ReviewbotError: the review cannot be prepared with these settings.
    """
    import psutil  # noqa: F401 - monitors slow parses on other systems than Linux

    import reviewbot.models.sandbox.launcher

    asyncio.run(_review_sample(settings))
    shown_markdown("*a*", link_hosts=())
    if any(choice.name != OFFLINE for choice in settings.choices):
        prepare(SAMPLE, settings)  # loads the counting of prompt tokens

        import reviewbot.code.running_code
        import reviewbot.models.anthropic.claude
        import reviewbot.models.verifier
        import reviewbot.pipeline.dossiers
        import reviewbot.pipeline.lookups
        import reviewbot.pipeline.use_finder  # noqa: F401 - all for their imports
        from reviewbot.models.anthropic.messages_api import load_sdk

        load_sdk()


async def _review_sample(settings: Settings) -> None:
    offline = replace(
        settings,
        model=ModelChoice(OFFLINE),
        verify_model=None,
        fallback_models=(),
        routes=(),
        ab_split=None,
    )
    prepared = prepare(SAMPLE, offline)
    async with aclosing(run_review(RunDescription(prepared=prepared, settings=offline))) as events:
        async for _ in events:
            pass
