"""Estimate tokens and cost of reviews of real diffs: ``python -m benchmarks.bench_cost``.

The diffs of ``fixtures/real`` are planned, but nothing is sent. Input tokens are those of the
rendered prompts, tokenized (o200k times the model's factor). The plan's own fast estimate, which
should not be lower, is printed next to them. Both exclude the summary. The cost includes the
summary. It assumes that the shared prefix is written to the cache once and read afterwards, and the
output of the estimate.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from reviewbot.config.settings import load_settings
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.plan.chunk_view import ChunkView, view
from reviewbot.core.prompt.request import ModelRequest, render
from reviewbot.core.safety.redact import redact_file
from reviewbot.models.tokens import TokenCounter
from reviewbot.pipeline.job import manifest_of
from reviewbot.pipeline.prepare import Prepared, prepare

REAL = Path(__file__).parents[1] / "fixtures" / "real"
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")


def prompts(prepared: Prepared) -> list[str]:
    """Return the whole text of every request of a review."""
    job = prepared.job
    chunks = job.plan.by_id
    texts = []
    for batch in job.plan.batches:
        views: list[ChunkView] = []
        for name in batch.chunks:
            chunk = chunks[name]
            redaction = redact_file(job.files[chunk.file])
            views.append(
                view(
                    job.files[chunk.file],
                    chunk,
                    replacements=redaction.replacements,
                    sections=redaction.sections,
                )
            )
        prompt = render(ModelRequest(tuple(views), manifest_of(job.plan)))
        texts.append(json.dumps(REPORT_TOOL) + prompt.system + prompt.shared + prompt.body)
    return texts


def planned(data: bytes, model: str, *, summary: bool) -> Prepared:
    """Return the review of ``data`` by ``model``, before anything is sent."""
    settings = load_settings(
        flags={"model": model, "summary": summary}, env={"ANTHROPIC_API_KEY": "unused"}
    )
    return prepare(data, settings)


def main() -> None:
    """Plan, count, print."""
    print(f"{'diff':<10} {'bytes':>7} {'files':>5} {'requests':>8} {'tokens':>7} {'estimate':>8}")
    costs: dict[str, list[float]] = {model: [] for model in MODELS}
    tokens: list[int] = []
    ratios: list[float] = []
    for path in sorted(REAL.glob("*.diff"), key=lambda one: one.stat().st_size):
        data = path.read_bytes()
        for model in MODELS:
            costs[model].append(planned(data, model, summary=True).job.estimate.cost_usd or 0.0)
        prepared = planned(data, MODELS[0], summary=False)
        counter = TokenCounter(prepared.info.token_factor)
        real = sum(counter.count(text) for text in prompts(prepared))
        estimate = prepared.job.estimate
        tokens.append(real)
        ratios.append(estimate.input_tokens / real if real else 1.0)
        print(
            f"{path.stem:<10} {len(data):>7,} {len(prepared.job.files):>5} "
            f"{estimate.requests:>8} {real:>7,} {estimate.input_tokens:>8,}"
        )
    print(
        f"input tokens a review: median {statistics.median(tokens):,.0f}, max {max(tokens):,}; "
        f"estimate beside tokenized: {min(ratios):.2f} to {max(ratios):.2f}"
    )
    for model, each in costs.items():
        print(f"{model}: median ${statistics.median(each):.4f}, max ${max(each):.4f} a review")


if __name__ == "__main__":
    main()
