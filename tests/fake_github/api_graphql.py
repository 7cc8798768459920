"""GraphQL: review threads, and hiding comments, on GitHub's own schema."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from graphql import ExecutionResult, GraphQLError, build_schema, execute_sync, parse, validate

from tests.fake_github import graphql_nodes
from tests.fake_github.comments import Comment, IssueComment, Review, ReviewComment, Thread
from tests.fake_github.people import User
from tests.fake_github.pulls import Issue
from tests.fake_github.repository import Repository
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import INTEGRATION, JSON, Answer, Refused, invalid_request

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLResolveInfo, GraphQLSchema

    Info: TypeAlias = GraphQLResolveInfo[Call]

CLASSIFIERS = {"OFF_TOPIC": "off-topic"}


@functools.cache
def _schema() -> GraphQLSchema:
    return build_schema(Path(__file__).with_name("schema.graphql").read_text("utf-8"))


@functools.lru_cache(maxsize=100)
def _checked(query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """Parse and validate a query, once: that takes longer than to answer it."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, [error]
    return document, validate(_schema(), document)


@route("POST /graphql")
def graphql(call: Call) -> Answer:
    if call.actor.kind == "app":
        raise Refused(403, INTEGRATION)
    query, variables = call.body.get("query"), call.body.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        raise invalid_request("A query attribute must be specified and must be a string.")
    document, errors = _checked(query)
    if document is None or errors:
        result = ExecutionResult(data=None, errors=errors)
    else:
        result = execute_sync(
            _schema(),
            document,
            root_value=_ROOT,
            context_value=call,
            variable_values=variables,
            operation_name=call.body.get("operationName"),
        )
    body: JSON = {}
    if result.data is not None:
        body["data"] = result.data
    if result.errors:
        body["errors"] = [_error(one) for one in result.errors]
    return Answer(body)


def _error(error: GraphQLError) -> JSON:
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        raise error.original_error  # a fault of the fake's own
    shown: JSON = dict(error.formatted)
    kind = (error.extensions or {}).get("type")
    if kind is None:
        return shown
    return {"type": kind, "extensions": {"saml_failure": False}} | {
        key: shown[key] for key in ("path", "locations", "message") if key in shown
    }


def fail(kind: str, message: str) -> NoReturn:
    """Ends a field with an error of this type."""
    raise GraphQLError(message, extensions={"type": kind})


def _gone(node_id: str) -> NoReturn:
    fail("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")


# --- Reading


def _repository(info: Info, owner: str, name: str, **_: Any) -> Any:
    call = info.context
    found = call.world.repositories.get(f"{owner}/{name}".lower())
    if found is None or not _sees(call, found):
        fail("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    return graphql_nodes.repository(call, found)


def _sees(call: Call, repo: Repository) -> bool:
    actor = call.actor
    if actor.token is not None and actor.token.sees(repo):
        return True
    return actor.user is not None and actor.kind == "user" and repo.permission(actor.user) != "none"


def _home(thing: Any) -> Repository | None:
    """The repository that something is in."""
    if isinstance(thing, Repository):
        return thing
    if isinstance(thing, Issue):
        return thing.repo
    if isinstance(thing, IssueComment):
        return thing.issue.repo
    if isinstance(thing, Thread | Review):
        return thing.pull.repo
    return thing.thread.pull.repo if isinstance(thing, ReviewComment) else None


def _find(call: Call, node_id: str) -> Any:
    thing = call.world.nodes.get(node_id)
    home = _home(thing)
    gone = isinstance(thing, Comment) and thing.deleted
    if thing is None or gone or (home is None and not isinstance(thing, User)):
        _gone(node_id)
    if home is not None and not _sees(call, home):
        _gone(node_id)
    return thing


def _node(info: Info, id: str) -> Any:  # noqa: A002 -- the argument's name
    call = info.context
    return graphql_nodes.show(call, _find(call, id))


def _nodes(info: Info, ids: list[str]) -> Any:
    return [_node(info, one) for one in ids]


def _viewer(info: Info) -> Any:
    call = info.context
    return graphql_nodes.actor(call, call.user) | {"__typename": "User", "login": call.user.login}


def _rate_limit(info: Info, **_: Any) -> Any:
    call = info.context
    now = call.world.clock.now()
    bucket = call.github.limits.bucket(call.actor, "graphql", now)
    return {
        "cost": 1,
        "limit": bucket.limit,
        "nodeCount": 0,
        "remaining": bucket.limit - bucket.used,
        "used": bucket.used,
        "resetAt": call.world.clock.stamp(bucket.resets),
    }


# --- Writing


def _set_resolved(info: Info, given: JSON, *, resolved: bool) -> Any:
    call = info.context
    thread = _find(call, given["threadId"])
    if not isinstance(thread, Thread):
        _gone(given["threadId"])
    if not graphql_nodes.may_resolve(call, thread):
        fail("FORBIDDEN", INTEGRATION)
    thread.resolved_by = call.user if resolved else None
    shown = graphql_nodes.thread(call, thread)
    return {"thread": shown, "clientMutationId": given.get("clientMutationId")}


def _resolve(info: Info, input: JSON) -> Any:  # noqa: A002 -- the argument's name
    return _set_resolved(info, input, resolved=True)


def _unresolve(info: Info, input: JSON) -> Any:  # noqa: A002 -- the argument's name
    return _set_resolved(info, input, resolved=False)


def _may_minimize(call: Call, comment: Comment) -> bool:
    """Stricter than GitHub with Apps, which may hide their own words alone here."""
    own = comment.user is call.user
    if call.actor.kind == "installation":
        return own and call.actor.holds({"pull_requests": "write"})
    home = _home(comment)
    return own or (home is not None and home.permission(call.user) in ("write", "admin"))


def _set_minimized(info: Info, given: JSON, reason: str | None) -> Any:
    call = info.context
    comment = _find(call, given["subjectId"])
    if not isinstance(comment, Comment):
        fail("UNPROCESSABLE", "Could not minimize this kind of node.")
    if not _may_minimize(call, comment):
        fail("FORBIDDEN", INTEGRATION)
    comment.minimized = reason
    name = "unminimizedComment" if reason is None else "minimizedComment"
    shown = graphql_nodes.show(call, comment)
    return {name: shown, "clientMutationId": given.get("clientMutationId")}


def _minimize(info: Info, input: JSON) -> Any:  # noqa: A002 -- the argument's name
    classifier = input["classifier"]
    return _set_minimized(info, input, CLASSIFIERS.get(classifier, classifier.lower()))


def _unminimize(info: Info, input: JSON) -> Any:  # noqa: A002 -- the argument's name
    return _set_minimized(info, input, None)


_ROOT = {
    "id": "QUERY",
    "node": _node,
    "nodes": _nodes,
    "repository": _repository,
    "viewer": _viewer,
    "rateLimit": _rate_limit,
    "resolveReviewThread": _resolve,
    "unresolveReviewThread": _unresolve,
    "minimizeComment": _minimize,
    "unminimizeComment": _unminimize,
}
