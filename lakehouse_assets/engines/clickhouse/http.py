"""ClickHouse's HTTP interface, as far as clickhouse-connect and BI tools speak it, over one `Engine`.

Ping, queries in the body or in `query`, inserts with their rows, bound parameters, settings and formats; each request
is a session of its own, whatever `session_id` says. Answers are not compressed, requests may be (gzip).
Where it stops: it never starts or ends the process; it tells how long nobody has asked.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from lakehouse_assets.engines.clickhouse.endpoint import HOST, OWNER
from lakehouse_assets.engines.clickhouse.engine import Answer, Engine, EngineError, Statement
from lakehouse_assets.engines.clickhouse.reader import Refused

MAX_BODY_BYTES = 1 << 30
MAX_UNKNOWN_BODY_BYTES = 1 << 16

# What the protocol itself means; any other parameter is a setting.
_TRANSPORT = frozenset({
    "buffer_size", "cancel_http_readonly_queries_on_client_close", "client_protocol_version", "compress", "database",
    "decompress", "default_format", "enable_http_compression", "http_headers_progress_interval_ms", "password",
    "query", "query_id", "quota_key", "role", "send_progress_in_http_headers", "session_check", "session_id",
    "session_timeout", "user", "wait_end_of_query",
})  # fmt: skip


class Activity:
    """Counts requests under way; once closed, no other one begins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0
        self._last = time.monotonic()
        self._closed = False

    def begin(self) -> bool:
        with self._changed:
            self._under_way += not self._closed
            return not self._closed

    def end(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._last = time.monotonic()
            self._changed.notify_all()

    def close_when_idle(self, seconds: float) -> bool:
        """Closes if no request was under way for that long; says whether it is closed."""
        with self._changed:
            if not self._under_way and time.monotonic() - self._last >= seconds:
                self._closed = True
            return self._closed

    def drain(self, seconds: float) -> None:
        """Closes and waits, at most that long, for the requests under way."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._under_way, timeout=seconds)


class Server(ThreadingHTTPServer):
    """Listens on loopback at a port that the system chose. `passwords` are by user name."""

    daemon_threads = True

    def __init__(self, engine: Engine, passwords: Mapping[str, str], stop: Callable[[], None]) -> None:
        super().__init__((HOST, 0), Handler)
        self.engine = engine
        self.passwords = passwords
        self.stop = stop
        self.activity = Activity()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        server = cast(Server, self.server)
        if not server.activity.begin():
            self._leave_body()
            self._send(503, b"The owner is ending; start another one\n")
            return
        try:
            self._handle(server)
        finally:
            server.activity.end()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a URL may hold a password."""

    def _handle(self, server: Server) -> None:
        url = urlsplit(self.path)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/ping":
            return self._send(200, b"Ok.\n")
        user, password = _credentials(self.headers, parameters)
        known = server.passwords.get(user, "")
        if not hmac.compare_digest(known.encode(), password.encode()) or not known:
            self._leave_body()
            return self._fail(516, "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)", 403)
        body = self._body()
        if url.path == "/stop" and user == OWNER:
            server.stop()
            return self._send(200, b"Ok.\n")
        if body is None:
            self.close_connection = True
            return self._fail(0, "only gzip bodies of at most 1 GiB are understood", 400)
        try:
            answer = server.engine.run(_statement(parameters, body), read_only=user != OWNER)
        except (EngineError, Refused) as error:
            return self._fail(error.code, str(error), 500)
        except UnicodeDecodeError:
            return self._fail(62, "Code: 62. DB::Exception: The statement is not UTF-8. (SYNTAX_ERROR)", 400)
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        summary = {
            "read_rows": str(answer.rows_read),
            "written_rows": str(answer.rows_written),
            "result_rows": str(answer.rows_written),
        }
        headers = {"X-ClickHouse-Summary": json.dumps(summary), "X-ClickHouse-Timezone": "UTC"}
        if answer.body:
            headers["X-ClickHouse-Format"] = answer.format
        self._send(200, answer.body, headers)

    def _fail(self, code: int, message: str, status: int) -> None:
        self._send(status, message.encode() + b"\n", {"X-ClickHouse-Exception-Code": str(code)})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain; charset=UTF-8" if status != 200 else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _leave_body(self) -> None:
        """Ends the connection after the answer; a short body is read, so that the answer is not lost to a reset."""
        self.close_connection = True
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_UNKNOWN_BODY_BYTES))

    def _body(self) -> bytes | None:
        """The whole body, unpacked; None where it is too long or packed in another way."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length <= MAX_BODY_BYTES else None
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if body is None or encoding == "identity":
            return body
        return gzip.decompress(body) if encoding == "gzip" else None

    def _chunks(self) -> bytes | None:
        parts: list[bytes] = []
        total = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            total += size
            if total > MAX_BODY_BYTES:
                return None
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(parts)


def _statement(parameters: Mapping[str, str], body: bytes) -> Statement:
    query = parameters.get("query", "").encode()
    bound = {k.removeprefix("param_"): v for k, v in parameters.items() if k.startswith("param_")}
    return Statement(
        text=query or body,
        data=body if query else b"",
        format=parameters.get("default_format", "TabSeparated"),
        database=parameters.get("database"),
        parameters=bound,
        settings={k: v for k, v in parameters.items() if k not in _TRANSPORT and not k.startswith("param_")},
    )


def _credentials(headers: Message[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, packed = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(packed).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password
    user = headers.get("X-ClickHouse-User") or parameters.get("user", "")
    return user, headers.get("X-ClickHouse-Key") or parameters.get("password", "")
