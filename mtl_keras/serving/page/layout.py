"""The page itself, built with gradio."""

import base64
from html import escape

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.serving.page.answers import shown
from mtl_keras.serving.page.examples import Example
from mtl_keras.serving.page.limits import Limits, RefusedError
from mtl_keras.serving.page.uploads import path_of, taken
from mtl_keras.serving.page.videos import can_count, counted
from mtl_keras.serving.page.worker import Worker
from mtl_keras.serving.runtime import Runtime
from mtl_keras.tasks import Task

gr = needed("gradio", "page")

TITLE = "Faces, answered by mtl_keras"
# Photos that are drawn and shown at once.
AT_ONCE = 4
# Seconds between two looks for who waits.
LOOK_EVERY = 0.02
# Every so many seconds gradio deletes files that came in, but were not asked about, after so many.
CACHE = (30, 300)
FACES = [("Photo of people", "detect"), ("One face, cut out", "crop")]
EMPTY = '<div class="empty">Answers stand here: take or choose a photo, or try a drawn face.</div>'
EMPTY_VIDEO = '<div class="empty">Counts stand here: choose a video.</div>'
USE = """
**Intended use and limits.** For research and teaching. Not for decisions about people, for identification, or for
surveillance. The labels that a network learns from are coarse and are other people's impressions: two genders, a few
ethnicities, estimated ages. They are not how anybody describes themselves, and errors differ between groups of people.
Ask people before you send their photos.

**What happens to a photo.** It goes to the computer that runs this page and no further, is deleted as soon as it is
answered, and nothing of it is kept. Nothing on this page comes from elsewhere.
"""
# What a click or a key on one of the drawn faces tells the server: its place in the row.
CHOOSE = """
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button) trigger('click', {number: Number(button.dataset.number)});
});
"""
# Screen readers say what is new in it, and a phone, where it is below all else, goes there.
ANNOUNCE = """
element.setAttribute('aria-live', 'polite');
watch('value', () => { if (innerWidth < 768) element.scrollIntoView({block: 'start'}); });
"""


def page(worker: Worker, runtime: Runtime, examples: list[Example]) -> gr.Blocks:
    """Return the page: photos, and where people can be counted, videos."""
    words = ", ".join(task.name.replace("_", " ") for task in runtime.tasks)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE) as blocks:
        gr.HTML(f"<h1>Faces</h1><p>What a network answers about each: {escape(words)}</p>", elem_id="title")
        with gr.Tab("Photo"):
            _photos(worker, list(runtime.tasks), examples)
        if can_count():
            with gr.Tab("Video"):
                _videos(runtime, worker.limits)
        gr.Markdown(USE, elem_id="use")
    blocks.queue(max_size=worker.limits.waiting, default_concurrency_limit=AT_ONCE)
    # gradio looks for visitors a thousand times a second, which takes 7 % of a processor while there are none.
    blocks._queue.sleep_when_free = LOOK_EVERY
    return blocks


def _photos(worker: Worker, tasks: list[Task], examples: list[Example]) -> None:
    """Lay out a photo of a file or the camera, what is found in it, and drawn faces to try."""

    def from_photo(path: str | None, faces: str) -> tuple[str, None]:
        """Answer a photo that came in; its file is gone, and the field for the next is empty."""
        try:
            return (answer(worker, taken(path), faces, tasks) if path else EMPTY), None
        except UserError as error:
            return wrong(error), None

    def from_example(faces: str, event: gr.EventData) -> str:
        number = event.number if isinstance(event.number, int) else -1
        return answer(worker, examples[number].contents, faces, tasks) if 0 <= number < len(examples) else EMPTY

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            photo = gr.Image(
                label="Photo", sources=["upload", "webcam", "clipboard"], height=260, elem_id="photo", buttons=[]
            )
            photo.preprocess = path_of
            faces = gr.Radio(FACES, value="detect", label="What the picture shows")
            gr.Markdown(said(worker.limits), elem_classes="said")
            row = gr.HTML(_row(examples), js_on_load=CHOOSE, elem_id="examples")
        with gr.Column(scale=3, min_width=320):
            found = gr.HTML(EMPTY, elem_id="answer", elem_classes="answer", js_on_load=ANNOUNCE)
    photo.input(from_photo, [photo, faces], [found, photo], show_progress_on=found, api_visibility="private")
    row.click(from_example, faces, found, api_visibility="private")


def _videos(runtime: Runtime, limits: Limits) -> None:
    """Lay out a video file, and who was counted in it."""

    def from_video(path: str | None) -> tuple[str, None]:
        return (counted(path, runtime, limits) if path else EMPTY_VIDEO), None

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            video = gr.File(label="Video", file_types=["video"], height=260, elem_id="video")
            video.preprocess = path_of
            gr.Markdown(
                f"MP4, WebM and others, up to {limits.video_megabytes:g} MB; the first {limits.video_length:g} seconds "
                "are looked at, which takes about as long. One video is counted at a time.",
                elem_classes="said",
            )
        with gr.Column(scale=3, min_width=320):
            found = gr.HTML(EMPTY_VIDEO, elem_id="counted", elem_classes="answer", js_on_load=ANNOUNCE)
    video.upload(
        from_video, video, [found, video], show_progress_on=found, concurrency_limit=1, api_visibility="private"
    )


def answer(worker: Worker, contents: bytes, faces: str, tasks: list[Task]) -> str:
    """Return what is found in a photo, or what is wrong with it, as HTML."""
    try:
        pixels = worker.limits.check_photo(contents)
        with worker.place():
            future = worker.submit([contents], faces, pixels)
            try:
                (found,) = future.result(worker.limits.seconds)
            except TimeoutError:
                future.cancel()
                raise worker.busy() from None
        if found.error:
            raise RefusedError(found.error, 422)
        return shown(contents, found.people, tasks)
    except RefusedError as refused:
        return wrong(refused)


def wrong(error: UserError) -> str:
    """Return what is wrong with a photo, as HTML."""
    return f'<p class="wrong" role="alert">This photo cannot be answered: {escape(str(error))}.</p>'


def said(limits: Limits) -> str:
    """Return in words what is taken."""
    return (
        f"JPEG, PNG, WebP, HEIC and others, up to {limits.megabytes:g} MB and {limits.megapixels:g} million pixels. "
        f"An answer takes a second or so; after {limits.seconds:g} seconds it is given up."
    )


def _row(examples: list[Example]) -> str:
    buttons = [
        f'<button type="button" data-number="{number}">'
        f'<img alt="{escape(example.title)}" title="{escape(example.title)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(example.contents).decode()}"></button>'
        for number, example in enumerate(examples)
    ]
    return f'<p>Or try a drawn face</p><div class="row">{"".join(buttons)}</div>'
