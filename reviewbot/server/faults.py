"""Map errors of the service to problems, with a status and a time to retry."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.jobs.admission import IdempotencyConflictError, TooManyTokensError
from reviewbot.jobs.service import ClosingError
from reviewbot.server.problems import EXCEPTION_HANDLERS, Problem, problem_response
from reviewbot.store.budgets import OverLimitError
from reviewbot.store.database import StoreError
from reviewbot.store.encryption import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import HTTPExceptionHandler

AGAIN_S: Final = "5"
"""Seconds after which a restarted server, or a database that fails over, is usually back."""


async def _answer(_request: Request, error: Exception) -> Response:
    match error:
        case TooManyTokensError():
            problem = Problem(
                413,
                str(error),
                tokens=error.tokens,
                limit=error.limit,
                minimum=error.minimum,
            )
        case OverLimitError():
            headers = {"Retry-After": str(error.retry_after)}
            problem = Problem(429, str(error), headers=headers)
        case IdempotencyConflictError():
            problem = Problem(422, str(error))
        case UnreadableError():
            problem = Problem(410, f"the review cannot be read: {error}")
        case ClosingError():
            problem = Problem(503, str(error), headers={"Retry-After": AGAIN_S})
        case _:
            problem = Problem(
                503,
                "the database does not answer, and a review that was sent may have started;"
                " try again, with the same Idempotency-Key if there was one",
                headers={"Retry-After": AGAIN_S},
            )
    return problem_response(problem)


HANDLERS: Final[Mapping[type[Exception], HTTPExceptionHandler]] = MappingProxyType(
    {
        **EXCEPTION_HANDLERS,
        **dict.fromkeys(
            (
                OverLimitError,
                TooManyTokensError,
                IdempotencyConflictError,
                ClosingError,
                UnreadableError,
                StoreError,
            ),
            _answer,
        ),
    }
)
"""Handlers for Starlette: of :mod:`reviewbot.server.problems`, and of the service's errors."""
