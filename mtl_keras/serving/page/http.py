"""The HTTP interface: photos in, the JSON of `Predictor.predict` out."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import PurePosixPath, PureWindowsPath

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from mtl_keras.kinds import kind_of
from mtl_keras.serving.page.guard import refusal
from mtl_keras.serving.page.limits import MEGA, Limits, RefusedError
from mtl_keras.serving.page.worker import Worker
from mtl_keras.serving.person import Found
from mtl_keras.serving.predictor import FACES
from mtl_keras.tasks import Task

RAW = ("", "application/octet-stream", "application/x-www-form-urlencoded")  # the last is what curl says by itself
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
Photos = list[tuple[str | None, bytes]]


def interface(worker: Worker, tasks: list[Task]) -> FastAPI:
    """Return the application of `POST /predict`, `GET /health` and `GET /model`.

    All that it answers is JSON; what it refuses is {"error": why} with a status of 4xx or 503.
    """
    # Its pages of documentation would load scripts from elsewhere.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(RefusedError, lambda _, refused: refusal(refused))
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(ClientDisconnect, lambda *_: refusal(RefusedError("the request broke off", 400)))
    app.add_exception_handler(Exception, _unexpected)

    @app.post("/predict")
    async def predict(request: Request) -> JSONResponse:
        return await _predict(request, worker)

    @app.get("/health")
    async def health() -> JSONResponse:
        status = "ok" if worker.is_alive else "nothing is answered any more; start the server anew"
        content = {"status": status, "waiting": worker.taken}
        return JSONResponse(content, 200 if worker.is_alive else 503)

    @app.get("/model")
    async def model() -> JSONResponse:
        return JSONResponse({"tasks": [_described(task) for task in tasks], "limits": _limits(worker.limits)})

    for path, method, words in (
        ("/predict", "POST", "expected POST, with an image as the body or images as a form's files"),
        ("/health", "GET", "expected GET"),
        ("/model", "GET", "expected GET"),
    ):
        # What no route takes would come to the page, which answers in a form of its own.
        app.add_route(path, _refusing(405, words, {"allow": method}), METHODS)
        app.add_route(path + "/{rest:path}", _refusing(404, f"nothing is here; expected {path}"), METHODS)
    return app


def _refusing(status: int, words: str, headers: dict[str, str] | None = None) -> Callable[[Request], None]:
    def refuse(_: Request) -> None:
        raise HTTPException(status, words, headers)

    return refuse


def http_error(_: Request, error: HTTPException) -> JSONResponse:
    """Return the answer to what is refused by the way that requests take."""
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def _unexpected(_: Request, error: Exception) -> JSONResponse:
    # What went wrong stands in the server's own log, and is nobody else's business.
    logging.getLogger(__name__).error("a request failed", exc_info=error)
    return JSONResponse({"error": "something went wrong on the server"}, 500)


def _described(task: Task) -> dict:
    described = {"name": task.name, "kind": task.kind, "unit": task.unit, "expected": kind_of(task).expected}
    return {**described, "classes": list(task.classes), "outputs": list(task.outputs)}


def _limits(limits: Limits) -> dict:
    return {
        "files": limits.files,
        "megabytes": limits.megabytes,
        "megapixels": limits.megapixels,
        "megapixels_together": limits.megapixels_together,
        "seconds": limits.seconds,
    }


async def _predict(request: Request, worker: Worker) -> JSONResponse:
    limits = worker.limits
    if unknown := [name for name in request.query_params if name != "faces"]:
        words = "expected faces alone; what is answered is chosen with --tasks as the server starts"
        raise RefusedError(f"{unknown[0][:20]!r} in the address: {words}", 400)
    faces = request.query_params.get("faces", FACES[0])
    if faces not in FACES:
        raise RefusedError(f"faces {faces[:20]!r}: expected one of {', '.join(FACES)}", 400)
    with worker.place():
        photos = await _photos(request, limits)
        wrong, pixels = {}, 0
        for number, (_, contents) in enumerate(photos):
            try:
                pixels += limits.check_photo(contents)
            except RefusedError as refused:
                wrong[number] = refused
        limits.check_together(pixels)
        if len(wrong) == len(photos):
            raise _first(wrong, photos)
        asked = [contents for number, (_, contents) in enumerate(photos) if number not in wrong]
        found = iter(await _waited(worker, worker.submit(asked, faces, pixels)))
    answers = [Found(None, [], str(wrong[number])) if number in wrong else next(found) for number in range(len(photos))]
    if all(answer.error for answer in answers):
        raise _first({0: RefusedError(answers[0].error, 422)}, photos)
    return JSONResponse(
        [
            {"path": name, "error": answer.error, "people": [person.as_json() for person in answer.people]}
            for (name, _), answer in zip(photos, answers, strict=True)
        ]
    )


def _first(wrong: dict[int, RefusedError], photos: Photos) -> RefusedError:
    """Return what is wrong with the first of photos of which none can be used."""
    name = photos[0][0]
    return RefusedError(f"{name}: {wrong[0]}" if name else str(wrong[0]), wrong[0].status)


async def _waited(worker: Worker, future: Future[list[Found]]) -> list[Found]:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), worker.limits.seconds)
    except TimeoutError:
        raise worker.busy() from None


async def _photos(request: Request, limits: Limits) -> Photos:
    """Return (name, contents) of each image of a request: the files of a form, or the body as one without a name."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        photos = await _files(request, limits)
    elif kind.startswith("image/") or kind in RAW:
        photos = [(None, contents)] if (contents := await request.body()) else []
    else:
        expected = "expected an image (image/jpeg and the like), or a form (multipart/form-data) with files"
        raise RefusedError(f"a request of the type {kind[:40]}; {expected}", 415)
    if not photos:
        raise RefusedError("no image came; expected one as the body, or as a file of a form", 400)
    return photos


async def _files(request: Request, limits: Limits) -> Photos:
    parser = MultiPartParser(request.headers, request.stream(), max_files=limits.files, max_fields=limits.files)
    parser.spool_max_size = int(2 * limits.megabytes * MEGA)  # so that nothing is written to disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        expected = f"at most {limits.files} files are taken, each as a part of a form"
        raise RefusedError(f"{error.message.rstrip('.')}; {expected}", 400) from None
    except (KeyError, ValueError):
        raise RefusedError("the form cannot be read; expected multipart/form-data with a boundary", 400) from None
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    return [(_name(file.filename), await file.read()) for file in files]


def _name(given: str | None) -> str | None:
    """Return a file's name as the client gave it, without folders."""
    return PurePosixPath(PureWindowsPath(given or "").name).name[:255] or None
