"""A local web server with every habit that downloads meet, and archives to serve."""

import io
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

STATUSES = {
    "/gone": 404,
    "/private": 401,
    "/forbidden": 403,
    "/busy": 503,
    "/often": 429,
    "/closed": 499,
}


class Handler(BaseHTTPRequestHandler):
    """`/<file>` has ranges and an ETag, `/plain/<file>` neither; `/cut/<file>` stops halfway.

    `/locked/` wants a password, `/silent` never answers, and `/odd/a` announces a length that is
    no number. While the server's `unstable` is set, every answer stops halfway.
    """

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        if self.path in STATUSES:
            return self.send_error(STATUSES[self.path])
        if self.path == "/silent":
            return self.server.over.wait()
        if self.path.startswith("/locked/"):
            return self.answer(401, b"", **{"WWW-Authenticate": "Basic"})
        if self.path.startswith("/odd/"):
            return self.answer(200, self.server.files["a"], length="many")
        if self.path == "/moved":
            return self.answer(302, b"", Location="/login")
        if self.path == "/loop":
            return self.answer(302, b"", Location="/loop")
        if self.path == "/login":
            return self.answer(200, b"<form>", **{"Content-Type": "text/html; charset=utf-8"})
        content = self.server.files.get(self.path.rpartition("/")[2])
        if content is None:
            return self.send_error(404)
        if self.path.startswith("/plain/"):
            return self.answer(200, content)
        return self.answer_range(content, halfway=self.path.startswith("/cut/"))

    def answer_range(self, content, halfway):
        tag = f'"{hash(content)}"'
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if self.headers.get("If-Range", tag) != tag:
            start = 0
        if start >= len(content):
            return self.answer(416, b"")
        rest = content[start:]
        covered = f"bytes {start}-{len(content) - 1}/{len(content)}"
        status, further = (206, {"Content-Range": covered}) if start else (200, {})
        cut = self.server.unstable or (halfway and not start)
        stop = len(rest) // 2 if cut else len(rest)
        return self.answer(status, rest[:stop], len(rest), ETag=tag, **further)

    def answer(self, status, content, length=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/zip", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        with suppress(ConnectionError):  # a client may have read as much as it wants
            self.wfile.write(content)
        self.close_connection = True


@pytest.fixture
def server():
    """`files`: content by name; `asked`: (path, Range) of every request; `url`: its address.

    `unstable`: whether every answer stops halfway.
    """
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.files, running.asked, running.unstable = {}, [], False
    running.over = threading.Event()
    running.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield running
    running.over.set()
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def zipped():
    """Makes a zip archive of files by name."""

    def make(files):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    return make
