import io
import os
import re
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest
from starlette.testclient import TestClient

from mtl_keras.data.images import decode
from mtl_keras.serving.page.http import interface
from mtl_keras.serving.page.limits import Limits

CLIENTS = 8


@pytest.fixture
def client(working, predictor):
    """Give a function that makes a client of the interface, in this process, and its worker."""

    def make(limits: Limits | None = None, given=None):
        worker = working(limits, given)
        return TestClient(interface(worker, predictor.tasks), raise_server_exceptions=False), worker

    return make


def wrong(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the message of a refused request: one line without a path or a traceback."""
    body = answer.json()
    assert set(body) == {"error"} and not re.search(r"\n|Traceback|/(tmp|home|root|usr|work)\b", body["error"])
    return answer.status_code, body["error"]


def test_an_image_as_the_body_is_answered_as_the_predictor_answers_it(client, predictor, drawn):
    sent, _ = client()
    for kind in ("image/jpeg", "application/octet-stream", None):
        answer = sent.post("/predict", content=drawn[0].contents, headers={"content-type": kind} if kind else {})
        expected = predictor.predict(decode(drawn[0].contents).pixels)
        assert (answer.status_code, answer.json()) == (200, expected)


def test_files_of_a_form_are_answered_each_with_its_name(client, drawn):
    sent, _ = client()
    files = [("a", (name, contents)) for name, contents in (("one.jpg", drawn[0].contents), ("..\\x/b.txt", b"no"))]
    answer = sent.post("/predict", files=files)
    one, other = answer.json()
    assert answer.status_code == 200 and (one["path"], other["path"]) == ("one.jpg", "b.txt")
    assert len(one["people"]) == 1 and one["error"] is None
    assert other["people"] == [] and "not a JPEG" in other["error"]


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ({"content": b""}, 400, "no image came"),
        ({"content": b"hello"}, 415, "not a JPEG"),
        ({"content": b"\xff\xd8\xff" + bytes(90)}, 422, "header is damaged"),
        ({"json": {"image": "photo.jpg"}}, 415, "application/json"),
        ({"files": {"a": ("a.jpg", b"GIF89a")}}, 422, "a.jpg: the header is damaged"),
        ({"files": [("a", ("a.jpg", b"x"))] * 3}, 400, "at most 2 files"),
        ({"data": {"a": "b"}, "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
        ({"data": {"a": "b"}, "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400, ""),
        ({"content": b"x", "params": {"faces": "<all>"}}, 400, "expected one of detect, crop"),
        ({"content": b"x", "params": {"tasks": "age"}}, 400, "'tasks' in the address: expected faces alone"),
    ],
)
def test_bad_requests_are_refused_and_say_why(client, request_, status, says):
    code, message = wrong(client(Limits(files=2))[0].post("/predict", **request_))
    assert code == status and says in message


def test_a_damaged_photo_is_refused(client, drawn):
    code, message = wrong(client()[0].post("/predict", content=drawn[0].contents[:3000]))
    assert code == 422 and "truncated" in message


def test_images_of_too_many_pixels_together_are_refused(client, drawn):
    sent, worker = client(Limits(megapixels_together=0.2))
    one = drawn[0].contents  # 300 x 360 pixels
    assert sent.post("/predict", content=one).status_code == 200
    code, message = wrong(sent.post("/predict", files=[("a", ("a.jpg", one))] * 2))
    assert code == 413 and "at most 0.2 million are taken at once" in message and worker.taken == 0


def test_other_methods_and_other_places_are_refused_in_the_same_form(client, page):
    for sent in (client()[0], httpx.Client(base_url=page.address)):
        for method, path in (("GET", "/predict"), ("OPTIONS", "/predict"), ("PUT", "/health")):
            answer = sent.request(method, path)
            assert wrong(answer)[0] == 405
            assert answer.headers["allow"] == ("GET" if path == "/health" else "POST")
        for path in ("/predict/", "/model/age", "/nowhere"):
            assert wrong(sent.get(path))[0] == 404


def test_when_all_places_are_taken_it_says_when_to_come_again(client, drawn):
    sent, worker = client(Limits(waiting=1))
    with worker.place():
        answer = sent.post("/predict", content=drawn[0].contents)
        assert wrong(answer)[0] == 503 and answer.headers["retry-after"] == "2"
        assert sent.get("/health").json() == {"status": "ok", "waiting": 1}
    assert sent.post("/predict", content=drawn[0].contents).status_code == 200
    assert worker.taken == 0


def test_an_answer_that_takes_too_long_is_given_up(client, predictor, drawn):
    go = threading.Event()
    sent, worker = client(Limits(seconds=0.1), lambda faces: go.wait() and predictor)
    assert wrong(sent.post("/predict", content=drawn[0].contents))[0] == 503
    assert worker.taken == 0
    go.set()


def test_what_goes_wrong_inside_is_nobodys_business(client, drawn):
    def broken(faces):
        raise RuntimeError("/home/somebody/secret")

    assert wrong(client(given=broken)[0].post("/predict", content=drawn[0].contents)) == (
        500,
        "something went wrong on the server",
    )


def test_a_server_that_answers_no_more_says_so(client):
    sent, worker = client()
    worker.close()
    assert sent.get("/health").status_code == 503


def test_the_model_says_what_it_answers(page):
    found = httpx.get(f"{page.address}/model").json()
    assert [task["name"] for task in found["tasks"]][:2] == ["age", "gender"]
    assert found["tasks"][1]["classes"] == ["male", "female"] and found["limits"]["megabytes"] == 20


def resident(page) -> float:
    """Return the memory in MB that the page's process holds."""
    pages = int(Path(f"/proc/{page.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def photos_of_many_sizes(drawn) -> list[bytes]:
    """Return drawn faces in ever other sizes, as no two cameras give the same."""
    found = []
    for number in range(60):
        with PIL.Image.open(io.BytesIO(drawn[number % len(drawn)].contents)) as image:
            file = io.BytesIO()
            image.resize((image.width * (40 + number) // 80, image.height * (45 + number) // 80)).save(file, "JPEG")
            found.append(file.getvalue())
    return found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says how much memory a process holds")
def test_eight_clients_at_once_are_all_answered_and_memory_stays_flat(page, drawn, pytestconfig):
    seconds, photos = pytestconfig.getoption("--load-seconds"), photos_of_many_sizes(drawn)

    def one() -> list[dict]:
        return httpx.post(f"{page.address}/predict", content=drawn[4].contents, timeout=60).json()

    def ask(number: int, until: float) -> list[float]:
        times = []
        with httpx.Client(base_url=page.address, timeout=60) as client:
            while time.monotonic() < until:
                start = time.monotonic()
                answer = client.post("/predict", content=photos[(7 * number + len(times)) % len(photos)])
                times.append(time.monotonic() - start)
                assert answer.status_code == 200 and answer.json()[0]["error"] is None, answer.text
        return times

    def all_at_once(seconds: float) -> np.ndarray:
        with ThreadPoolExecutor(CLIENTS) as clients:
            return np.concatenate([*clients.map(ask, range(CLIENTS), [time.monotonic() + seconds] * CLIENTS)])

    expected = one()
    all_at_once(seconds / 4)
    before = resident(page)
    times = all_at_once(seconds)
    after = resident(page)
    print(
        f"\n{len(times)} answers in {seconds:g} s to {CLIENTS} clients, median {np.median(times):.2f} s, "
        f"longest {times.max():.2f} s; memory {before:.0f} MB, then {after:.0f} MB"
    )
    assert len(times) >= CLIENTS and after < 1.1 * before
    assert one() == expected
    assert httpx.get(f"{page.address}/health").json() == {"status": "ok", "waiting": 0}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux says how long a process has computed")
def test_a_page_that_nobody_asks_leaves_the_processor_alone(page):
    def seconds() -> float:
        """What the page has computed, in its own code and in the system's."""
        fields = Path(f"/proc/{page.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = seconds()
    time.sleep(3)
    assert seconds() - before < 0.1


@pytest.mark.parametrize("place", ["docs/page/desk.png", str(Path("docs/page/desk.png").absolute()), "/dev/zero"])
def test_the_pages_own_protocol_takes_no_path_of_the_server(page, place):
    asked = {
        "fn_index": 0,
        "session_hash": "a",
        "data": [{"path": place, "meta": {"_type": "gradio.FileData"}}, "detect"],
    }
    httpx.post(f"{page.address}/gradio_api/queue/join", json=asked, timeout=20)
    with httpx.stream("GET", f"{page.address}/gradio_api/queue/data", params={"session_hash": "a"}, timeout=20) as told:
        done = next(line for line in told.iter_lines() if "process_completed" in line)
    assert '"success":false' in done and "base64" not in done and "desk.png" not in done
    assert httpx.get(f"{page.address}/health", timeout=20).status_code == 200
