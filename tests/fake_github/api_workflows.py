"""Calls on runs of workflows."""

from __future__ import annotations

from tests.fake_github import workflow_runs
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import Answer, not_found


@route("GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", needs="actions=read")
def runs_of_workflow(call: Call) -> Answer:
    runs = call.repo.workflow_runs
    name, query = call.params["workflow_id"], call.request.query
    of_workflow = [run for run in runs if run.path == f".github/workflows/{name}"]
    if not of_workflow and not name.startswith("reviewbot"):
        raise not_found()
    found = [
        one
        for one in sorted(of_workflow, key=lambda run: -run.id)
        if query.get("head_sha") in (None, one.head_sha) and query.get("event") in (None, one.event)
    ]
    return call.page(found, workflow_runs.shape, name="workflow_runs")
