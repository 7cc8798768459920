"""The pull request of a case of the injection corpus, and what is done on it later.

Every pull request has a bug that the model knows by its mark, beside what the case brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.fake_github import SUBMODULE, SYMLINK, Blob
from tests.github.injection_corpus import (
    MARKED_CODE,
    MARKED_FILE,
    MARKED_LINE,
    Entry,
    Scene,
    written,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest, Repository
    from tests.fake_github.comments import IssueComment, ReviewComment
    from tests.fake_github.git import Content
    from tests.github.injection_corpus import Case

SAID_LINE: Final = 20
SAID_CODE: Final = "line_20 = float(given)"
"""What the model speaks of where a case is what it says."""

EXPLAINED: Final[tuple[Entry, ...]] = (
    *("question", "objection", "explained code", "model answer"),
    *("asked question", "asked comment", "model reply"),
)
"""Somebody who may asks about a finding, or about the pull request."""
AUTHORS: Final = ("mallory", "triager")
"""Who opens the pull request of a case, in which they may not write."""
REPLIED: Final[tuple[Entry, ...]] = ("reply", "objection")
"""Somebody replies to a finding."""
TOLD: Final[tuple[Entry, ...]] = ("comment", "thread", *REPLIED)
"""Somebody writes to us, and gets an answer if it is the author."""
LATER: Final[tuple[Entry, ...]] = (
    *("comment", "reply", "thread", "review", "our comment", "our summary"),
    *EXPLAINED,
)
"""What is written once there is a review."""
PUSHED: Final[tuple[Entry, ...]] = (
    *LATER,
    *("code", "removed code", "context", "pushed beside"),
)
"""After these there is one more push: what stands is told of again."""

NEEDLE: Final = "needle_of_the_repository"
"""What the model searches for where a case is what it looks up."""

_ROLES: Final = {"triager": "triage", "renovate[bot]": "write"}
_APP: Final = [f"line_{number} = {number}" for number in range(1, 61)]
_MARKED: Final = {MARKED_LINE: MARKED_CODE, SAID_LINE: SAID_CODE}
BASE: Final = {MARKED_FILE: "\n".join(_APP) + "\n", ".reviewbot.yml": "verify: true\n"}
_HEAD: Final = {
    MARKED_FILE: "".join(f"{_MARKED.get(at, line)}\n" for at, line in enumerate(_APP, 1))
}
_ODD: Final = "odd = 1  # BUG warning In the odd file\n"
_USE: Final = "from .odd import rate_of\n\nrate = 1\n"
_CRASH: Final = "rate = rate_of(given)  # BUG warning Crash in `rate_of`\n"
_NEEDLED: Final = f"def {NEEDLE}():\n    return 1\n"
_KEPT: Final = "kept = 1\n" * 20
_STEPS: Final = "".join(f"step_{number} = {number}\n" for number in range(7))
_BODY: Final = "".join(f"    step_{number}()\n" for number in range(12))

_Bring = Callable[[str, str], "Mapping[str, Content]"]
"""Files, made of the case's path and its payload; None deletes."""
_IN_BASE: Final[Mapping[Entry, _Bring]] = {
    "old path": lambda _, text: {text: _KEPT},
    "removed code": lambda path, text: {path: f"first = 1\n{text}last = 1\n"},
    "context": lambda path, text: {path: text},
    "surroundings": lambda path, text: {path: text + _STEPS},
    "evidence": lambda path, text: {f"shop/{path}": text, "shop/use.py": _USE},
    "looked-up code": lambda path, text: {path: f"{text}\n{_NEEDLED}"},
    "heading": lambda path, text: {path: f"{text}\n{_BODY}"},
    "base config": lambda _, text: {".reviewbot.yml": text},
    "base guidelines": lambda _, text: {"AGENTS.md": text},
    "base branch": lambda _, __: {".reviewbot.yml": "no such setting: 1\n"},
    "base attributes": lambda _, text: {".gitattributes": text},
}
_IN_HEAD: Final[Mapping[Entry, _Bring]] = {
    "path": lambda _, text: {text: _ODD},
    "old path": lambda _, text: {text: None, "renamed.py": _KEPT + _ODD},
    "code": lambda path, text: {path: text},
    "explained code": lambda path, text: {path: text},
    "removed code": lambda path, _: {path: "first = 1\nlast = 1\n"},
    "context": lambda path, text: {path: _ODD + text},
    "surroundings": lambda path, text: {path: text + _STEPS + _ODD},
    "evidence": lambda _, __: {"shop/use.py": _USE.replace("rate = 1\n", _CRASH)},
    "heading": lambda path, text: {path: f"{text}\n{_BODY}    {_ODD}"},
    "symlink": lambda path, text: {path: Blob(text.encode(), SYMLINK)},
    "submodule": lambda path, _: {path: Blob(b"5" * 40, SUBMODULE)},
    "head config": lambda _, text: {".reviewbot.yml": text},
    "head guidelines": lambda _, text: {"AGENTS.md": text, "CLAUDE.md": text},
    "head attributes": lambda _, text: {".gitattributes": text},
}


