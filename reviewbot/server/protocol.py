"""HTTP/1.1 itself: what comes before there is a request that the application could answer."""

from __future__ import annotations

import json
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from reviewbot.server.problems import MEDIA_TYPE, Problem

HEAD_LIMIT: Final = 512 << 10
"""Bytes of a request before its body. A query can carry 20,000 characters of description, each of
which takes up to twelve bytes there."""


class ProblemProtocol(H11Protocol):
    """Answers to what is no HTTP request with a problem, as to everything else."""

    def send_400_response(self, msg: str) -> None:
        """The answer to what h11 refuses (RFC 9112, section 2.2). ``msg`` is for the log."""
        del msg
        detail = (
            "The request is not HTTP/1.1, or what comes before its body is larger than"
            f" {HEAD_LIMIT >> 10} KiB; a long text goes into a JSON body."
        )
        body = json.dumps(Problem(400, detail).document()).encode()
        headers = [
            ("Content-Type", MEDIA_TYPE),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
