"""One thread that answers photos in batches, whoever asks."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple

from mtl_keras.serving.page.limits import Limits, RefusedError
from mtl_keras.serving.person import Found
from mtl_keras.serving.predictor import BATCH_IMAGES, BATCH_PIXELS, Predictor

# When to ask again, in seconds, after there was no place.
RETRY = 2


class _Job(NamedTuple):
    photos: list[bytes]
    faces: str
    pixels: int
    future: Future


class Worker:
    """Answers the photos of all requests, one batch after another, in one thread.

    `predictor` gives the predictor for "detect" or "crop". At most `limits.waiting` requests have a place at once, so
    that memory is bounded whatever comes in.
    """

    def __init__(self, predictor: Callable[[str], Predictor], limits: Limits):
        self._predictor, self.limits = predictor, limits
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock, self._taken = Lock(), 0
        self._thread = Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._taken

    @property
    def is_alive(self) -> bool:
        """Whether photos are being answered."""
        return self._thread.is_alive()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for requests; where none is free, the request is refused."""
        with self._lock:
            if self._taken >= self.limits.waiting:
                raise self.busy()
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    @staticmethod
    def busy() -> RefusedError:
        """Return the refusal of a request that there is no time for now."""
        return RefusedError("too many photos are waiting; try again in a moment", 503, RETRY)

    def submit(self, photos: list[bytes], faces: str, pixels: int = 0) -> Future[list[Found]]:
        """Let the photos (contents of image files) be answered, which have this number of pixels together.

        A future that is cancelled before is passed over.
        """
        job = _Job(photos, faces, pixels, Future())
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Answer what was submitted, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_for_more = True
        while open_for_more:
            jobs = [self._jobs.get()]
            try:
                while jobs[-1] and not _is_full(jobs):
                    jobs.append(self._jobs.get_nowait())
            except Empty:
                pass
            open_for_more = jobs[-1] is not None
            live = [job for job in jobs if job and job.future.set_running_or_notify_cancel()]
            for faces in dict.fromkeys(job.faces for job in live):
                self._answer([job for job in live if job.faces == faces], faces)

    def _answer(self, jobs: list[_Job], faces: str) -> None:
        """Answer jobs together."""
        try:
            found = self._predictor(faces).found([photo for job in jobs for photo in job.photos])
            for job in jobs:
                job.future.set_result([next(found) for _ in job.photos])
        except Exception as error:  # The thread must outlive whatever one batch does.
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)


def _is_full(jobs: list[_Job]) -> bool:
    """Return whether others had better wait than be answered with these, all of which end together."""
    return sum(len(job.photos) for job in jobs) >= BATCH_IMAGES or sum(job.pixels for job in jobs) >= BATCH_PIXELS
