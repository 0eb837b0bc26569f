"""A server of files on this machine, with and without ranges, that fails as it is told."""

import re
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Server(ThreadingHTTPServer):
    """Serves `files`, a dict of path to bytes.

    Attributes
    ----------
    ranges : bool
    lengths : bool
        Tell sizes.
    answers : dict of str to list
        For each path what its next requests for bytes get: a status, or "cut".
    requests : Counter
        Of paths, by method and path.
    sent : int
        Bytes of bodies.
    """

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(files)
        self.ranges = self.lengths = True
        self.answers = defaultdict(list)
        self.requests = Counter()
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        server, path = self.server, unquote(self.path.partition("?")[0].lstrip("/"))
        server.requests[self.command, path] += 1
        faults = server.answers[path] if body else ()
        fault = faults.pop(0) if faults else None
        raw = server.files.get(path)
        if raw is None or isinstance(fault, int):
            self.send_response(fault or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        part = raw
        if asked and server.ranges:
            first, last = int(asked[1]), int(asked[2])
            part = raw[first : last + 1]
            self.send_response(206 if part else 416)
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(raw)}")
        else:
            self.send_response(200)
        if server.lengths:
            self.send_header("Content-Length", str(len(part)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.send_header("Last-Modified", formatdate(1_700_000_000, usegmt=True))
        self.send_header("ETag", f'"{hash(raw)}"')
        self.end_headers()
        if body and fault == "cut":
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
        elif body:
            server.sent += len(part)
            try:
                self.wfile.write(part)
            except ConnectionError:  # who asked has enough
                self.close_connection = True

    def log_message(self, *given):
        """Say nothing."""


@contextmanager
def serving(files):
    """Run a server while the block runs."""
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
