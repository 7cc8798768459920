"""``reviewbot eval consistency``: how alike repeated reviews, or answers, are."""

from __future__ import annotations

import argparse
import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from reviewbot.cli.amounts import dollars
from reviewbot.cli.eval_session import confirm, note
from reviewbot.config.installation import install_command
from reviewbot.config.load import read_settings
from reviewbot.config.prompt_files import use_templates
from reviewbot.config.settings import OFFLINE
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError
from reviewbot.eval.consistency import LEAST_RUNS, score
from reviewbot.models.catalog import Effort, lookup
from reviewbot.pipeline import sources
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.eval.consistency import Series
    from reviewbot.eval.consistency_runs import Spending, Variant

MAX_RUNS: Final = 1_000
MAX_TOKENS: Final = 256
"""Default limit of the answer to a free prompt."""

_SERVER: Final = "all else as its server samples"
_WIRE_NAMES: Final = {"temperature": "temperature", "effort": "output_config.effort"}

EPILOG: Final = """\
examples:
  reviewbot eval consistency change.diff --efforts low,high
  reviewbot eval consistency change.diff --temperatures 0,0.5,1 --plot scores.svg
  reviewbot eval consistency --prompt 'fact=Name the planets.' \\
      --prompt 'story=Write the first line of a novel.' --temperatures 0,1
"""


