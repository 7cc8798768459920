"""Calls on repositories: their files, commits, branches and people."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.fake_github import shapes, shapes_pulls
from tests.fake_github.git import FOLDER, SUBMODULE, SYMLINK
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import JSON, Answer, Refused, not_found

if TYPE_CHECKING:
    from tests.fake_github.diffs import FileDiff
    from tests.fake_github.repository import Repository

CONTENTS = "contents=read"


@route("GET /repos/{owner}/{repo}", needs="metadata=read")
def get_repository(call: Call) -> Answer:
    return Answer(shapes.full_repository(call.repo))


@route("GET /repos/{owner}/{repo}/branches", needs=CONTENTS)
def list_branches(call: Call) -> Answer:
    return call.page(sorted(call.repo.branches), lambda name: _branch(call.repo, name))


@route("GET /repos/{owner}/{repo}/branches/{branch}", needs=CONTENTS)
def get_branch(call: Call) -> Answer:
    name = call.params["branch"]
    if name not in call.repo.branches:
        raise Refused(404, "Branch not found")
    url = f"{shapes.repository_url(call.repo)}/branches/{name}"
    tip = call.repo.store.commits[call.repo.branches[name]]
    more = {
        "commit": shapes_pulls.commit(call.repo, tip),
        "_links": {"self": url, "html": f"{call.world.web_url}/{call.repo.full_name}/tree/{name}"},
        "protection": {"enabled": False},
        "protection_url": f"{url}/protection",
    }
    return Answer(_branch(call.repo, name) | more)


def _branch(repo: Repository, name: str) -> JSON:
    sha, url = repo.branches[name], shapes.repository_url(repo)
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{url}/commits/{sha}"},
        "protected": False,
    }


@route("GET /repos/{owner}/{repo}/git/ref/{ref}", needs=CONTENTS)
def get_ref(call: Call) -> Answer:
    name = call.params["ref"].removeprefix("heads/")
    if not call.params["ref"].startswith("heads/") or name not in call.repo.branches:
        raise not_found()
    sha, url = call.repo.branches[name], shapes.repository_url(call.repo)
    target = {"type": "commit", "sha": sha, "url": f"{url}/git/commits/{sha}"}
    body = {"ref": f"refs/heads/{name}", "node_id": f"REF_{sha[:12]}", "object": target}
    return Answer(body | {"url": f"{url}/git/refs/heads/{name}"})


@route("GET /repos/{owner}/{repo}/commits/{ref}", needs=CONTENTS)
def get_commit(call: Call) -> Answer:
    repo = call.repo
    sha = call.commit("ref")
    made = repo.store.commits[sha]
    if call.accepts("sha"):
        return Answer(sha.encode(), headers={"content-type": "application/vnd.github.sha"})
    files = repo.compare(made.parents[0], sha) if made.parents else []
    counts = {
        "additions": sum(one.additions for one in files),
        "deletions": sum(one.deletions for one in files),
    }
    return Answer(
        shapes_pulls.commit(repo, made)
        | {"stats": counts | {"total": sum(counts.values())}, "files": listed(call, files, sha)}
    )


@route("GET /repos/{owner}/{repo}/git/trees/{tree_sha}", needs=CONTENTS)
def get_tree(call: Call) -> Answer:
    store, sha = call.repo.store, call.params["tree_sha"]
    if store.objects.get(sha, ("", b""))[0] != "tree":
        sha = store.commits[call.commit("tree_sha")].tree
    entries = store.walk(sha) if call.request.query.get("recursive") else store.entries(sha)
    url, kinds = shapes.repository_url(call.repo), {FOLDER: "tree", SUBMODULE: "commit"}
    shown = []
    for mode, path, inner in entries:
        kind = kinds.get(mode, "blob")
        entry: JSON = {"path": path, "mode": mode.zfill(6), "type": kind, "sha": inner}
        if kind != "commit":
            entry["url"] = f"{url}/git/{kind}s/{inner}"
        if kind == "blob":
            entry["size"] = len(store.objects[inner][1])
        shown.append(entry)
    return Answer({"sha": sha, "url": f"{url}/git/trees/{sha}", "tree": shown, "truncated": False})


@route("GET /repos/{owner}/{repo}/git/blobs/{file_sha}", needs=CONTENTS)
def get_blob(call: Call) -> Answer:
    sha = call.params["file_sha"]
    kind, data = call.repo.store.objects.get(sha, ("", b""))
    if kind != "blob":
        raise not_found()
    if len(data) > call.world.rules.blob_bytes:
        raise _too_large("Blob")
    if call.accepts("raw"):
        return Answer(data, headers={"content-type": "application/vnd.github.raw"})
    url = f"{shapes.repository_url(call.repo)}/git/blobs/{sha}"
    body = {"sha": sha, "node_id": f"B_{sha[:12]}", "size": len(data), "url": url}
    return Answer(body | {"content": _base64(data), "encoding": "base64"})


def _too_large(what: str) -> Refused:
    error = {"resource": what, "field": "data", "code": "too_large"}
    return Refused(403, "This API returns blobs up to 100 MB in size.", [error])


def _base64(data: bytes) -> str:
    """In lines of 60, as GitHub wraps it."""
    text = base64.b64encode(data).decode()
    return "".join(text[at : at + 60] + "\n" for at in range(0, len(text), 60))


@route("GET /repos/{owner}/{repo}/contents", needs=CONTENTS)
@route("GET /repos/{owner}/{repo}/contents/{path}", needs=CONTENTS)
def get_contents(call: Call) -> Answer:
    repo, path = call.repo, call.params.get("path", "").strip("/")
    commit = repo.resolve(call.request.query.get("ref"))
    found = repo.store.find(commit, path)
    if found is None:
        raise not_found()
    mode, sha = found
    if mode == FOLDER:
        below = [
            _content(call, kind, f"{path}/{name}".lstrip("/"), inner)
            for kind, name, inner in repo.store.entries(sha)
        ]
        return Answer(below[:1_000])
    data = repo.store.objects[sha][1] if mode != SUBMODULE else b""
    if len(data) > call.world.rules.blob_bytes:
        raise _too_large("Blob")
    if call.accepts("raw") and mode != SUBMODULE:
        return Answer(data, headers={"content-type": "application/vnd.github.raw"})
    shown = _content(call, mode, path, sha)
    if shown["type"] == "file":
        large = len(data) > call.world.rules.content_bytes
        shown |= {"content": "" if large else _base64(data)}
        shown |= {"encoding": "none" if large else "base64"}
    elif shown["type"] == "symlink":
        shown["target"] = data.decode()
    else:
        shown["submodule_git_url"] = "https://github.invalid/other/module.git"
    return Answer(shown)


def _content(call: Call, mode: str, path: str, sha: str) -> JSON:
    repo, ref = call.repo, call.request.query.get("ref", call.repo.default_branch)
    kind = {FOLDER: "dir", SYMLINK: "symlink", SUBMODULE: "submodule"}.get(mode, "file")
    git = {"dir": "trees", "submodule": "trees"}.get(kind, "blobs")
    url, web = shapes.repository_url(repo), f"{call.world.web_url}/{repo.full_name}"
    links = {
        "self": f"{url}/contents/{path}?ref={ref}",
        "git": f"{url}/git/{git}/{sha}",
        "html": f"{web}/{'tree' if kind == 'dir' else 'blob'}/{ref}/{path}",
    }
    size = len(repo.store.objects[sha][1]) if kind in ("file", "symlink") else 0
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": size,
        "url": links["self"],
        "html_url": links["html"],
        "git_url": links["git"],
        "download_url": None if kind in ("dir", "submodule") else f"{web}/raw/{ref}/{path}",
        "type": kind,
        "_links": links,
    }


@route("GET /repos/{owner}/{repo}/compare/{basehead}", needs=CONTENTS)
def compare(call: Call) -> Answer:
    repo, store = call.repo, call.repo.store
    old_name, dots, new_name = call.params["basehead"].partition("...")
    if not dots:
        raise not_found()
    old, new = _end(call, old_name), _end(call, new_name)
    base = store.merge_base(old, new)
    if base is None:
        raise Refused(404, f"No common ancestor between {old_name} and {new_name}.")
    files = repo.compare(old, new)
    if call.accepts("diff"):
        refuse_large(call, files, store.diff(base, new))
        return Answer(
            store.diff(base, new), headers={"content-type": "application/vnd.github.diff"}
        )
    behind = [sha for sha in store.ancestors(old) if sha not in store.ancestors(new)]
    ahead = [sha for sha in store.ancestors(new) if sha not in store.ancestors(old)]
    both = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    url, web = shapes.repository_url(repo), f"{call.world.web_url}/{repo.full_name}"
    pages = call.page(ahead[::-1], lambda sha: shapes_pulls.commit(repo, store.commits[sha]))
    first = call.request.query.get("page", "1") == "1"
    body = {
        "url": f"{url}/compare/{call.params['basehead']}",
        "html_url": f"{web}/compare/{call.params['basehead']}",
        "permalink_url": f"{web}/compare/{old[:7]}...{new[:7]}",
        "diff_url": f"{web}/compare/{call.params['basehead']}.diff",
        "patch_url": f"{web}/compare/{call.params['basehead']}.patch",
        "base_commit": shapes_pulls.commit(repo, store.commits[old]),
        "merge_base_commit": shapes_pulls.commit(repo, store.commits[base]),
        "status": both.get((bool(ahead), bool(behind)), "diverged"),
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": pages.body,
        "files": listed(call, files[: call.world.rules.compared_files], new) if first else [],
    }
    return Answer(body, headers=pages.headers)


def _end(call: Call, name: str) -> str:
    """A branch, a commit, or ``OWNER:BRANCH`` of a fork."""
    owner, colon, branch = name.partition(":")
    if not colon:
        return call.repo.resolve(name)
    fork = call.world.repositories.get(f"{owner}/{call.repo.name}".lower())
    if fork is None or fork.store is not call.repo.store:
        raise not_found()
    return fork.resolve(branch)


def listed(call: Call, files: list[FileDiff], head: str) -> list[JSON]:
    """Files with their patches, where these are not too large, alone or together."""
    rules, total, shown = call.world.rules, 0, []
    for one in files:
        total += len(one.patch)
        fits = not one.too_large(rules) and total <= rules.patches_bytes
        shown.append(shapes_pulls.file(call.repo, one, head, patch=fits))
    return shown


def refuse_large(call: Call, files: list[FileDiff], text: bytes) -> None:
    """The 406 of diffs that are too large."""
    rules = call.world.rules
    error = {"resource": "PullRequest", "field": "diff", "code": "too_large"}
    docs = "https://docs.github.com/rest/pulls/pulls#list-pull-requests-files"
    if len(files) > rules.diff_files:
        raise Refused(
            406,
            f"Sorry, the diff exceeded the maximum number of files ({rules.diff_files}). Consider "
            "using 'List pull requests files' API or locally cloning the repository instead.",
            [error],
            docs=docs,
        )
    if text.count(b"\n") > rules.diff_lines:
        raise Refused(
            406,
            f"Sorry, the diff exceeded the maximum number of lines ({rules.diff_lines})",
            [error],
            docs=docs,
        )


@route("GET /repos/{owner}/{repo}/collaborators/{username}/permission", needs="metadata=read")
def get_permission(call: Call) -> Answer:
    who = call.world.users.get(call.params["username"])
    if who is None:
        raise Refused(404, f"{call.params['username']} is not a user")
    if call.actor.kind == "user" and call.repo.permission(call.user) not in ("write", "admin"):
        raise Refused(403, "Must have push access to view collaborator permission.")
    level, role = call.repo.permission(who), call.repo.role(who)
    order = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain"}
    ranks = ["none", "read", "triage", "write", "maintain", "admin"]
    allowed = {name: ranks.index(role) >= ranks.index(need) for name, need in order.items()}
    person = shapes.user(call.world, who) | {
        "permissions": allowed | {"admin": role == "admin"},
        "role_name": role,
    }
    return Answer({"permission": level, "role_name": role, "user": person})


@route("GET /users/{username}")
def get_user(call: Call) -> Answer:
    who = call.world.users.get(call.params["username"])
    if who is None:
        raise not_found()
    stamp = call.world.clock.stamp()
    more = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    times = {"created_at": stamp, "updated_at": stamp}
    return Answer(shapes.user(call.world, who) | more | {"blog": ""} | counts | times)
