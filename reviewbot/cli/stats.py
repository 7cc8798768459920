"""``reviewbot stats``: what became of the findings of a repository, and reactions to them."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from reviewbot.cli.amounts import whole_number
from reviewbot.cli.github_access import access, fetch
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import count, listed
from reviewbot.errors import EXIT_OK
from reviewbot.github.client.errors import ForbiddenError
from reviewbot.github.identity import BotIdentity, PullName
from reviewbot.github.state.block import FATES
from reviewbot.github.state.reactions import ReactionReader
from reviewbot.github.state.statistics import aggregate, counted, state_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reviewbot.cli.waiting import WaitIndicator
    from reviewbot.github.api.comments import Reaction
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.pulls import ListedPull
    from reviewbot.github.state.block import Fate, StateBlock
    from reviewbot.github.state.reactions import FindingReaction
    from reviewbot.github.state.statistics import Counts, FateCounts, PullState, Statistics

_SHOWN: Final[tuple[Reaction, ...]] = ("+1", "-1")
"""Reactions with a column of their own; the others are only in the sum."""
AUTHOR: Final = "github-actions[bot]"
"""Author of the comments of the Action."""
MOST: Final = 1_000
"""Maximum of ``--limit``; each pull request needs at least one request to GitHub."""
MOST_ROWS: Final = 20
"""Maximum number of rows of a table on the terminal."""
WIDEST: Final = 40
"""Maximum characters of a name in a table."""
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
_ALWAYS: Final = (
    "Findings that only the check lists, those beyond max_inline, are not included.",
    "The state in the comments is trusted because of its author; the signature is not checked.",
)
_UNREAD: Final = "Reactions are not counted: that needs a token of somebody who may write."
_REACTIONS: Final = "Reactions: those to comments on findings, by people who may write today."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_repository(parser)
    parser.add_argument(
        "--since",
        metavar="DATE",
        type=_date,
        help="only pull requests created on or after this day (UTC), such as 2026-01-31",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=whole_number(1, MOST),
        default=100,
        help=f"the newest N pull requests, {MOST:,} at most (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=("terminal", "json"), default="terminal", help="default: %(default)s"
    )
    parser.epilog = (
        "examples:\n  reviewbot stats octo/hello --since 2026-01-01\n"
        "  reviewbot stats octo/hello --author 'my-reviewbot[bot]' --format json\n\n"
        "GITHUB_TOKEN or GH_TOKEN is the token. Public repositories need none with\n"
        "--limit 50: without a token, GitHub allows 60 requests an hour."
    )


def add_repository(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a repository and the account of the reviews."""
    parser.add_argument("repository", metavar="OWNER/REPO", type=_repository)
    parser.add_argument(
        "--author",
        metavar="LOGIN",
        type=_login,
        default=AUTHOR,
        help="account that posts the reviews; for an App its name and [bot] (default: %(default)s)",
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The pull requests that were read, and bots besides the author that write summaries.

    ``reactions`` is None if the token cannot tell who may write.
    """

    listed: int
    statistics: Statistics
    others: tuple[str, ...]
    reactions: tuple[FindingReaction, ...] | None


def run(args: argparse.Namespace) -> int:
    """Print what became of the findings.

    Raises:
        ConfigError: the address of GitHub is invalid.
        SourceError: the repository does not exist, or a token is needed to see it.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    address, token = access()

    async def read(api: Api, waiting: WaitIndicator) -> _Found:
        pulls = await api.pulls.newest(args.repository, most=args.limit, since=args.since)
        author = BotIdentity(args.author)
        return await _read(
            api, args.repository, pulls, author, waiting, reactions=token is not None
        )

    found = asyncio.run(fetch(args.repository, address, token, read))
    text = _json(args, found) if args.format == "json" else _terminal(args, found)
    print(text)  # noqa: T201  the command's output
    return EXIT_OK


async def _read(
    api: Api,
    repo: str,
    pulls: Sequence[ListedPull],
    author: BotIdentity,
    waiting: WaitIndicator,
    *,
    reactions: bool,
) -> _Found:
    """Read the summary comment of each pull request, and the reactions to its findings."""
    done = 0
    reader = ReactionReader(api, author) if reactions else None
    reacted: list[FindingReaction] = []
    others: set[str] = set()

    async def state_of(pull: ListedPull) -> tuple[PullState, StateBlock] | None:
        nonlocal done, reader
        name = PullName(repo, pull.number, pull.repository_id)
        comments = await api.comments.all(repo, pull.number)
        bots = {one.author.login for one in comments if one.author.is_bot} - {author.login}
        others.update(one for one in bots if state_in(comments, name, BotIdentity(one)))
        block = state_in(comments, name, author)
        if reader is not None and block is not None:
            try:
                reacted.extend(await reader.read(name, block))
            except ForbiddenError:
                reader = None
        done += 1
        waiting.report(f"{done} of {count(len(pulls), 'pull request')}")
        return None if block is None else ("merged" if pull.merged else pull.state, block)

    states = await asyncio.gather(*map(state_of, pulls))
    return _Found(
        len(pulls),
        aggregate(filter(None, states)),
        tuple(map(show, sorted(others))),
        None if reader is None else tuple(reacted),
    )


def _json(args: argparse.Namespace, found: _Found) -> str:
    statistics = found.statistics
    record: dict[str, Any] = {
        "repository": args.repository,
        "author": args.author,
        "since": args.since.isoformat() if args.since else None,
        "limit": args.limit,
        "pull_requests": found.listed,
        "with_state": statistics.pulls,
        "findings": dict(statistics.total.counts),
        "merged": statistics.total.merged,
        "fixed_before_merge": statistics.total.fixed_before_merge,
        **{
            f"by_{key}": [{"name": row.name, **_fates_json(row)} for row in rows]
            for key, rows in _by(statistics).items()
        },
        "reactions": _reactions_json(found.reactions),
        "without_fate": {f"in_{state}": number for state, number in statistics.open.items()},
        "merges_not_recorded": statistics.unrecorded,
        "dropped": statistics.dropped,
        "notes": list(_notes(found, args.author)),
    }
    return json.dumps(record, indent=2)


def _by(statistics: Statistics) -> dict[str, Sequence[FateCounts]]:
    return {
        "severity": statistics.by_severity,
        "rule": statistics.by_rule,
        "model": statistics.by_model,
        "prompt_version": statistics.by_prompt_version,
    }


def _fates_json(row: FateCounts) -> dict[str, int]:
    counts = {str(fate): number for fate, number in row.counts.items()}
    return counts | {"merged": row.merged, "fixed_before_merge": row.fixed_before_merge}


def _reactions_json(reactions: Sequence[FindingReaction] | None) -> dict[str, Any] | None:
    if reactions is None:
        return None
    groups = {
        f"by_{key}": [{"name": one.name, **one.counts} for one in rows]
        for key, rows in _grouped(reactions).items()
    }
    return {"total": dict(Counter(one.reaction for one in reactions)), **groups}


def _grouped(reactions: Sequence[FindingReaction]) -> dict[str, Sequence[Counts[Reaction]]]:
    return {
        "rule": counted((one.rule, one.reaction) for one in reactions),
        "model": counted((one.model, one.reaction) for one in reactions),
        "prompt_version": counted((one.prompt_version, one.reaction) for one in reactions),
    }


def _terminal(args: argparse.Namespace, found: _Found) -> str:
    statistics = found.statistics
    pulls = count(found.listed, "pull request")
    since = f" since {args.since}" if args.since else ""
    blocks = [
        f"{args.repository}: {args.author} left a state on {statistics.pulls:,} of the newest"
        f" {pulls}{since}"
    ]
    if total := statistics.total.total:
        parts = [f"{_share(statistics.total, fate)} {_words(fate)}" for fate in FATES]
        closed = f"{count(total, 'closed finding')}: {', '.join(parts)}"
        if statistics.total.merged:
            fixed = _of_merged(statistics.total)
            closed += f"\nFixed before the merge: {fixed} in merged pull requests"
        blocks.append(closed)
        blocks += [
            _table(key.upper().replace("_", " "), rows) for key, rows in _by(statistics).items()
        ]
    if found.reactions:
        blocks.append(f"{count(len(found.reactions), 'reaction')} to findings")
        blocks += [
            _reaction_table(heading.upper().replace("_", " "), rows)
            for heading, rows in _grouped(found.reactions).items()
        ]
    blocks.append("\n".join(f"- {one}" for one in _notes(found, args.author)))
    return "\n\n".join(filter(None, blocks))


def _table(heading: str, counts: Sequence[FateCounts]) -> str:
    rows = [
        (
            _name(row.name),
            f"{row.total:,}",
            *(_share(row, fate) for fate in FATES),
            _of_merged(row),
        )
        for row in counts
    ]
    fates = (_words(fate).upper() for fate in FATES)
    return _columns((heading, "FINDINGS", *fates, "FIXED BEFORE MERGE"), rows)


def _of_merged(row: FateCounts) -> str:
    """Return how many findings of merged pull requests were fixed before the merge."""
    if not row.merged:
        return "-"
    share = 100 * row.fixed_before_merge / row.merged
    return f"{row.fixed_before_merge:,} of {row.merged:,} ({share:.0f} %)"


def _reaction_table(heading: str, counts: Sequence[Counts[Reaction]]) -> str:
    rows = [
        (_name(one.name), f"{one.total:,}", *(f"{one.counts.get(name, 0):,}" for name in _SHOWN))
        for one in counts
    ]
    return _columns((heading, "REACTIONS", *_SHOWN), rows)


def _columns(headings: tuple[str, ...], every: Sequence[tuple[str, ...]]) -> str:
    """Return a table; empty without a row."""
    rows = [headings, *every[:MOST_ROWS]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))) for row in rows
    ]
    if len(every) > MOST_ROWS:
        lines.append(f"and {len(every) - MOST_ROWS:,} more")
    return "\n".join(lines) if every else ""


