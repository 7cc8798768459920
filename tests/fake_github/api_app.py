"""Calls of an App about itself: installations, tokens, deliveries, and how it comes to be."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from tests.fake_github import shapes, shapes_checks
from tests.fake_github.people import LEVELS, private_key
from tests.fake_github.routing import Call, route
from tests.fake_github.wire import INTEGRATION, JSON, Answer, Refused, not_found

if TYPE_CHECKING:
    from tests.fake_github.deliveries import Sent
    from tests.fake_github.people import Installation, User
    from tests.fake_github.repository import Repository
    from tests.fake_github.world import World

NEEDED_FOR = {
    "check_run": "checks",
    "check_suite": "checks",
    "issue_comment": "issues",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "repository": "metadata",
}
"""The permission without which an App may not subscribe to an event."""


@route("GET /app", auth="app")
def get_app(call: Call) -> Answer:
    count = sum(one.app is call.app for one in call.world.installations.values())
    return Answer(shapes_checks.app(call.world, call.app) | {"installations_count": count})


@route("GET /app/installations", auth="app")
def list_installations(call: Call) -> Answer:
    own = [one for one in call.world.installations.values() if one.app is call.app]
    return call.page(own, lambda one: shapes_checks.installation(call.world, one))


def _installation(call: Call) -> Installation:
    found = call.world.installations.get(call.number("installation_id"))
    if found is None or found.app is not call.app:
        raise not_found()
    return found


@route("GET /app/installations/{installation_id}", auth="app")
def get_installation(call: Call) -> Answer:
    return Answer(shapes_checks.installation(call.world, _installation(call)))


@route("GET /repos/{owner}/{repo}/installation", auth="app")
def installation_of_repository(call: Call) -> Answer:
    found = call.world.installation_of(call.repo, call.app)
    if found is None:
        raise not_found()
    return Answer(shapes_checks.installation(call.world, found))


@route("GET /users/{username}/installation", auth="app")
def installation_of_user(call: Call) -> Answer:
    return _of_account(call, call.params["username"])


@route("GET /orgs/{org}/installation", auth="app")
def installation_of_organization(call: Call) -> Answer:
    return _of_account(call, call.params["org"])


def _of_account(call: Call, login: str) -> Answer:
    for one in call.world.installations.values():
        if one.app is call.app and one.account.login == login:
            return Answer(shapes_checks.installation(call.world, one))
    raise not_found()


@route("POST /app/installations/{installation_id}/access_tokens", auth="app")
def create_token(call: Call) -> Answer:
    installation = _installation(call)
    if installation.suspended is not None:
        raise Refused(403, "This installation has been suspended")
    wanted = call.body.get("permissions") or installation.permissions
    for name, level in wanted.items():
        if LEVELS[installation.permissions.get(name, "none")] < LEVELS[level]:
            raise Refused(422, "The permissions requested are not granted to this installation.")
    chosen = _chosen(call, installation)
    permissions = {"metadata": "read", **wanted}
    token = call.world.installation_token(installation, permissions, chosen)
    body: JSON = {
        "token": token.value,
        "expires_at": call.world.clock.stamp(token.expires),
        "permissions": permissions,
        "repository_selection": "selected" if chosen or installation.repositories else "all",
    }
    if chosen is not None:
        body["repositories"] = [shapes.repository(one) for one in chosen]
    return Answer(body, 201)


def _chosen(call: Call, installation: Installation) -> list[Repository] | None:
    names, ids = call.body.get("repositories"), call.body.get("repository_ids")
    if names is None and ids is None:
        return None
    covered = [one for one in call.world.repositories.values() if installation.covers(one)]
    found = [one for one in covered if one.name in (names or ()) or one.id in (ids or ())]
    if len(found) != len(names or ()) + len(ids or ()):
        raise Refused(
            422,
            "There is at least one repository that does not exist or is not accessible to the "
            "parent installation.",
        )
    return found


@route("GET /installation/repositories")
def list_repositories(call: Call) -> Answer:
    if call.actor.kind != "installation":
        raise Refused(403, "You must authenticate with an installation access token.")
    token = call.actor.token
    seen = [one for one in call.world.repositories.values() if token and token.sees(one)]
    return call.page(seen, shapes.repository, name="repositories")


@route("DELETE /installation/token")
def revoke_token(call: Call) -> Answer:
    if call.actor.kind != "installation" or call.actor.token is None:
        raise Refused(403, INTEGRATION)
    call.actor.token.revoked = True
    return Answer(status=204)


@route("GET /user")
def get_user(call: Call) -> Answer:
    if call.actor.kind != "user":
        raise Refused(403, INTEGRATION)
    return Answer(shapes.user(call.world, call.user))


@route("GET /rate_limit", auth="none")
def rate_limit(call: Call) -> Answer:
    return Answer(call.github.limits.overview(call.actor, call.world.clock.now()))


# --- The App's webhook


@route("GET /app/hook/config", auth="app")
def hook_config(call: Call) -> Answer:
    secret = None if call.app.webhook_secret is None else "********"
    config = {"content_type": "json", "insecure_ssl": "0", "secret": secret}
    shown = config | {"url": call.app.webhook_url}
    return Answer({key: value for key, value in shown.items() if value is not None})


@route("PATCH /app/hook/config", auth="app")
def change_hook_config(call: Call) -> Answer:
    call.app.webhook_url = call.body.get("url", call.app.webhook_url)
    call.app.webhook_secret = call.body.get("secret", call.app.webhook_secret)
    return hook_config(call)


@route("GET /app/hook/deliveries", auth="app")
def list_deliveries(call: Call) -> Answer:
    query, newest = call.request.query, call.app.deliveries[::-1]
    wanted = {"success": True, "failure": False}.get(query.get("status", ""))
    size = min(int(query.get("per_page", "30")), 100)
    cursor = int(query.get("cursor", "v1_999999999999").removeprefix("v1_"))
    rest = [one for one in newest if one.id < cursor and wanted in (None, one.ok)]
    headers = {}
    if len(rest) > size:
        headers["link"] = f'<{call.link(cursor=f"v1_{rest[size - 1].id}")}>; rel="next"'
    return Answer([one.short(call.world) for one in rest[:size]], headers=headers)


def _delivery(call: Call) -> Sent:
    number = call.number("delivery_id")
    found = next((one for one in call.app.deliveries if one.id == number), None)
    if found is None:
        raise not_found()
    return found


@route("GET /app/hook/deliveries/{delivery_id}", auth="app")
def get_delivery(call: Call) -> Answer:
    return Answer(_delivery(call).full(call.world))


@route("POST /app/hook/deliveries/{delivery_id}/attempts", auth="app")
def redeliver(call: Call) -> Answer:
    """Queues it, with the same id for ``X-GitHub-Delivery``."""
    call.github.redeliver(_delivery(call).delivery)
    return Answer({}, 202)


# --- Manifests


@route("POST /app-manifests/{code}/conversions", auth="none")
def convert_manifest(call: Call) -> Answer:
    manifest, owner, expires = call.world.manifests.pop(call.params["code"], ({}, None, 0.0))
    if owner is None or expires < call.world.clock.now():
        raise not_found()
    app = call.world.app(
        re.sub(r"[^a-z0-9]+", "-", manifest["name"].lower()).strip("-"),
        owner=owner.login,
        permissions={"metadata": "read", **manifest.get("default_permissions", {})},
        events=manifest.get("default_events", []),
        webhook_secret=secrets.token_hex(20),
        webhook_url=manifest["hook_attributes"]["url"],
        key=private_key(1),
    )
    app.external_url = manifest["url"]
    shown = shapes_checks.app(call.world, app)
    for secret in ("client_secret", "webhook_secret"):
        shown[secret] = getattr(app, secret)
    return Answer(shown | {"pem": app.private_key}, 201)


def offer_manifest(world: World, manifest: JSON, owner: User) -> str:
    """What a click on «Create GitHub App» does: checks the manifest, and gives out a code."""
    for key in ("name", "url", "hook_attributes", "redirect_url"):
        assert manifest.get(key), f"the manifest has no {key}"
    assert len(manifest["name"]) <= 34, "the name is too long"
    for url in (manifest["url"], manifest["hook_attributes"]["url"], manifest["redirect_url"]):
        assert url.startswith(("https://", "http://")), f"{url} is no address"
    granted = manifest.get("default_permissions", {})
    for event in manifest.get("default_events", ()):
        assert NEEDED_FOR[event] in granted, f"{event} needs {NEEDED_FOR[event]}"
    code = secrets.token_hex(20)
    world.manifests[code] = (manifest, owner, world.clock.now() + 3_600)
    return code
