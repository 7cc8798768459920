"""The diff under study: its plan, the requests that a review would send, and its model.

Nothing is sent. A review without a model has no prompt and no price, so the numbers are then those
of the default model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import DEFAULT_MODEL, OFFLINE, ModelChoice
from reviewbot.core.prompt.request import ModelRequest, render
from reviewbot.core.prompt.views import Views
from reviewbot.errors import SourceError
from reviewbot.pipeline import sources
from reviewbot.pipeline.job import manifest_of
from reviewbot.pipeline.prepare import prepare

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings
    from reviewbot.core.prompt.request import Prompt
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.pipeline.prepare import Prepared

DEMO: Final = files("reviewbot") / "lab" / "demo"
"""The diff of the package, and the recorded answer about it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A diff and the requests for it.

    Attributes:
        name: name of the diff for people.
        data: the diff.
        is_demo: True for the diff of the package.
        settings: settings with a model that has a prompt.
        prepared: the plan with this model.
        requests: one request for each batch of the plan.
    """

    name: str
    data: bytes
    is_demo: bool
    settings: Settings
    prepared: Prepared
    requests: tuple[ModelRequest, ...]

    @property
    def info(self) -> ModelInfo:
        """The model of the numbers."""
        return self.prepared.info

    @property
    def prompt(self) -> Prompt:
        """The text of the first request."""
        return render(self.requests[0], profile=self.info.prompt)


def read_subject(data: bytes, settings: Settings, *, name: str, is_demo: bool = False) -> Subject:
    """Return the subject of a diff.

    Args:
        data: the diff.
        settings: the loaded settings.
        name: name of the diff for people.
        is_demo: whether it is the diff of the package.

    Raises:
        DiffError: the diff cannot be read completely.
        SourceError: the diff has nothing that a model would read.
    """
    settings = with_model(settings)
    prepared = prepare(data, settings)
    requests = requests_of(prepared)
    if not requests:
        raise SourceError(f"{name} has no file that a model would read")
    return Subject(name, data, is_demo, settings, prepared, requests)


def demo_or_file(name: str | None, settings: Settings) -> Subject:
    """Return the subject of a diff file, of standard input (``-``), or of the package's diff.

    Raises:
        SourceError: the diff cannot be read.
    """
    if name is None:
        return demo_subject(settings)
    data = sources.read_stdin() if name == "-" else sources.read_file(Path(name))
    return read_subject(data, settings, name="standard input" if name == "-" else name)


def demo_subject(settings: Settings) -> Subject:
    """Return the subject of the diff of the package."""
    return read_subject(demo_diff(), settings, name="the demo", is_demo=True)


def demo_diff() -> bytes:
    """Return the diff of the package."""
    return (DEMO / "change.diff").read_bytes()


def with_model(settings: Settings) -> Settings:
    """Return the settings with one model for all files; the default model replaces `offline`."""
    alone = replace(settings, fallback_models=(), routes=(), ab_split=None)
    if alone.model.name != OFFLINE:
        return alone
    return replace(alone, model=ModelChoice(DEFAULT_MODEL), verify_model=None)


def requests_of(prepared: Prepared) -> tuple[ModelRequest, ...]:
    """Return the request of each batch. A chunk that cannot be searched for secrets is left out."""
    job = prepared.job
    views = Views(job.files, job.path_instructions, job.whole_files)
    chunks = job.plan.by_id
    manifest = manifest_of(job.plan)
    shown = [
        (batch, views.of(chunks[id_] for id_ in batch.chunks)[0])
        for batch in job.plan.reviewed_batches
    ]
    return tuple(
        ModelRequest(
            chunks=tuple(some),
            manifest=manifest,
            instructions=job.instructions,
            guidelines=job.guidelines,
            tokens=job.request_tokens(batch),
            verified=job.verified,
            shared_reads=len(shown) - 1,
        )
        for batch, some in shown
        if some
    )
