"""Check runs and check suites, and the rules for writing them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fake_github.wire import JSON, Refused, invalid_request, units, validation_failed

if TYPE_CHECKING:
    from tests.fake_github.people import App
    from tests.fake_github.repository import Repository
    from tests.fake_github.rules import Rules

ACTION_LENGTHS = {"label": 20, "description": 40, "identifier": 20}
ANNOTATION_LENGTHS = {"message": 65_536, "raw_details": 65_536, "title": 255}
OURS_ALONE = ("waiting", "requested", "pending")
"""States that only GitHub Actions itself sets."""


@dataclass(eq=False, kw_only=True)
class CheckSuite:
    """The check runs of one App for one commit."""

    id: int
    node_id: str
    repo: Repository
    app: App
    head_sha: str
    head_branch: str | None
    created: float
    updated: float
    runs: list[CheckRun] = field(default_factory=list)

    @property
    def status(self) -> str:
        states = {run.status for run in self.runs}
        if not states:
            return "queued"
        return "completed" if states == {"completed"} else "in_progress"

    @property
    def conclusion(self) -> str | None:
        if self.status != "completed":
            return None
        found = {run.conclusion for run in self.runs}
        order = ("action_required", "failure", "timed_out", "cancelled", "success", "neutral")
        return next((one for one in order if one in found), "skipped")


@dataclass(eq=False, kw_only=True)
class CheckRun:
    """A check run. ``annotations`` holds all that were ever sent, in their order."""

    id: int
    node_id: str
    repo: Repository
    app: App
    suite: CheckSuite
    name: str
    head_sha: str
    started: str
    status: str = "queued"
    conclusion: str | None = None
    completed: str | None = None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[JSON] = field(default_factory=list)
    actions: list[JSON] = field(default_factory=list)
    history: list[JSON] = field(default_factory=list)
    """Every body that was written to it."""


def suite_for(repo: Repository, app: App, sha: str) -> CheckSuite:
    """The suite of an App for a commit; the oldest one, made where there is none."""
    for suite in repo.check_suites.values():
        if suite.app is app and suite.head_sha == sha:
            return suite
    number, node_id = repo.world.identity("CS")
    branch = next((name for name, tip in repo.branches.items() if tip == sha), None)
    now = repo.world.clock.now()
    suite = CheckSuite(
        id=number,
        node_id=node_id,
        repo=repo,
        app=app,
        head_sha=sha,
        head_branch=branch,
        created=now,
        updated=now,
    )
    repo.check_suites[number] = repo.world.add(suite)
    return suite


def create(repo: Repository, app: App, body: JSON) -> CheckRun:
    """A new check run."""
    if body["head_sha"] not in repo.store.commits:
        raise Refused(422, f"No commit found for SHA: {body['head_sha']}")
    if not body["name"].strip():
        raise validation_failed("CheckRun", "name", code="missing_field")
    _check(body, repo.world.rules, title_needed=True)
    number, node_id = repo.world.identity("CR")
    suite = suite_for(repo, app, body["head_sha"])
    run = CheckRun(
        id=number,
        node_id=node_id,
        repo=repo,
        app=app,
        suite=suite,
        name=body["name"],
        head_sha=body["head_sha"],
        started=body.get("started_at") or repo.world.clock.stamp(),
    )
    _forget_old(suite, run.name, repo.world.rules.runs_of_a_name)
    suite.runs.append(run)
    repo.check_runs[number] = repo.world.add(run)
    _write(run, body)
    repo.world.happened("check_run", "created", repo=repo, run=run, sender=app.bot)
    return run


def update(run: CheckRun, app: App, body: JSON) -> None:
    """Changes what ``body`` names; the output as a whole, with annotations added."""
    if run.app is not app:
        raise Refused(
            403,
            f"Invalid app_id `{app.id}` - check run can only be modified by the GitHub App that "
            "created it.",
        )
    _check(body, run.repo.world.rules, title_needed=False)
    was = run.status
    _write(run, body)
    if run.status == "completed" != was:
        run.repo.world.happened("check_run", "completed", repo=run.repo, run=run, sender=app.bot)


def _forget_old(suite: CheckSuite, name: str, limit: int) -> None:
    same = [run for run in suite.runs if run.name == name]
    for run in same[: max(len(same) - limit + 1, 0)]:
        suite.runs.remove(run)
        del run.repo.check_runs[run.id]


def _write(run: CheckRun, body: JSON) -> None:
    run.history.append(body)
    stamp = run.repo.world.clock.stamp()
    run.suite.updated = run.repo.world.clock.now()
    for key in ("name", "external_id", "actions"):
        if key in body:
            setattr(run, key, body[key])
    run.started = body.get("started_at") or run.started
    if "details_url" in body and not run.app.is_actions:  # theirs always lead to the run itself
        run.details_url = body["details_url"]
    if body.get("conclusion"):
        run.status, run.conclusion = "completed", body["conclusion"]
        run.completed = body.get("completed_at") or stamp
    elif "status" in body:
        run.status, run.conclusion, run.completed = body["status"], None, None
    if "output" in body:
        output = body["output"]
        run.title, run.summary = output.get("title", run.title), output["summary"]
        text = output.get("text")
        limit = run.repo.world.rules.output_limit
        # Measured: a text of more bytes is cut without a word.
        run.text = None if text is None else text.encode()[:limit].decode("utf-8", "ignore")
        run.annotations.extend(output.get("annotations", ()))


def _check(body: JSON, rules: Rules, *, title_needed: bool) -> None:
    if body.get("status") == "completed" and not body.get("conclusion"):
        raise invalid_request('"conclusion" wasn\'t supplied.')
    if body.get("conclusion") and body.get("status", "completed") != "completed":
        raise invalid_request('"conclusion" is only permitted with the status "completed".')
    if body.get("conclusion") == "stale":
        raise invalid_request("For 'properties/conclusion', \"stale\" is for GitHub alone.")
    if body.get("status") in OURS_ALONE:
        raise invalid_request(f"For 'properties/status', \"{body['status']}\" is for Actions only.")
    if not str(body.get("details_url") or "https://").startswith(("https://", "http://")):
        message = "details_url must use http or https scheme"
        raise validation_failed("CheckRun", "details_url", message)
    if len(body.get("actions", ())) > 3:
        raise _too_many(3, len(body["actions"]))
    for action in body.get("actions", ()):
        for key, limit in ACTION_LENGTHS.items():
            _length(action[key], limit)
    if "output" in body:
        _check_output(body["output"], rules, title_needed=title_needed)


def _check_output(output: JSON, rules: Rules, *, title_needed: bool) -> None:
    if title_needed and not output.get("title"):
        raise invalid_request('"title" wasn\'t supplied.')
    for key in ("summary", "text"):
        _length(output.get(key) or "", rules.output_limit)
    if len(output["summary"].encode()) > rules.output_limit:  # measured: here bytes count, too
        message = f"summary exceeds a maximum bytesize of {rules.output_limit}"
        raise validation_failed("CheckRun", "summary", message)
    annotations = output.get("annotations", ())
    if len(annotations) > rules.annotations:
        raise _too_many(rules.annotations, len(annotations))
    for annotation in annotations:
        _check_annotation(annotation)


def _check_annotation(annotation: JSON) -> None:
    start, end = annotation["start_line"], annotation["end_line"]
    for key, limit in ANNOTATION_LENGTHS.items():
        _length(annotation.get(key) or "", limit)
        if len((annotation.get(key) or "").encode()) > max(limit, 65_536):
            raise validation_failed("CheckAnnotation", key, f"{key} is too long")
    if not annotation["path"] or not annotation["message"]:
        raise validation_failed("CheckAnnotation", "path", code="missing_field")
    if start < 1 or end < start:
        raise validation_failed(
            "CheckAnnotation", "end_line", "end_line must not precede start_line"
        )
    if start != end and {"start_column", "end_column"} & annotation.keys():
        message = "start_column and end_column are only for annotations on one line"
        raise validation_failed("CheckAnnotation", "start_column", message)
    if annotation.get("end_column", 10**9) < annotation.get("start_column", 0):
        raise validation_failed("CheckAnnotation", "end_column", "end_column precedes start_column")


def _too_many(limit: int, count: int) -> Refused:
    return invalid_request(f"No more than {limit} items are allowed; {count} were supplied.")


def _length(text: str, limit: int) -> None:
    if units(text) > limit:
        raise invalid_request(f"Only {limit} characters are allowed; {units(text)} were supplied.")
