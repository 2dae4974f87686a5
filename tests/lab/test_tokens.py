"""Token sources: what they give, and in what words they fail."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest

from sonde_lab import tokens
from sonde_lab.endpoints import TokenKind, TokenSource
from sonde_lab.tokens import TokenFailed

SECRET = "a-test-secret-of-more-than-32-bytes-0123456789"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


class Answers(BaseHTTPRequestHandler):
    """Paths are answers."""

    def answer(self) -> None:
        status, headers, body = {
            "/json": (200, {}, b'{"token":"abc"}'),
            "/access": (200, {}, b'{"access_token":"abc"}'),
            "/text": (200, {}, b" abc\n"),
            "/quoted": (200, {}, b'"abc"'),
            "/none": (200, {}, b"{}"),
            "/broken": (200, {}, b"{nope"),
            "/page": (200, {}, b"<html>please log in</html>"),
            "/large": (200, {}, b"x" * 100_000),
            "/refused": (403, {}, b"not you\nBearer abcdefghijklmnopq"),
            "/moved": (302, {"Location": "/json"}, b""),
            "/away": (302, {"Location": "http://localhost:1/json"}, b""),
        }[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, *_arguments: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(("path", "method"), [("/json", "POST"), ("/access", "GET"), ("/text", "POST"), ("/quoted", "GET"), ("/moved", "GET")])  # fmt: skip
async def test_url_gives_a_token(server: str, path: str, method: str) -> None:
    assert await tokens.source(TokenSource(TokenKind.URL, server + path, method=method))() == "abc"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none", "no token in it"),
        ("/broken", "no valid JSON"),
        ("/page", "something else"),
        ("/large", "longer than"),
        ("/refused", "answered 403: not you"),
        ("/away", "another host, 'localhost:1'"),
    ],
)
async def test_url_without_a_token_fails_in_words(server: str, path: str, words: str) -> None:
    with pytest.raises(TokenFailed, match=words) as failed:
        await tokens.from_url(server + path, "GET")()
    assert "abcdefghijklmnopq" not in str(failed.value)


async def test_unreachable_url_fails_in_words() -> None:
    with pytest.raises(TokenFailed, match="cannot be asked"):
        await tokens.from_url("http://127.0.0.1:1/")()
    with pytest.raises(TokenFailed, match="http://"):
        await tokens.from_url("file:///etc/passwd")()


async def test_silent_url_fails_within_its_time() -> None:
    gone = asyncio.Event()

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TokenFailed, match="timed out"):
        await tokens.from_url(f"http://127.0.0.1:{port}/", timeout_s=0.1)()
    await gone.wait()
    server.close()
    await server.wait_closed()


async def test_command_gives_what_it_prints() -> None:
    assert await tokens.source(TokenSource(TokenKind.COMMAND, argv=python("print('abc')")))() == "abc"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            python("import sys; sys.stderr.write('vault is sealed'); sys.exit(3)"),
            "(?s)ended with 3.*vault is sealed",
        ),
        (python("import sys; sys.exit(3)"), "said nothing"),
        (python("import sys; sys.stderr.write('log in first')"), "(?s)no token in it.*log in first"),
        (python("print('two words')"), "one word"),
        (python("print('x' * 100000)"), "longer"),
        (("/nowhere/at-all",), "cannot be started"),
        ((), "empty"),
    ],
)
async def test_failing_command_is_shown_with_its_stderr(argv: tuple[str, ...], words: str) -> None:
    with pytest.raises(TokenFailed, match=words):
        await tokens.from_command(argv)()


async def test_stderr_of_a_command_is_shown_without_secrets() -> None:
    argv = python("import sys; sys.stderr.write('Bearer abcdefghijklmnopq'); sys.exit(1)")
    with pytest.raises(TokenFailed) as failed:
        await tokens.from_command(argv)()
    assert "abcdefghijklmnopq" not in str(failed.value)


async def test_command_that_hangs_is_ended() -> None:
    with pytest.raises(TokenFailed, match=r"within 0\.2 s"):
        await tokens.from_command(python("import time; time.sleep(60)"), timeout_s=0.2)()


async def test_pasted_token_is_cleaned_and_checked() -> None:
    assert await tokens.source(TokenSource(TokenKind.PASTE, "  abc\n"))() == "abc"
    with pytest.raises(TokenFailed, match="paste one"):
        await tokens.pasted(" ")()
    with pytest.raises(TokenFailed, match="one word"):
        await tokens.pasted("a b")()


async def test_minted_token_has_the_claims_of_the_contract() -> None:
    call = tokens.minted(SECRET, "ada", {"player", "monitor"}, "Ada", 60, wall=lambda: 4_000_000_000.0)
    claims = jwt.decode(await call(), SECRET, ["HS256"])
    assert len(claims.pop("jti")) == 16
    assert claims == {"sub": "ada", "roles": ["monitor", "player"], "exp": 4_000_000_060, "name": "Ada"}
    embedded = await tokens.source(TokenSource(TokenKind.EMBEDDED), SECRET, "you", ["admin"])()
    assert jwt.decode(embedded, SECRET, ["HS256"])["sub"] == "you"


async def test_no_two_minted_tokens_are_the_same_even_within_a_second() -> None:
    call = tokens.minted(SECRET, "ada", {"player"}, wall=lambda: 4_000_000_000.0)
    assert await call() != await call()
