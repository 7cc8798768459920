"""Reconcile a finished review with the prior state of its pull request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.github.state.block import StateBlock
from reviewbot.github.state.reconcile import reconcile
from reviewbot.github.state.relocate import head_reader, read_head_code
from reviewbot.github.state.rounds import Round, apply_round, round_of
from reviewbot.github.state.scope import reviewed_now
from reviewbot.github.state.withdrawals import withdrawals_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Side
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.subject import PublishOptions, Subject
    from reviewbot.github.identity import BotIdentity
    from reviewbot.github.state.prior import Prior
    from reviewbot.github.state.reconcile import Reconciled


async def reconcile_with_prior(
    report: Report,
    prior: Prior,
    files: Sequence[FileDiff],
    *,
    api: Api,
    subject: Subject,
    options: PublishOptions,
    identity: BotIdentity,
    key: str,
) -> Reconciled:
    """Return a review with the prior findings, and with the rules of its round applied.

    ``files`` is the whole diff at the head. ``key`` identifies the review in our markers.

    Raises:
        GitHubError: the code of a file could not be read for a temporary reason.
    """
    records = prior.records(identity, key)
    named = {finding.id for finding in report.findings if counts_for_fail_on(finding)}
    sought = [record for record in records.values() if record.state != "resolved"]
    read_file = head_reader(api, subject.pull.repo, subject.head, files)
    code = await read_head_code(files, sought, named, read_file)

    block = prior.summary[1].key if prior.summary else None

    def compare() -> Reconciled:
        reread = reviewed_now(files, prior.block, full=subject.full, only=subject.only)
        known = report
        if block != subject.block:  # another review, or this one, wrote the state meanwhile
            reread = reread if subject.full else _nothing
            known = replace(report, earlier=())
        done = reconcile(
            known,
            records,
            prior.dismissed,
            code,
            reread,
            levels=subject.levels,
            withdrawn=withdrawals_at(prior.withdrawn, records, files),
            is_first=prior.is_first and not records,
            head=(prior.summary[1].head or "") if prior.summary else "",
        )
        now = Round(0, StateBlock(""))
        if identity.secrets and options.summary:
            now = round_of(done.report, prior, subject, files, key=key)
        return apply_round(done, now, records, files, code, mode=options.rounds)

    return await asyncio.to_thread(compare)


def _nothing(_path: str, _side: Side, _lines: range | None) -> bool:
    return False