def add_consistency(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command to those of ``reviewbot eval``; ``perform`` of its arguments runs it."""
    summary = "repeat one review, or a prompt, and score how alike the results are"
    parser = subparsers.add_parser(
        "consistency",
        help=summary,
        description=summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("diff", nargs="?", metavar="DIFF", help="a diff file, or -")
    parser.add_argument(
        "--prompt",
        dest="prompts",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="ask this instead of reviewing a diff; can be repeated",
    )
    parser.add_argument(
        "--max-tokens",
        type=_Whole(1, 100_000),
        default=MAX_TOKENS,
        metavar="N",
        help="maximum tokens of an answer to a prompt (default: %(default)s)",
    )
    parser.add_argument("--model", metavar="NAME", help="model that is asked")
    axis = parser.add_mutually_exclusive_group()
    axis.add_argument("--temperatures", metavar="T,...", help="compare temperatures, such as 0,1")
    axis.add_argument("--efforts", metavar="E,...", help=f"compare {', '.join(get_args(Effort))}")
    axis.add_argument("--models", metavar="NAME,...", help="compare models")
    axis.add_argument(
        "--templates",
        metavar="DIR,...",
        help="compare templates of the prompts; `shipped` are those of the package",
    )
    parser.add_argument(
        "--runs",
        type=_Whole(LEAST_RUNS, MAX_RUNS),
        default=LEAST_RUNS,
        metavar="N",
        help=f"runs at each setting, at least {LEAST_RUNS} (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs", type=_Whole(1, 64), default=4, metavar="N", help="runs at once (default: 4)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write scores and runs as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the scores as SVG")
    parser.add_argument(
        "--budget-usd", type=dollars, metavar="X", help="begin no run after X dollars"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before spending")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )
    parser.epilog = EPILOG
    parser.set_defaults(perform=perform)
    return parser


class _Whole:
    """Converter of an argument to a whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        if text.isascii() and text.isdigit() and self._least <= int(text[:9]) <= self._most:
            return int(text)
        bounds = f"{self._least} to {self._most}"
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from {bounds}")


def perform(args: argparse.Namespace) -> int:
    """Make the runs, and report the scores."""
    prompts = dict(map(_named, args.prompts))
    if bool(prompts) == (args.diff is not None):
        raise ConfigError("give either a diff to review, or prompts with --prompt NAME=TEXT")
    if prompts and args.templates:
        raise ConfigError("--templates are those of reviews; give a diff instead of --prompt")
    if args.plot is not None and find_spec("matplotlib") is None:
        raise ConfigError(f"--plot needs matplotlib: {install_command('eval')}")
    settings = read_settings({"model": args.model}, config=args.config)
    targets = [path and OutputTarget(path) for path in (args.output, args.plot)]  # checked first
    variants = _variants(args, settings)
    needs_model = prompts or args.efforts
    if needs_model and any(one.settings.model.name == OFFLINE for one in variants):
        raise ConfigError(
            "prompts and efforts need a model: set ANTHROPIC_API_KEY, or give --model"
        )
    data = b"" if args.diff is None else _read(args.diff)
    _confirm(args, variants, data, prompts)
    series, spending = asyncio.run(_run(args, variants, data, prompts))
    _report(args, settings, series, *targets)
    for reason in dict.fromkeys(spending.reasons):
        note(f"a run failed: {reason}")
    return EXIT_INCOMPLETE if spending.reasons else EXIT_OK


def _named(text: str) -> tuple[str, str]:
    name, equals, prompt = text.partition("=")
    if not name.strip() or not equals or not prompt.strip():
        raise ConfigError(f"{text!r:.80} must be NAME=TEXT, such as fact=Name the planets.")
    return name.strip(), prompt


def _read(name: str) -> bytes:
    return sources.read_stdin() if name == "-" else sources.read_file(Path(name))


def _variants(args: argparse.Namespace, settings: Settings) -> tuple[Variant, ...]:
    """Return the settings to compare; one without a flag that names several."""
    from reviewbot.eval.consistency_runs import Variant, vary_fact, vary_templates

    if args.temperatures is not None:
        return vary_fact(settings, "temperature", _numbers(args.temperatures))
    if args.efforts is not None:
        return vary_fact(settings, "effort", args.efforts.split(","))
    if args.templates is not None:
        return vary_templates(settings, args.templates.split(","))
    names = args.models.split(",") if args.models is not None else [settings.model.name]
    return tuple(
        Variant(name, float(at), read_settings({"model": name}, config=args.config))
        for at, name in enumerate(names)
    )


def _numbers(text: str) -> list[float]:
    try:
        return [float(one) for one in text.split(",")]
    except ValueError:
        raise ConfigError(f"--temperatures {text!r:.80} must be numbers, such as 0,0.5,1") from None


def _confirm(
    args: argparse.Namespace,
    variants: Sequence[Variant],
    data: bytes,
    prompts: dict[str, str],
) -> None:
    """Say what the runs cost, and ask whether to continue if they cost something.

    Raises:
        ConfigError: nobody can be asked, or the answer is no.
    """
    from reviewbot.eval.consistency_runs import prompt_cost, review_cost

    costs = []
    for one in variants:
        if prompts:
            costs += [prompt_cost(text, one.settings, args.max_tokens) for text in prompts.values()]
        else:
            costs.append(review_cost(data, one.settings))
    known = [cost for cost in costs if cost is not None]
    total = args.runs * sum(known) if len(known) == len(costs) else None
    confirm(args, f"{count(args.runs * len(costs), 'run')} to make", total)


async def _run(
    args: argparse.Namespace,
    variants: Sequence[Variant],
    data: bytes,
    prompts: dict[str, str],
) -> tuple[list[Series], Spending]:
    from reviewbot.eval.consistency_runs import (
        REVIEW,
        Spending,
        asking,
        check_accepted,
        reviewing,
        run_series,
    )
    from reviewbot.pipeline.workers import check_choices, own_pool

    for one in variants:
        check_choices(one.settings)
    if args.temperatures or args.efforts:
        fact = "temperature" if args.temperatures else "effort"
        await check_accepted(variants, _WIRE_NAMES[fact])
    spending = Spending(args.budget_usd)
    series = []
    async with own_pool() as pool:
        parser = pool.for_tenant("eval")
        for variant in variants:
            if variant.templates is not None:
                use_templates(variant.templates, source=variant.name)
            tasks = {
                name: asking(text, variant.settings, args.max_tokens)
                for name, text in prompts.items()
            } or {REVIEW: reviewing(data, variant.settings, parser)}
            for task, once in tasks.items():
                made = await run_series(
                    task, variant, once, runs=args.runs, jobs=args.jobs, spending=spending
                )
                note(f"{task}, {variant.name}: {len(made.runs)} of {args.runs} runs")
                series.append(made)
    return series, spending


def _report(
    args: argparse.Namespace,
    settings: Settings,
    series: Sequence[Series],
    output: OutputTarget | None,
    plot: OutputTarget | None,
) -> None:
    from reviewbot.eval.consistency_plot import consistency_plot
    from reviewbot.eval.consistency_text import text_report, to_json

    scores = [score(one) for one in series]
    model = (
        f"as named; {_SERVER}"
        if args.models
        else f"{settings.model.name}; {_sampler(args, settings)}"
    )
    length = f"at most {args.max_tokens} tokens" if args.prompts else "complete reports"
    print(text_report(scores, model=model, length=length))  # noqa: T201  the command's output
    if output is not None:
        output.replace(to_json(scores, series, model=model, length=length))
    if plot is not None:
        title = f"{model}; {length}"
        plot.replace(consistency_plot(scores, title=title, is_temperature=bool(args.temperatures)))


def _sampler(args: argparse.Namespace, settings: Settings) -> str:
    """Return a phrase about the sampler, which belongs to every score."""
    info = lookup(settings.model.name, settings.models)
    if args.temperatures:
        return f"temperature as named, {_SERVER}"
    sent = f"temperature {info.temperature:g}" if info.gets_temperature else "no temperature sent"
    return f"{sent}, {_SERVER}"
