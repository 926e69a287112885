"""What stands between the network and everything that answers: limits on requests, and headers on answers."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtl_keras.serving.page.limits import MEGA, Limits, RefusedError

# Where gradio takes files in, which may be videos; its messages are short.
UPLOAD = "/gradio_api/upload"
# Seconds that may pass between two parts of a request.
PAUSE = 10
# A client that sends too much hears so only when it has sent all: this many times the limit are read, and dropped.
DROPPED = 10
# Nothing is loaded from elsewhere: gradio's page brings its scripts along, partly as text in the page.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """ASGI middleware: a request of too many bytes (413), or that comes in too slowly (408), is refused.

    No answer stays in caches, except scripts and styles.
    """

    def __init__(self, app: ASGIApp, limits: Limits):
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope["path"], self._limits, receive, send)
        try:
            await self._app(scope, request.receive, request.send)
        except Exception:
            if request.refused is None:
                raise
        if request.refused and not request.answered:
            response = refusal(request.refused)
            response.headers["connection"] = "close"
            await response(scope, receive, request.send_with_headers)


class _Request:
    def __init__(self, path: str, limits: Limits, receive: Receive, send: Send):
        upload = path == UPLOAD
        self._most = MEGA * (max(limits.video_megabytes, limits.megabytes) if upload else limits.megabytes)
        self._seconds = limits.video_seconds if upload else limits.seconds
        self._limits, self._receive, self._send = limits, receive, send
        self._cacheable = path.startswith(("/assets/", "/static/", "/svelte/"))
        self._read, self._complete = 0, False
        self._deadline = asyncio.get_running_loop().time() + self._seconds
        self.refused: RefusedError | None = None
        self.answered = False

    async def receive(self) -> Message:
        """Return the next part of the request; where it breaks a limit, let the client seem gone."""
        if self._complete:  # Only that the client has gone can still come.
            return await self._receive()
        if self.refused:
            return {"type": "http.disconnect"}
        message = await self._next()
        while self._read > self._most and self.refused is None:
            if self._complete or self._read > DROPPED * self._most:
                self.refused = self._limits.too_many_bytes()
            else:
                message = await self._next()
        return {"type": "http.disconnect"} if self.refused else message

    async def _next(self) -> Message:
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self._receive(), min(max(0, left), PAUSE))
        except TimeoutError:
            expected = f"expected all of it within {self._seconds:g} seconds, without pauses of {PAUSE}"
            self.refused = RefusedError(f"the request took too long to come in; {expected}", 408)
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        else:
            self._complete = True
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the application answers, unless the request is refused."""
        if self.refused is None:
            self.answered = True
            await self.send_with_headers(message)

    async def send_with_headers(self, message: Message) -> None:
        """Send a part of an answer."""
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *HEADERS]
            if not self._cacheable:
                headers = [pair for pair in headers if pair[0].lower() != b"cache-control"]
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await self._send(message)


def refusal(refused: RefusedError) -> JSONResponse:
    """Return the answer to a request that is refused."""
    headers = {} if refused.retry is None else {"retry-after": str(refused.retry)}
    return JSONResponse({"error": str(refused)}, refused.status, headers)
