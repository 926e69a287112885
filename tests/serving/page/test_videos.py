import numpy as np
import pytest

from mtl_keras.data.images import decode
from mtl_keras.kinds import add_task
from mtl_keras.serving.page.limits import Limits
from mtl_keras.serving.page.videos import counted
from mtl_keras.serving.runtime import open_runtime
from mtl_keras.tasks import Task
from mtl_keras.training.model import MultiTaskModel

cv2 = pytest.importorskip("cv2")
pytest.importorskip("mtl_keras.serving.people.counter", reason="people in videos cannot be counted yet")


@pytest.fixture
def sent(tmp_path):
    """Where a video lies that came in."""
    file = tmp_path / "3f2a" / "shop.mp4"
    file.parent.mkdir()
    return file


@pytest.fixture
def hats(no_new_tasks):
    """An untrained network of a task whose classes are named as what is missing often is."""
    task = Task("hat", "categorical", classes=("None", "NA"))
    add_task(task)
    return MultiTaskModel([task], "small_cnn", image_size=24, shared_units=(8,), head_units=())


def test_who_stands_before_the_camera_is_counted_and_nothing_stays(sent, hats, drawn, tmp_path):
    frame = np.ascontiguousarray(decode(drawn[1].contents).pixels[:, :, ::-1])
    video = cv2.VideoWriter(str(sent), cv2.VideoWriter_fourcc(*"mp4v"), 10, (300, 360))
    for _ in range(20):
        video.write(frame)
    video.release()
    html = counted(str(sent), open_runtime(hats), Limits(video_length=1))
    assert "<td>None</td>" in html or "<td>NA</td>" in html
    assert "<h2>1 visitor</h2>" in html and "<dd>1</dd>" in html and 'download="visitors.csv"' in html
    assert html.count("data:image/png;base64,") >= 1 and list(tmp_path.iterdir()) == []


def test_what_is_no_video_is_one_line_without_a_path(sent, network, tmp_path):
    sent.write_bytes(b"not a video")
    html = counted(str(sent), open_runtime(network), Limits())
    assert 'role="alert"' in html and str(tmp_path) not in html and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:5,\n/etc/hostname\n", "ffconcat version 1.0\nfile a.mp4\n"])
def test_a_list_of_other_files_is_no_video(sent, network, text):
    sent.write_text(text)
    assert "no video of a known format" in counted(str(sent), open_runtime(network), Limits())
