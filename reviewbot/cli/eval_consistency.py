"""``reviewbot eval consistency``: how alike repeated reviews, or answers, are."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from reviewbot.cli.amounts import whole_number
from reviewbot.cli.eval_session import (
    SessionArguments,
    add_common_arguments,
    confirm_reviews,
    make_reviews,
    named,
    note,
    open_reviews,
    results_of,
)
from reviewbot.cli.typed_arguments import typed_arguments
from reviewbot.config.installation import install_command
from reviewbot.config.load import read_settings
from reviewbot.config.prompt_files import use_templates
from reviewbot.config.settings import OFFLINE
from reviewbot.core.safety.escape import show
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError
from reviewbot.eval.consistency import LEAST_RUNS, score
from reviewbot.models.catalog import Effort, lookup
from reviewbot.pipeline import sources
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.eval.consistency import Series
    from reviewbot.eval.consistency_runs import Variant
    from reviewbot.eval.contestants import Contestant
    from reviewbot.models.offline.parser import Parser

MAX_RUNS: Final = 1_000
MAX_TOKENS: Final = 256
"""Default limit of the answer to a free prompt."""

REVIEW: Final = "review"
"""Name of the task, if it is no prompt."""
SCORES: Final = "scores.json"

_SERVER: Final = "all else as its server samples"
_WIRE_NAMES: Final = {"temperature": "temperature", "effort": "output_config.effort"}

EPILOG: Final = """\
examples:
  reviewbot eval consistency change.diff --efforts low,high
  reviewbot eval consistency change.diff --temperatures 0,0.5,1 --plot scores.svg
  reviewbot eval consistency --prompt 'fact=Name the planets.' \\
      --prompt 'story=Write the first line of a novel.' --temperatures 0,1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyArguments(SessionArguments):
    """The arguments of ``eval consistency``."""

    diff: str | None
    prompts: Sequence[str]
    max_tokens: int
    temperatures: str | None
    efforts: str | None
    models: str | None
    templates: str | None
    runs: int
    plot: Path | None

    @property
    def unit(self) -> str:
        """Word for what is made."""
        return "answer" if self.prompts else "review"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``eval consistency``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
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
        type=whole_number(1, 100_000),
        default=MAX_TOKENS,
        metavar="N",
        help="maximum tokens of an answer to a prompt (default: %(default)s)",
    )
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
        type=whole_number(LEAST_RUNS, MAX_RUNS),
        default=LEAST_RUNS,
        metavar="N",
        help=f"runs at each setting, at least {LEAST_RUNS} (default: %(default)s)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the scores as SVG")
    add_common_arguments(parser)
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Make the runs, and report the scores."""
    return _compare(typed_arguments(ConsistencyArguments, vars(args)))


def _compare(args: ConsistencyArguments) -> int:
    prompts = dict(named(one, "'fact=Name the planets.'") for one in args.prompts)
    if len(prompts) < len(args.prompts):
        raise ConfigError("two prompts have the same name; give each its own")
    if bool(prompts) == (args.diff is not None):
        raise ConfigError("give either a diff to review, or prompts with --prompt NAME=TEXT")
    if prompts and args.templates:
        raise ConfigError("--templates are those of reviews; give a diff instead of --prompt")
    if args.plot is not None and args.plot.suffix != ".svg":
        raise ConfigError(f"--plot draws SVG, so {show(str(args.plot))} must end with .svg")
    if args.plot is not None and find_spec("matplotlib") is None:
        raise ConfigError(f"--plot needs matplotlib: {install_command('eval')}")
    settings = read_settings({"model": args.model}, config=args.config)
    plot = None if args.plot is None else OutputTarget(args.plot)  # checked first
    variants = _variants(args, settings)
    needs_model = prompts or args.efforts
    if needs_model and any(one.settings.model.name == OFFLINE for one in variants):
        raise ConfigError(
            "prompts and efforts need a model: set ANTHROPIC_API_KEY, or give --model"
        )
    data = b"" if args.diff is None else _read(args.diff)
    series, complete = asyncio.run(_run(args, variants, data, prompts))
    _report(args, settings, series, plot)
    return EXIT_OK if complete else EXIT_INCOMPLETE


def _read(name: str) -> bytes:
    return sources.read_stdin() if name == "-" else sources.read_file(Path(name))


def _variants(args: ConsistencyArguments, settings: Settings) -> tuple[Variant, ...]:
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


async def _run(
    args: ConsistencyArguments,
    variants: Sequence[Variant],
    data: bytes,
    prompts: dict[str, str],
) -> tuple[list[Series], bool]:
    """Make the runs that are missing, and return all, and whether they are complete."""
    from reviewbot.eval.cases import Case, cases_digest, diff_text
    from reviewbot.eval.consistency_runs import check_accepted, series_of
    from reviewbot.eval.contestants import check_names
    from reviewbot.eval.result_folder import Header, open_store
    from reviewbot.eval.run import Spending
    from reviewbot.pipeline.model_clients import check_choices
    from reviewbot.pipeline.workers import own_pool

    for one in variants:
        check_choices(one.settings)
    cases = tuple(Case(name, "") for name in prompts) or (Case(REVIEW, diff_text(data)),)
    async with own_pool() as pool:
        contestants = [_contestant(args, one, prompts, pool.for_tenant("eval")) for one in variants]
        check_names(contestants)
        specs = {}
        for variant, contestant in zip(variants, contestants, strict=True):
            _use_templates(variant)
            specs[contestant.name] = contestant.spec
        with open_store(folder_of(args), Header(cases_digest(cases), specs)) as store:
            work = open_reviews(args, contestants, cases, store, runs=args.runs)
            await confirm_reviews(args, work)
            if work and (args.temperatures or args.efforts):
                fact = "temperature" if args.temperatures else "effort"
                await check_accepted(variants, _WIRE_NAMES[fact])
            spending, enough = Spending(args.budget_usd), True
            for variant in variants:  # one after the other, since templates are for all reviews
                _use_templates(variant)
                mine = [one for one in work if one.contestant.name == variant.name]
                enough &= await make_reviews(args, mine, store, spending)
            results = results_of(args, specs, store)
    complete = enough and all(one.error is None for one in results)
    return series_of([case.id for case in cases], variants, results), complete


def folder_of(args: ConsistencyArguments) -> Path:
    """Return the folder of the results."""
    if args.output is not None:
        return args.output
    if args.diff is None or args.diff == "-":
        return Path("eval-consistency")
    return Path(f"eval-consistency-{Path(args.diff).stem}")


def _contestant(
    args: ConsistencyArguments, variant: Variant, prompts: dict[str, str], parser: Parser
) -> Contestant:
    from reviewbot.eval.consistency_runs import PromptAnswers
    from reviewbot.eval.contestants import OwnReview

    if prompts:
        return PromptAnswers(variant.name, variant.settings, prompts, args.max_tokens)
    # Linters report the same in each run, which says nothing about the model.
    return OwnReview(variant.name, replace(variant.settings, linters=False), parser)


def _use_templates(variant: Variant) -> None:
    if variant.templates is not None:
        use_templates(variant.templates, source=variant.name)


def _report(
    args: ConsistencyArguments,
    settings: Settings,
    series: Sequence[Series],
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
    folder = folder_of(args)
    OutputTarget(folder / SCORES).replace(to_json(scores, model=model, length=length))
    if plot is not None:
        title = f"{model}; {length}"
        plot.replace(consistency_plot(scores, title=title, is_temperature=bool(args.temperatures)))
    note(f"Scores and runs are in {folder}.")


def _sampler(args: ConsistencyArguments, settings: Settings) -> str:
    """Return a phrase about the sampler, which belongs to every score."""
    info = lookup(settings.model.name, settings.models)
    if args.temperatures:
        return f"temperature as named, {_SERVER}"
    if settings.model.name == OFFLINE:
        return "no sampler"
    if not info.gets_temperature:
        return f"no temperature sent, {_SERVER}"
    return f"temperature {info.temperature:g} requested, {_SERVER}"
