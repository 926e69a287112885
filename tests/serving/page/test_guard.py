import asyncio
import json
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from mtl_keras.serving.page.guard import Guard
from mtl_keras.serving.page.limits import Limits

LIMITS = Limits(megabytes=0.001, video_megabytes=0.01, seconds=0.1, video_seconds=0.1)


async def application(scope, receive, send):
    """Answer how many bytes came; like gradio's, it makes a failure of its own out of what goes wrong."""
    try:
        response = PlainTextResponse(str(len(await Request(scope, receive).body())))
    except Exception:
        response = PlainTextResponse("failed at /home/somebody", 500)
    await response(scope, receive, send)


def ask(
    parts: list[bytes], path: str = "/predict", stuck: bool = False, limits: Limits = LIMITS
) -> tuple[int, dict, bytes]:
    """Send the parts of a request, the last of which never comes where it is `stuck`."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if not stuck:
        messages[-1]["more_body"] = False
    waiting, sent = iter(messages), []

    async def receive():
        if (message := next(waiting, None)) is None:
            await asyncio.sleep(60)
        return message

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    asyncio.run(Guard(application, limits)(scope, receive, send))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1
    headers = {name.decode(): value.decode() for name, value in starts[0]["headers"]}
    return starts[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)


def test_what_is_within_the_limits_passes():
    status, headers, body = ask([bytes(600), bytes(400)])
    assert (status, body, headers["cache-control"]) == (200, b"1000", "no-store")
    assert "default-src 'self'" in headers["content-security-policy"]
    assert ask([bytes(5000)], "/gradio_api/upload")[2] == b"5000"
    assert "cache-control" not in ask([b""], "/assets/index.js")[1]


@pytest.mark.parametrize("parts", [[bytes(1001)], [bytes(400)] * 3, [bytes(900)] * 100])
def test_too_many_bytes_are_refused_whatever_the_application_makes_of_them(parts):
    status, _, body = ask(parts)
    assert status == 413 and "more than 0.001 MB" in json.loads(body)["error"]


@pytest.mark.parametrize(("seconds", "pause"), [(0.1, 9), (9, 0.1)])
def test_a_request_that_does_not_come_to_its_end_is_refused(monkeypatch, seconds, pause):
    monkeypatch.setattr("mtl_keras.serving.page.guard.PAUSE", pause)
    status, _, body = ask([bytes(10)], stuck=True, limits=replace(LIMITS, seconds=seconds))
    assert status == 408 and f"within {seconds} seconds, without pauses of {pause}" in json.loads(body)["error"]