def _notes(found: _Found, author: str) -> Iterator[str]:
    """Yield sentences about findings that the numbers do not include."""
    statistics = found.statistics
    if not found.listed:
        yield "There is no pull request to read."
    elif not statistics.pulls:
        yield f"No pull request has a summary comment with a state by {author}."
        if found.others:
            yield f"There are such comments by {listed(found.others)}: name one with --author."
    if number := statistics.open["open"]:
        yield f"{count(number, 'finding')} open in open pull requests: not included."
    if number := statistics.open["closed"]:
        yield (
            f"{count(number, 'finding')} left open in pull requests that were closed without a"
            " merge: not included."
        )
    if number := statistics.unrecorded:
        yield (
            f"The merge of {count(number, 'pull request')} was not recorded, so"
            f" {count(statistics.open['merged'], 'finding')} left open there are not included. The"
            " workflow of the Action must also run on the type closed."
        )
    if number := statistics.dropped:
        yield (
            f"{count(number, 'finding')} included in the totals only: the states had no room for"
            " their rule, model and prompt version."
        )
    yield from _ALWAYS
    yield _UNREAD if found.reactions is None else _REACTIONS


def _share(counts: Counts[Fate], fate: Fate) -> str:
    number = counts.counts[fate]
    return f"{number:,} ({100 * number / counts.total:.0f} %)" if number else "0"


def _words(fate: str) -> str:
    return fate.replace("_", " ")


def _name(text: str) -> str:
    """Return an untrusted name for a table."""
    shown = show(text)
    return shown if len(shown) <= WIDEST else f"{shown[: WIDEST - 3]}..."


def _repository(text: str) -> str:
    if not _REPOSITORY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text[:200]!r} is not a repository: give OWNER/REPO")
    return text


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text[:60]!r} is not a day; give it as 2026-01-31"
        ) from None


def _login(text: str) -> str:
    if not _LOGIN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text[:100]!r} is not the name of an account")
    return text
