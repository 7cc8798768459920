"""``reviewbot eval check``: changes of a diff that must not lose findings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.cli.eval_session import (
    CaseArguments,
    add_case_arguments,
    check_extra,
    confirm_reviews,
    make_reviews,
    note,
    open_reviews,
    own_reviews,
    results_of,
)
from reviewbot.cli.typed_arguments import typed_arguments
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK

if TYPE_CHECKING:
    import argparse

add_arguments = add_case_arguments


def run(args: argparse.Namespace) -> int:
    """Review the cases of all checks, and print what was lost.

    Raises:
        ReviewbotError: an argument or a file is wrong, or the cost was not confirmed.
    """
    check_extra()
    complete = asyncio.run(_check(typed_arguments(CaseArguments, vars(args))))
    return EXIT_OK if complete else EXIT_INCOMPLETE


async def _check(args: CaseArguments) -> bool:
    from reviewbot.eval.cases import cases_digest, read_cases
    from reviewbot.eval.change_text import check_report
    from reviewbot.eval.checks import check_scores, variants
    from reviewbot.eval.result_folder import Header, open_store
    from reviewbot.eval.run import Spending
    from reviewbot.pipeline.workers import own_pool

    cases = read_cases(args.cases)
    folder = args.output or Path(f"eval-check-{args.cases.stem}")
    changed = [case for one in cases for variant in variants(one) for case in variant.cases]
    async with own_pool() as pool:
        contestants = own_reviews(args, pool.for_tenant("eval"))
        specs = {one.name: one.spec for one in contestants}
        with open_store(folder, Header(cases_digest(changed), specs)) as store:
            work = open_reviews(args, contestants, changed, store)
            await confirm_reviews(args, work)
            complete = await make_reviews(args, work, store, Spending(args.budget_usd))
            results = results_of(args, specs, store)
    print(check_report(check_scores(cases, results)))  # noqa: T201  the command's output
    note(f"Results are in {folder}.")
    return complete and all(one.error is None for one in results)
