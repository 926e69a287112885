"""Clients that send nothing, little by little, or take no answers lose their connections; others keep them."""

import socket
import threading
import time

import pytest
import uvicorn

from mtl_keras.serving.page import connections

LIMIT = 0.3
LARGE = bytes(20_000_000)


async def application(scope, receive, send):
    """Answer more than a socket holds."""
    body = LARGE if scope["path"] == "/large" else b"fine"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def running():
    """A server with short limits."""
    settings = {"http": connections.TimedProtocol, "timeout_keep_alive": LIMIT, "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", **settings))
    with socket.create_server(("127.0.0.1", 0)) as address, pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "TAKING", LIMIT)
        thread = threading.Thread(target=server.run, args=([address],))
        thread.start()
        server.address = address.getsockname()
        yield server
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nhost: a\r\nx: "])
def test_a_request_that_does_not_begin_has_no_place_for_ever(running, head):
    with socket.create_connection(running.address) as client:
        client.settimeout(LIMIT / 10)
        client.sendall(head)
        start = time.monotonic()
        while time.monotonic() < start + 5:
            try:
                assert client.recv(100) == b""
                break
            except TimeoutError:
                client.sendall(b"a" if head else b"")
            except ConnectionResetError:
                break
        assert LIMIT / 2 < time.monotonic() - start < 4


def test_the_next_request_has_its_time_and_no_more(running):
    with socket.create_connection(running.address) as client:
        for _ in range(4):
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            answer = b""
            while not answer.endswith(b"fine"):
                answer += (part := client.recv(1000))
                assert part
            time.sleep(LIMIT / 2)
        client.settimeout(5)
        assert client.recv(100) == b""


def test_an_answer_that_nobody_takes_is_given_up(running):
    with socket.create_connection(running.address) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        client.recv(1)
        until = time.monotonic() + 5
        while running.server_state.connections and time.monotonic() < until:
            time.sleep(0.05)
        assert not running.server_state.connections
