"""Calls on check runs and check suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_github import checks, shapes_checks
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import Answer, Refused, not_found

if TYPE_CHECKING:
    from tests.fake_github.people import App

REPO = "/repos/{owner}/{repo}"
READ, WRITE = "checks=read", "checks=write"


def _writer(call: Call) -> App:
    if call.actor.kind != "installation":
        raise Refused(403, "You must authenticate via a GitHub App.")
    return call.app


def _run(call: Call) -> checks.CheckRun:
    found = call.repo.check_runs.get(call.number("check_run_id"))
    if found is None:
        raise not_found()
    return found


def _suite(call: Call) -> checks.CheckSuite:
    found = call.repo.check_suites.get(call.number("check_suite_id"))
    if found is None:
        raise not_found()
    return found


@route(f"POST {REPO}/check-runs", needs=WRITE)
def create_check_run(call: Call) -> Answer:
    run = checks.create(call.repo, _writer(call), call.body)
    return Answer(shapes_checks.check_run(run), 201)


@route(f"PATCH {REPO}/check-runs/{{check_run_id}}", needs=WRITE)
def update_check_run(call: Call) -> Answer:
    app, run = _writer(call), _run(call)
    checks.update(run, app, call.body)
    return Answer(shapes_checks.check_run(run))


@route(f"GET {REPO}/check-runs/{{check_run_id}}", needs=READ)
def get_check_run(call: Call) -> Answer:
    return Answer(shapes_checks.check_run(_run(call)))


@route(f"GET {REPO}/check-runs/{{check_run_id}}/annotations", needs=READ)
def list_annotations(call: Call) -> Answer:
    run = _run(call)
    return call.page(run.annotations, lambda one: shapes_checks.annotation(run, one))


def _listed(call: Call, runs: list[checks.CheckRun]) -> Answer:
    query = call.request.query
    found = [
        run
        for run in sorted(runs, key=lambda run: -run.id)
        if query.get("check_name") in (None, run.name)
        and query.get("status") in (None, run.status)
        and query.get("app_id") in (None, str(run.app.id))
    ]
    if query.get("filter", "latest") == "latest":
        newest: dict[tuple[int, str], checks.CheckRun] = {}
        for run in found:
            newest.setdefault((run.suite.id, run.name), run)
        found = list(newest.values())
    return call.page(found, shapes_checks.check_run, name="check_runs")


@route(f"GET {REPO}/commits/{{ref}}/check-runs", needs=READ)
def check_runs_of_commit(call: Call) -> Answer:
    sha = call.commit("ref")
    return _listed(call, [run for run in call.repo.check_runs.values() if run.head_sha == sha])


@route(f"GET {REPO}/check-suites/{{check_suite_id}}/check-runs", needs=READ)
def check_runs_of_suite(call: Call) -> Answer:
    return _listed(call, _suite(call).runs)


@route(f"GET {REPO}/check-suites/{{check_suite_id}}", needs=READ)
def get_check_suite(call: Call) -> Answer:
    return Answer(shapes_checks.check_suite(_suite(call)))


@route(f"GET {REPO}/commits/{{ref}}/check-suites", needs=READ)
def check_suites_of_commit(call: Call) -> Answer:
    sha, query = call.commit("ref"), call.request.query
    found = [
        suite
        for suite in call.repo.check_suites.values()
        if suite.head_sha == sha and query.get("app_id") in (None, str(suite.app.id))
    ]
    return call.page(found, shapes_checks.check_suite, name="check_suites")


@route(f"POST {REPO}/check-suites", needs=WRITE)
def create_check_suite(call: Call) -> Answer:
    app, sha = _writer(call), call.text("head_sha")
    if sha not in call.repo.store.commits:
        raise Refused(422, f"No commit found for SHA: {sha}")
    there = any(one.app is app and one.head_sha == sha for one in call.repo.check_suites.values())
    suite = checks.suite_for(call.repo, app, sha)
    return Answer(shapes_checks.check_suite(suite), 200 if there else 201)


@route(f"POST {REPO}/check-suites/{{check_suite_id}}/rerequest", needs=WRITE)
def rerequest_check_suite(call: Call) -> Answer:
    suite = _suite(call)
    call.world.happened("check_suite", "rerequested", repo=call.repo, suite=suite, sender=call.user)
    return Answer({}, 201)


@route(f"POST {REPO}/check-runs/{{check_run_id}}/rerequest", needs=WRITE)
def rerequest_check_run(call: Call) -> Answer:
    run = _run(call)
    call.world.happened("check_run", "rerequested", repo=call.repo, run=run, sender=call.user)
    return Answer({}, 201)
