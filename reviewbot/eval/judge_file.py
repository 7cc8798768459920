"""Files in which a person judges comments: the mixed comments, and room for the ratings.

The file has no name of a contestant, no severity and no golden comment. Its ratings are checked in
the same way as those of a model.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from reviewbot.core.decode import decoder
from reviewbot.core.render.inert import json_text
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import SourceError
from reviewbot.eval.ratings import CaseRatings, Rating, checked
from reviewbot.eval.rubric import DEFINITIONS
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reviewbot.eval.ratings import BlindCase

HOW: Final = (
    "Rate every comment: replace null by your rating. Read the diff, and trace the code in the"
    " repository at `base` and `head`, but no later commit. You do not know who wrote a comment,"
    " so do not open the folder of the results, nor the golden comments, before the end."
)


def write_judge_file(path: Path, blind: Sequence[BlindCase]) -> None:
    """Write the comments of the cases, each with null where its ratings go.

    Raises:
        ReviewbotError: the file cannot be written, or a text cannot be searched for secrets.
    """
    content = {
        "how": [HOW, *DEFINITIONS.split("\n")],
        "cases": [_case(blind_case) for blind_case in blind],
    }
    OutputTarget(path).replace(f"{json_text(content, indent=1)}\n")


def _case(blind: BlindCase) -> dict[str, Any]:
    case = blind.case
    return {
        "case": case.id,
        "comments_digest": blind.digest,
        "repository": case.repository,
        "base": case.base,
        "head": case.head,
        "url": case.url,
        "comments": [
            {
                "id": number,
                "path": comment.path,
                "line": comment.line,
                "end_line": comment.end_line,
                "side": comment.side,
                "text": redact_text(comment.text),
                "real": None,
                "worth": None,
                "same_as": None,
                "why": "",
            }
            for number, comment in enumerate(blind.comments, 1)
        ],
        "diff": case.diff,
    }


def read_judge_file(path: Path, blind: Sequence[BlindCase]) -> list[CaseRatings]:
    """Return the ratings of each case that is rated in full. The judge is the name of the file.

    Args:
        path: the file.
        blind: the present comments; the file must have the same ones.

    Raises:
        SourceError: the file cannot be read, a rating is invalid, or the file has other comments.
            The error names the case.
    """
    by_case = {entry["case"]: entry for entry in _entries(path)}
    rated = []
    for blind_case in blind:
        entry = by_case.get(blind_case.case.id, {})
        if entry.get("comments_digest") != blind_case.digest:
            raise SourceError(
                f"the comments on {blind_case.case.id:.80} in {path.name} are not those of the"
                " results; name another file"
            )
        try:
            ratings = _read(entry, len(blind_case.comments))
        except ValueError as error:
            raise SourceError(f"{path.name}: case {blind_case.case.id:.80}: {error}") from error
        if ratings:
            rated.append(
                CaseRatings(path.name, blind_case.case.id, blind_case.digest, ratings, 0.0)
            )
    return rated


def has_ratings(path: Path) -> bool:
    """Return whether a file has a rating of any comment, valid or not.

    Raises:
        SourceError: the file cannot be read, or it is not a file for ratings.
    """
    return any(
        comment.get(name) is not None
        for entry in _entries(path)
        for comment in entry["comments"]
        for name in ("real", "worth", "same_as")
    )


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a file.

    Raises:
        SourceError: the file cannot be read, or it is not a file for ratings.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path.name} is not JSON: {error}") from error
    entries = content.get("cases") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(_is_case(entry) for entry in entries):
        raise SourceError(f"{path.name} was not written by --judge-file: it has no cases")
    return entries


def _is_case(entry: object) -> bool:
    """Return whether a value has comments of a case as this module writes them."""
    match entry:
        case {"case": str(), "comments": [*comments]}:
            return all(isinstance(comment, dict) for comment in comments)
        case _:
            return False


def _read(entry: Mapping[str, Any], size: int) -> tuple[Rating, ...]:
    """Return the ratings of a case; empty if any comment has no rating.

    Raises:
        ValueError: a rating is invalid.
    """
    comments = entry["comments"]
    if any(comment.get("real") is None and comment.get("worth") is None for comment in comments):
        return ()
    read = decoder(Rating)
    return checked(
        (
            cast("Rating", read(comment, f"comment {comment.get('id')!s:.20}"))
            for comment in comments
        ),
        size,
    )
