"""The page and the HTTP interface as one server."""

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.serving.page.limits import Limits
from mtl_keras.serving.predictor import Predictor
from mtl_keras.serving.runtime import Runtime, open_runtime
from mtl_keras.training.model import MultiTaskModel

if TYPE_CHECKING:
    from uvicorn import Server

# Connections that are open at once; one page has a few.
CONNECTIONS = 200
# Seconds until the head of a request must have come, the first or the next.
IDLE = 10


@contextlib.contextmanager
def server(
    model: MultiTaskModel | Runtime | Path | str, detector: str, address: socket.socket, limits: Limits
) -> Iterator["Server"]:
    """Give a server of the page and the HTTP interface, which `run` starts, for a model or the folder of one.

    It listens at `address`. What comes in lies in a folder of its own, which is removed in the end.
    """
    with tempfile.TemporaryDirectory(prefix="mtl_keras-") as folder:
        # gradio reads these when it is imported, and asks nobody for news with them.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        gradio, uvicorn = needed("gradio", "page"), needed("uvicorn", "page")
        from mtl_keras.serving.page import connections, guard, http, layout, style
        from mtl_keras.serving.page.examples import examples
        from mtl_keras.serving.page.worker import Worker

        runtime = open_runtime(model)
        worker = Worker(cache(lambda faces: Predictor(runtime, faces, detector)), limits)
        drawn = examples()
        # The first answer takes seconds; nobody shall wait for it.
        worker.submit([drawn[0].contents], "detect").result()
        app = http.interface(worker, list(runtime.tasks))
        blocks = layout.page(worker, runtime, drawn)
        largest = int(1e6 * max(limits.megabytes, limits.video_megabytes))
        host, port = address.getsockname()[:2]
        gradio.mount_gradio_app(
            app,
            blocks,
            "/",
            server_name=host,
            server_port=port,
            footer_links=[],
            run_history=False,
            show_error=False,
            max_file_size=largest,
            ssr_mode=False,
            theme=style.theme(),
            css=style.CSS,
        )
        app.routes[-1].app.add_exception_handler(404, http.http_error)
        # Mounted in another server, gradio does not know that it answers by now, and until then takes any path of this
        # computer for that of an uploaded file.
        blocks.has_launched = True
        config = uvicorn.Config(
            guard.Guard(app, limits),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            http=connections.TimedProtocol,
            ws="none",
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=2,
        )
        try:
            yield uvicorn.Server(config)
        finally:
            worker.close()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at this address."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{host}:{port}: {reason}; name another --host or --port") from None


def serve(model: MultiTaskModel | Runtime | Path | str, detector: str, host: str, port: int) -> None:
    """Answer at this address until Ctrl+C."""
    with listening(host, port) as address, server(model, detector, address, Limits()) as running:
        name = f"[{host}]" if ":" in host else host
        print(f"the page is at http://{name}:{address.getsockname()[1]} (Ctrl+C ends it)", flush=True)
        if host not in ("127.0.0.1", "::1", "localhost"):
            print("whoever reaches this computer can use it", file=sys.stderr)
        running.run(sockets=[address])
