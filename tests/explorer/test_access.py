"""Who may talk to the explorer: requests under its own name with its token, pages and websockets alike."""

import re
import socket
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    pytest.importorskip("panel")
    words = [sys.executable, "-m", "demandsim", "explore", "guosen-2025-01", "--draws", "64", "--no-browser"]
    folder = tmp_path_factory.mktemp("served")
    running = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield urlsplit(running.stderr.readline().removeprefix("serving: ").strip())
    finally:
        running.kill()
        running.communicate()


def status(address, target, *headers, method="GET"):
    """Send a request as it stands, and return the status of the answer."""
    with socket.create_connection(("127.0.0.1", address.port), timeout=30) as connection:
        lines = [f"{method} {target} HTTP/1.1", *headers, "Connection: close"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(4096).split()[1])


def websocket(host, origin):
    """Headers that open a websocket; the subprotocol's token is what a page of Bokeh without secret would hold."""
    return (
        f"Host: {host}",
        f"Origin: http://{origin}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        f"Sec-WebSocket-Protocol: bokeh, {_session()}",
    )


def _session():
    from bokeh.util.token import generate_jwt_token, generate_session_id

    return generate_jwt_token(generate_session_id(signed=False), signed=False)


def test_the_address_holds_a_secret_and_opens_the_page(address):
    token = parse_qs(address.query)["token"]
    assert len(token) == 1
    assert re.fullmatch(r"[\w-]{32,}", token[0])
    for host in (address.netloc, f"localhost:{address.port}", f"LOCALHOST:{address.port}"):
        assert status(address, f"/?{address.query}", f"Host: {host}") == 200
    assert status(address, "/static/js/bokeh.min.js", f"Host: {address.netloc}") == 200


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.test:{port}"],
        ["evil.test"],
        ["127.0.0.1"],
        ["127.0.0.1:1"],
        ["localhost"],
        ["localhost.evil.test:{port}"],
        ["127.0.0.1:{port}.evil.test"],
        ["127.0.0.1:{port}@evil.test"],
        ["[::1]:{port}"],
        ["0.0.0.0:{port}"],
        [""],
        [],
        ["127.0.0.1:{port}", "evil.test:{port}"],
        ["evil.test:{port}", "127.0.0.1:{port}"],
    ],
)
def test_a_foreign_host_is_refused_on_pages_and_websockets(hosts, address):
    names = [host.format(port=address.port) for host in hosts]
    headers = [f"Host: {name}" for name in names]
    for target in ("/", "/static/js/bokeh.min.js", "/autoload.js", "/metadata", "/nowhere"):
        # Where the header is missing, twice or no host, the server beneath may refuse it before: 400.
        assert status(address, f"{target}?{address.query}", *headers) in (400, 403)
    for origin in (*names, address.netloc):
        _, *rest = websocket("", origin or "null")
        assert status(address, f"/ws?{address.query}", *headers, *rest) in (400, 403)
    if hosts == ["evil.test:{port}"]:
        assert status(address, f"/?{address.query}", *headers) == 403
        assert status(address, f"/ws?{address.query}", *websocket(names[0], names[0])) == 403


@pytest.mark.parametrize(
    "query", ["", "token=", "token=x", "{right}x", "{right}&token=x", "x={right}", "TOKEN={value}"]
)
def test_nothing_of_the_study_is_told_without_the_token(query, address):
    asked = query.format(right=address.query, value=address.query.removeprefix("token="))
    for target in ("/", "/autoload.js", "/metadata", "/ws", "//", "/static/../"):
        for method in ("GET", "POST", "OPTIONS"):
            assert status(address, f"{target}?{asked}", f"Host: {address.netloc}", method=method) in (403, 404, 405), (
                target
            )
    assert status(address, f"/ws?{asked}", *websocket(address.netloc, address.netloc)) == 403


def test_a_foreign_origin_is_refused_and_the_right_one_let_in(address):
    target = f"/ws?{address.query}"
    assert status(address, target, *websocket(address.netloc, address.netloc)) == 101
    for origin in ("evil.test", f"evil.test:{address.port}", "null"):
        assert status(address, target, *websocket(address.netloc, origin)) == 403
