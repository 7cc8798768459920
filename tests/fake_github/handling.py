"""What a request goes through: faults, limits, identity, permission, schema, handler, caching."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.fake_github import access, git_http, openapi
from tests.fake_github.routing import Call, find
from tests.fake_github.server import NOT_JSON
from tests.fake_github.wire import Answer, Recorded, Refused

if TYPE_CHECKING:
    from tests.fake_github.access import Actor
    from tests.fake_github.fake import FakeGitHub
    from tests.fake_github.limits import Bucket
    from tests.fake_github.routing import Route

VERSIONS = ("2022-11-28", "2026-03-10")


class Handling:
    """Leads each request through, in the order in which GitHub refuses."""

    def __init__(self, fake: FakeGitHub) -> None:
        self._fake = fake
        self._waiters = ThreadPoolExecutor(8, thread_name_prefix="fake-github")

    def close(self) -> None:
        self._waiters.shutdown(wait=False)

    async def respond(self, request: Recorded) -> Answer | None:
        """Answers a request, by the faults that are to happen and else by the rules."""
        if git_http.is_git(request.path):
            return await self._git(request)
        self._fake.requests.append(request)
        if self._fake.prefix:
            graphql = request.path == "/api/graphql"
            request.path = "/graphql" if graphql else request.path.removeprefix(self._fake.prefix)
        fault = next((one for one in self._fake.faults if one.takes(request)), None)
        self._fake.limits.under_way += 1
        try:
            if fault is None:
                return self._answer(request)
            if fault.delay:
                await self._wait(fault.delay)
            await fault.all_there.wait()
            if not fault.after and (fault.drop or fault.status is not None):
                return None if fault.drop else fault.answer()
            answer = self._answer(request)
            return None if fault.drop else fault.answer() or answer
        finally:
            self._fake.limits.under_way -= 1

    async def _git(self, request: Recorded) -> Answer | None:
        self._fake.git_requests.append(request)
        self._fake.before_git(request)
        fault = next((one for one in self._fake.faults if one.takes(request)), None)
        if fault is not None:
            return fault.answer()
        return await asyncio.to_thread(
            git_http.answer, self._fake.world, request, self._fake.git_heads
        )

    async def _wait(self, seconds: float) -> None:
        """Waits by the loop's clock; by the wall's while a thread of this loop is at work, which
        would else wait for ever in a loop whose time is virtual."""
        loop = asyncio.get_running_loop()
        if getattr(loop, "busy_threads", 0):
            await loop.run_in_executor(self._waiters, threading.Event().wait, seconds)
        else:
            await asyncio.sleep(seconds)

    def _answer(self, request: Recorded) -> Answer:
        """Carries out a call, in the order in which GitHub refuses."""
        headers = {
            "x-github-request-id": f"FAKE:{len(self._fake.requests)}",
            "vary": "Accept, Authorization",
        }
        bucket = None
        try:
            actor = self._who(request)
            headers |= {"x-github-media-type": "github.v3; format=json"}
            resource = "graphql" if request.path == "/graphql" else "core"
            bucket = self._fake.limits.bucket(actor, resource, self._fake.clock.now())
            if request.path != "/rate_limit":
                self._fake.limits.charge(actor, request, bucket)
            answer = self._carry_out(request, actor)
            answer = self._conditional(request, answer, bucket)
        except Refused as refusal:
            answer = refusal.answer()
            request.refused = answer.content()
            if request.path == "/graphql" and refusal.message.startswith("API rate limit"):
                answer = Answer({"errors": [{"type": "RATE_LIMITED", "message": refusal.message}]})
        if bucket is not None:
            headers |= bucket.headers("graphql" if request.path == "/graphql" else "core")
        answer.headers = headers | answer.headers
        return answer

    def _who(self, request: Recorded) -> Actor:
        if not request.headers.get("user-agent"):
            raise Refused(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a "
                "User-Agent header (https://docs.github.com/rest/overview/resources-in-the-rest-api"
                "#user-agent-required).",
            )
        version = request.headers.get("x-github-api-version", VERSIONS[0])
        if version not in VERSIONS:
            raise Refused(400, f"'{version}' is not a supported API version.")
        actor = access.authenticate(self._fake.world, request)
        request.actor = actor.name
        return actor

    def _carry_out(self, request: Recorded, actor: Actor) -> Answer:
        found = find(request.method, request.path)
        if found is None:
            self._fake.unknown.append(request.key)
            raise Refused(404, "Not Found")
        route, params = found
        request.call = route.call
        repo = None
        if "repo" in params and "owner" in params:
            repo = self._fake.world.find_repository(f"{params['owner']}/{params['repo']}")
        access.authorize(actor, route, repo)
        openapi.must_be_object(request, NOT_JSON)
        openapi.check_request(route.call, request)
        odd = openapi.unknown_parameters(route.call, request)
        self._fake.unknown += [f"{request.key}?{name}" for name in odd]
        answer = route.handler(Call(self._fake, request, params, actor, repo))
        request.written = True
        return self._finished(route, answer)

    def _finished(self, route: Route, answer: Answer) -> Answer:
        if route.needs:
            answer.headers.setdefault("x-accepted-github-permissions", route.needs)
        if self._fake.check_answers:
            self._fake.answer_complaints += openapi.complaints_of_answer(route.call, answer)
        return answer

    def _conditional(self, request: Recorded, answer: Answer, bucket: Bucket) -> Answer:
        """304 for what the caller has; it costs nothing. A tag is of one token and one form."""
        if request.method != "GET" or answer.status != 200:
            return answer
        parts = [
            answer.content(),
            request.token.encode(),
            request.headers.get("accept", "").encode(),
        ]
        tag = f'W/"{hashlib.sha256(b"/".join(parts)).hexdigest()}"'
        answer.headers["etag"] = tag
        if request.headers.get("if-none-match") == tag:
            bucket.used -= request.path != "/rate_limit"
            return Answer(None, 304, answer.headers)
        return answer
