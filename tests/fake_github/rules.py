"""GitHub's limits, as numbers that a test may lower to reach them cheaply."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Rules:
    """Each with GitHub's own value (docs, OpenAPI description, or measured by others).

    Args:
        diff_files: files above which a diff is 406 ``too_large``.
        diff_lines: lines above which it is.
        listed_files: files that the list of a pull request ends at.
        compared_files: files that a comparison ends at.
        patch_lines: changed lines above which a listed file has no ``patch``.
        patch_bytes: bytes of a patch above which it is left out.
        patches_bytes: bytes of all patches together, after which the others are left out.
        content_bytes: size above which contents come without content as JSON.
        blob_bytes: size above which contents and blobs are refused.
        body_units: longest comment.
        review_comments: comments in one review above which the gateway gives up (502).
        annotations: in one request.
        output_limit: longest summary and text of a check run.
        runs_of_a_name: check runs of one name in a suite; older ones go.
        token_seconds: life of an installation token.
        jwt_seconds: longest life of an App's token.
        old_wording: 422s of review comments as they read until 2025.
        documented_reactions: a reaction to an issue comment needs ``issues=write``, as the
            published list of permissions has it; False: ``pull_requests=write`` does on a pull
            request, as some have seen it.
    """

    diff_files: int = 300
    diff_lines: int = 20_000
    listed_files: int = 3_000
    compared_files: int = 300
    patch_lines: int = 2_000
    patch_bytes: int = 100_000
    patches_bytes: int = 1_000_000
    content_bytes: int = 1_048_576
    blob_bytes: int = 104_857_600
    body_units: int = 65_536
    review_comments: int = 30
    annotations: int = 50
    output_limit: int = 65_535
    runs_of_a_name: int = 1_000
    token_seconds: int = 3_600
    jwt_seconds: int = 600
    old_wording: bool = False
    documented_reactions: bool = True
