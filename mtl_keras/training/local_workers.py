"""Several workers on one machine, each a process of its own: what is measured of them, and tried with them."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path


def free_addresses(count: int) -> list[str]:
    """Return addresses of this machine, such as 127.0.0.1:41234, at which nobody listens yet."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in held]


def tf_config(addresses: list[str], place: int) -> str:
    """Return the TF_CONFIG of the worker at this place among those at the addresses."""
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}})


class LocalWorkers:
    """Processes of one command line of Python, told of each other by TF_CONFIG; a single one has none.

    Each has a folder of its own in `folder`, such as 0, where temporary files and what it prints lie. Those that still
    run at the end of the `with` block are killed.
    """

    def __init__(self, count: int, folder: Path | str, *command: object, **environment: str):
        self.addresses, self.folders = free_addresses(count), [Path(folder, str(place)) for place in range(count)]
        # A proxy has no place between two processes of one machine.
        usual = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"} | {"no_proxy": "127.0.0.1"}
        self.processes = []
        try:
            for place, own in enumerate(self.folders):
                (own / "tmp").mkdir(parents=True)
                told = {"TF_CONFIG": tf_config(self.addresses, place)} if count > 1 else {}
                with open(own / "out", "w") as out, open(own / "err", "w") as err:
                    process = subprocess.Popen(
                        [sys.executable, *map(str, command)],
                        env={**usual, "TMPDIR": str(own / "tmp"), **told, **environment},
                        stdout=out,
                        stderr=err,
                    )
                self.processes.append(process)
        except BaseException:  # The `with` block, which ends them, has not begun.
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def codes(self, seconds: float) -> list[int | None]:
        """Return the exit codes, None for a worker that still runs after these seconds."""
        found, end = [], time.monotonic() + seconds
        for process in self.processes:
            try:
                found.append(process.wait(max(0, end - time.monotonic())))
            except subprocess.TimeoutExpired:
                found.append(None)
        return found

    def printed(self, place: int) -> str:
        """Return what a worker has printed."""
        return (self.folders[place] / "out").read_text(errors="replace")

    def told(self, place: int) -> str:
        """Return what a worker has written to its stream of errors."""
        return (self.folders[place] / "err").read_text(errors="replace")