def pull_of(case: Case, github: FakeGitHub, scene: Scene) -> PullRequest:
    """The pull request of a case, with all of it that is there from the beginning."""
    text = written(case.payload, scene)
    github.world.user(case.by, "Bot" if case.by.endswith("[bot]") else "User")
    base = {**BASE, **_IN_BASE.get(case.enters, _nothing)(case.path, text)}
    head = {**base, **_HEAD, **_IN_HEAD.get(case.enters, _nothing)(case.path, text)}
    repo = github.repository("octo/hello", BASE)
    repo.commit(None, base, "Before", whole=True)
    for login, role in _ROLES.items():
        github.world.user(login, "Bot" if login.endswith("[bot]") else "User")
        repo.allow(login, role)
    kept = {path: content for path, content in head.items() if content is not None}
    pull = repo.open_pull(kept, whole=True, **_about(case, repo, text))
    now = written(case.payload, Scene(scene.thief, pull))
    if case.enters == "issue":
        pull.closes.append(repo.open_issue(text, text, by=case.by))
    if case.enters == "commit":
        pull.push(pushed(case, scene), text)
    if case.enters == "echo":
        pull.comment(now, by=case.by)
    if case.enters == "echo thread":
        pull.review_comment(MARKED_FILE, SAID_LINE, now, by=case.by)
    return pull


def pushed(case: Case, scene: Scene) -> dict[str, str]:
    """What the last push brings: perhaps the payload below the marked line, which is open then."""
    if case.enters != "pushed beside":
        return {"later.txt": "one more line\n"}
    lines = _HEAD[MARKED_FILE].split("\n")
    lines.insert(MARKED_LINE, written(case.payload, scene).removesuffix("\n"))
    return {MARKED_FILE: "\n".join(lines)}


def _nothing(_: str, __: str) -> dict[str, Content]:
    return {}


def _about(case: Case, repo: Repository, text: str) -> dict[str, Any]:
    """What a pull request says of itself."""
    about: dict[str, Any] = {"title": "A change", "by": case.by}
    about["fork"] = case.by if case.fork else None
    if case.enters in ("title", "branch"):
        about[case.enters] = text
    if case.enters == "description":
        about["body"] = text
    if case.enters == "summary requirement":
        about["body"] = "Divide."
    if case.enters == "base branch":
        repo.branches[text] = repo.tip
        about["base"] = text
    return about


def do_later(case: Case, pull: PullRequest, scene: Scene) -> IssueComment | ReviewComment | None:
    """What somebody writes when the first review is there; the comment, if it is a new one."""
    marked = next(one for one in pull.review_comments if "The marked bug" in one.body)
    summary = next(one for one in pull.comments if "kind=summary" in one.body)
    edited = {"our comment": marked, "our summary": summary}.get(case.enters)
    text = written(case.payload, Scene(scene.thief, pull, edited.body if edited else ""))
    comment: IssueComment | ReviewComment | None = None
    match case.enters:
        case "comment":
            comment = pull.comment(text, by=case.by)
        case "reply":
            comment = pull.reply(marked, text, by=case.by)
        case "thread":
            comment = pull.review_comment(MARKED_FILE, SAID_LINE, text, by=case.by)
        case "review":
            pull.review("COMMENT", text, by=case.by)
        case "question":
            comment = pull.reply(marked, f"/explain {text}", by="octo")
        case "explained code":
            there = next(one for one in pull.review_comments if one.thread.anchor.path == case.path)
            comment = pull.reply(there, "/explain", by="octo")
        case "model answer":
            comment = pull.reply(marked, "/explain", by="octo")
        case "objection":
            pull.reply(marked, text, by=case.by)
            comment = pull.reply(marked, "/explain", by="octo")
        case "asked question":
            comment = pull.comment(f"/ask {text}", by="octo")
        case "asked comment":
            pull.comment(text, by=case.by)
            pull.review_comment(MARKED_FILE, SAID_LINE, text, by=case.by)
            comment = pull.comment("/ask Is that so?", by="octo")
        case "model reply":
            comment = pull.comment("/ask What does it change?", by="octo")
        case _:
            assert edited is not None
            edited.body = text
    return comment
