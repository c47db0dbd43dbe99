"""The way to web servers: what is asked again, what is final, and where it does not follow."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request

import pytest

from pixelwise import web
from pixelwise.errors import DataError

Answer = Callable[[BaseHTTPRequestHandler], None]


class _Server(ThreadingHTTPServer):
    """Answers as the test says; the last answer is given again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)


def _give(content: bytes, *, length: int | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def _send_on(url: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def _fail(status: int) -> Answer:
    return lambda handler: handler.send_error(status)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setattr(web.time, "sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _got(url: str, most: int = 100) -> bytes:
    file = io.BytesIO()
    with web.ask(url) as response:
        web.read_into(file, response, most=most)
    return file.getvalue()


def test_names_are_escaped_and_redirects_followed(server: _Server) -> None:
    server.answers = [_send_on("/there"), _give(b"bytes", length=5)]
    assert _got(f"{server.url}/a ä.jpg?size=3") == b"bytes"
    assert server.asked == ["/a%20%C3%A4.jpg?size=3", "/there"]


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "s3://bucket/x"])
def test_nothing_but_the_web_is_opened(server: _Server, place: str) -> None:
    with pytest.raises(web.RefusedError, match="no URL of a web server"):
        web.ask(place)
    server.answers = [_send_on(place)]
    with pytest.raises(web.RefusedError, match="sends on to"):
        web.ask(server.url)
    assert len(server.asked) == 1


def test_it_never_leaves_tls() -> None:
    def onwards(before: str, now: str) -> object:
        return web._Redirects().redirect_request(
            Request(before),
            io.BytesIO(),
            302,
            "Found",
            HTTPMessage(),
            now,
        )

    assert onwards("https://a/x", "https://b/x")
    assert onwards("http://a/x", "https://b/x")
    with pytest.raises(web.RefusedError, match=r"sends on to http://, which is not safe"):
        onwards("https://a/x", "http://b/x")


def test_what_is_final_and_what_is_asked_again(server: _Server) -> None:
    server.answers = [_fail(503), _fail(429), _give(b"half", length=8), _give(b"whole", length=5)]
    assert web.patiently(server.url, lambda: _got(server.url)) == b"whole"
    for status in (401, 403, 404, 410):
        server.answers = [_fail(status)]
        server.asked.clear()
        with pytest.raises(web.RefusedError, match=f"the server answers {status}: ") as told:
            web.patiently(server.url, lambda: _got(server.url))
        assert (told.value.status, len(server.asked)) == (status, 1)


def test_tries_end_with_a_sentence_that_keeps_signatures_to_itself(server: _Server) -> None:
    server.answers = [_fail(500)]
    url = f"{server.url}/x?signature=secret"
    with pytest.raises(DataError, match=r"/x: the server answers 500 .*, 3 times in a row") as told:
        web.patiently(url, lambda: _got(url), tries=3)
    assert "secret" not in str(told.value)
    assert len(server.asked) == 3


def test_what_is_sent_without_end_is_cut(server: _Server) -> None:
    server.answers = [_give(bytes(101))]
    with pytest.raises(web.RefusedError, match="larger than 100 bytes"):
        _got(server.url)
    server.answers = [_give(bytes(100))]
    assert len(_got(server.url)) == 100


@pytest.mark.parametrize("url", ["http://host:port/x", "http://[::1/x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(web.RefusedError, match="no URL of a web server"):
        web.ask(url)
