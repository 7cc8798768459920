"""A stateful fake of GitHub's REST and GraphQL API: a real server on loopback, strict and nasty.

In a test::

    async with FakeGitHub() as github:
        pull = github.pull(base={"a.py": "x = 1\\n"}, head={"a.py": "x = 2\\n"}, by="mona")
        token = github.token(pull.repo)                   # of the App, installed there
        client = Github(base_url=github.url, auth=Auth.Token(token.value), lazy=True, retry=None,
                        seconds_between_requests=None, seconds_between_writes=None)
        ...                                               # PyGithub in asyncio.to_thread
        assert [comment.body for comment in pull.review_comments] == [...]

People act through the world (``pull.push``, ``pull.comment``, ``pull.resolve`` ...), programs
through the API; both by the same rules. ``github.fail(faults.error_after("POST", "/reviews"))``
makes calls go wrong, ``github.rules`` lowers limits, ``github.limits`` counts calls,
``await github.deliver_all(to)`` sends the webhooks of all that has happened. At the end, calls that
the fake does not know fail the test. What is stricter than GitHub says so where it is.
"""

from tests.fake_github import faults
from tests.fake_github.deliveries import Delivery, Sent
from tests.fake_github.fake import FakeGitHub
from tests.fake_github.faults import Fault
from tests.fake_github.git import EXECUTABLE, SUBMODULE, SYMLINK, Blob
from tests.fake_github.pulls import PullRequest
from tests.fake_github.repository import Repository
from tests.fake_github.threads import in_thread
from tests.fake_github.wire import Recorded

__all__ = [
    "EXECUTABLE",
    "SUBMODULE",
    "SYMLINK",
    "Blob",
    "Delivery",
    "FakeGitHub",
    "Fault",
    "PullRequest",
    "Recorded",
    "Repository",
    "Sent",
    "faults",
    "in_thread",
]
