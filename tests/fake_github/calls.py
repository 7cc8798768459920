"""All calls that the fake answers: importing this registers them."""

from __future__ import annotations

from tests.fake_github import (
    api_app,
    api_checks,
    api_comments,
    api_graphql,
    api_pulls,
    api_repos,
    api_reviews,
    api_workflows,
)

MODULES = (
    *(api_app, api_checks, api_comments, api_graphql, api_pulls, api_repos, api_reviews),
    api_workflows,
)


def load() -> int:
    """The number of modules; whoever calls it has them loaded."""
    return len(MODULES)
