"""Connections to clients that keep them waiting come to an end: those of slow or silent clients are few."""

import asyncio

from uvicorn.protocols.http.auto import AutoHTTPProtocol

# Seconds after which nothing of an answer, of which more waits, has been taken.
TAKING = 120


class TimedProtocol(AutoHTTPProtocol):
    """uvicorn's protocol, in which `timeout_keep_alive` also bounds how long a request's head may take to come.

    By itself it waits for ever for the first request, and ends the time limit of the next at the first byte. Here a
    client must take its answers, too.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._taking: asyncio.TimerHandle | None = None
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Take what came; the time goes on unless a request has begun with it."""
        waiting, self.timeout_keep_alive_task, before = self.timeout_keep_alive_task, None, self.cycle
        super().data_received(data)
        if self.cycle is before:
            self.timeout_keep_alive_task = waiting
        elif waiting:
            waiting.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, also to a client that has not taken all of its answer."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(TAKING, self.transport.abort)

    def pause_writing(self) -> None:
        """Wait for a client that takes its answer more slowly than it is written."""
        super().pause_writing()
        self._taking = self.loop.call_later(TAKING, self.transport.abort)

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        if self._taking:
            self._taking.cancel()
