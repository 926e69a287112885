"""MTCNN reads its own weights."""

from skimage import data

from mtl_keras.faces import mtcnn
from mtl_keras.faces.mtcnn import FaceDetector


def test_weights_never_come_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "pnet.lz4").write_bytes(b"not the weights")
    monkeypatch.chdir(tmp_path)
    mtcnn._stages.cache_clear()
    assert len(FaceDetector().detect([data.astronaut()])[0]) == 1
