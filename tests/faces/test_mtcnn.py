"""MTCNN reads its own weights, and computes in its own precision."""

from skimage import data

from mtl_keras.faces import mtcnn
from mtl_keras.faces.mtcnn import FaceDetector
from mtl_keras.precision import computing_in


def test_weights_never_come_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "pnet.lz4").write_bytes(b"not the weights")
    monkeypatch.chdir(tmp_path)
    mtcnn._stages.cache_clear()
    assert len(FaceDetector().detect([data.astronaut()])[0]) == 1


def test_a_program_that_computes_in_mixed_precision_finds_the_same_faces():
    expected = FaceDetector().detect([data.astronaut()])
    mtcnn._stages.cache_clear()
    with computing_in("mixed_bfloat16"):
        found = FaceDetector().detect([data.astronaut()])
    mtcnn._stages.cache_clear()
    assert found == expected
