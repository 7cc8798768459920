"""Writes ``schema.graphql``: the part of GitHub's GraphQL schema that the fake answers.

``python -m tests.fake_github.extract_graphql schema.graphql``, where the file is that of the npm
package ``@octokit/graphql-schema`` (MIT).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from graphql import TypeDefinitionNode, parse, print_ast

NOTE = """\
# Excerpt of GitHub's GraphQL schema as published in @octokit/graphql-schema (MIT License, see
# LICENSE.descriptions), without descriptions: written by extract_graphql.py, not by hand.

"""
_COMMENT = "author body bodyText createdAt updatedAt id viewerDidAuthor authorAssociation"
_WRITTEN = f"{_COMMENT} databaseId fullDatabaseId isMinimized minimizedReason url viewerCanMinimize"
_CONNECTION = "nodes pageInfo totalCount edges"
_MUTATED = "clientMutationId"
KEPT: dict[str, str] = {
    "Query": "id node nodes repository viewer rateLimit",
    "Mutation": "resolveReviewThread unresolveReviewThread minimizeComment unminimizeComment",
    "RateLimit": "cost limit nodeCount remaining resetAt used",
    "Node": "id",
    "Actor": "login url",
    "User": "login url id databaseId",
    "Bot": "login url id databaseId",
    "Organization": "login url id databaseId",
    "Repository": "id databaseId name nameWithOwner isPrivate pullRequest pullRequests "
    "mergeQueue ref",
    "MergeQueue": "id entries",
    "MergeQueueEntry": "id position baseCommit headCommit pullRequest",
    "GitObject": "id oid",
    "Commit": "id oid",
    "Ref": "id name target",
    "PullRequest": f"{_COMMENT} databaseId fullDatabaseId number state isDraft title headRefOid "
    "headRefName baseRefOid baseRefName url reviewThreads reviews comments "
    "closingIssuesReferences",
    "Issue": f"{_COMMENT} number title url repository",
    "PullRequestReviewThread": "id isResolved isOutdated isCollapsed path line startLine "
    "originalLine originalStartLine diffSide startDiffSide subjectType resolvedBy viewerCanResolve "
    "viewerCanReply viewerCanUnresolve comments pullRequest repository",
    "PullRequestReviewComment": f"{_WRITTEN} path line startLine originalLine outdated replyTo "
    "state diffHunk pullRequestReview",
    "PullRequestReview": f"{_WRITTEN} state submittedAt comments",
    "IssueComment": _WRITTEN,
    "Minimizable": "isMinimized minimizedReason viewerCanMinimize",
    "Comment": _COMMENT,
    "PageInfo": "endCursor hasNextPage hasPreviousPage startCursor",
    **{
        f"{name}Connection": _CONNECTION
        for name in (
            *("PullRequestReviewThread", "PullRequestReviewComment", "PullRequestReview"),
            *("IssueComment", "Issue", "PullRequest", "MergeQueueEntry"),
        )
    },
    **{
        f"{name}Edge": "node cursor"
        for name in (
            *("PullRequestReviewThread", "PullRequestReviewComment", "PullRequestReview"),
            *("IssueComment", "Issue", "PullRequest", "MergeQueueEntry"),
        )
    },
    "IssueOrder": "field direction",
    "ResolveReviewThreadInput": f"threadId {_MUTATED}",
    "UnresolveReviewThreadInput": f"threadId {_MUTATED}",
    "MinimizeCommentInput": f"subjectId classifier {_MUTATED}",
    "UnminimizeCommentInput": f"subjectId {_MUTATED}",
    "ResolveReviewThreadPayload": f"thread {_MUTATED}",
    "UnresolveReviewThreadPayload": f"thread {_MUTATED}",
    "MinimizeCommentPayload": f"minimizedComment {_MUTATED}",
    "UnminimizeCommentPayload": f"unminimizedComment {_MUTATED}",
    **dict.fromkeys(
        (
            *("CommentAuthorAssociation", "DiffSide", "PullRequestReviewCommentState"),
            *("PullRequestReviewState", "PullRequestReviewThreadSubjectType", "PullRequestState"),
            *(
                "IssueOrderField",
                "OrderDirection",
                "ReportedContentClassifiers",
                "URI",
                "DateTime",
                "BigInt",
                "GitObjectID",
            ),
        ),
        "*",
    ),
}
SCALARS = {"String", "Int", "Float", "Boolean", "ID"}


def _named(node: Any) -> str:
    """The name of a type, whatever lists and exclamation marks are around it."""
    while hasattr(node, "type"):
        node = node.type
    name: str = node.name.value
    return name


def _field(node: Any) -> str:
    known = [one for one in getattr(node, "arguments", None) or () if _known(one)]
    arguments = ", ".join(f"{one.name.value}: {print_ast(one.type)}" for one in known)
    between = f"({arguments})" if arguments else ""
    return f"  {node.name.value}{between}: {print_ast(node.type)}\n"


def _known(node: Any) -> bool:
    return _named(node.type) in KEPT.keys() | SCALARS


def _definition(node: Any) -> str:
    name = node.name.value
    kind = (
        node.kind.removesuffix("_type_definition").replace("_object", "").replace("object", "type")
    )
    if kind == "scalar":
        return f"scalar {name}\n"
    if kind == "enum":
        return f"enum {name} {{\n" + "".join(f"  {one.name.value}\n" for one in node.values) + "}\n"
    wanted = KEPT[name].split()
    fields = {one.name.value: _field(one) for one in node.fields if _known(one)}
    absent = [one for one in wanted if one not in fields]
    if absent:
        print(f"{name} has no {', '.join(absent)}")  # noqa: T201 -- for whoever runs this
    faces = [one.name.value for one in getattr(node, "interfaces", None) or ()]
    faces = [one for one in faces if one in KEPT]
    implements = f" implements {' & '.join(faces)}" if faces else ""
    shown = "".join(fields[one] for one in wanted if one in fields)
    return f"{kind} {name}{implements} {{\n{shown}}}\n"


def main(source: str) -> None:
    """Writes the excerpt beside this file."""
    document = parse(Path(source).read_text("utf-8"), no_location=True)
    named = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode)
    }
    text = NOTE + "\n".join(_definition(named[name]) for name in KEPT)
    Path(__file__).with_name("schema.graphql").write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1])
