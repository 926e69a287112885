"""Features are computed once, and anew as soon as anything that they depend on is another."""

import os
from pathlib import Path

import numpy as np
import pytest

from mtl_keras.data.images import read_image
from mtl_keras.errors import UserError
from mtl_keras.evaluation import features
from mtl_keras.evaluation.features import image_batches, trunk_features
from mtl_keras.precision import computing_in
from mtl_keras.training.model import MultiTaskModel


@pytest.fixture
def computed(monkeypatch) -> list[bool]:
    """One entry (mirrored or not) for each time that a trunk went through the images."""
    calls, original = [], features.image_batches

    def counted(model, table, batch_size=64, flip=False):
        calls.append(flip)
        return original(model, table, batch_size, flip)

    monkeypatch.setattr(features, "image_batches", counted)
    return calls


def test_images_come_in_the_order_of_the_table_and_mirrored(tiny_model, faces):
    table = faces.iloc[[7, 2, 9]]
    plain = np.concatenate(list(image_batches(tiny_model, table, 2).as_numpy_iterator()))
    mirrored = np.concatenate(list(image_batches(tiny_model, table, 2, flip=True).as_numpy_iterator()))
    assert plain.shape == (3, 32, 32, 3) and plain.dtype == np.uint8
    np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])
    for image, path in zip(plain, table["path"], strict=True):
        # Halved in size by averaging, roughly: enough to tell one face from another.
        halved = read_image(path).reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
        assert np.abs(image - halved).mean() < 6


def test_features_are_those_of_the_trunk_whatever_the_heads(tiny_model, faces, tmp_path):
    found = trunk_features(tiny_model, faces, tmp_path, "random")
    assert found.shape == (30, 8 * 4 * 4) and found.dtype == np.float32
    pixels = np.concatenate(list(image_batches(tiny_model, faces).as_numpy_iterator()))
    expected = tiny_model.trunks[0].predict((pixels.astype(np.float32) - 127.5) / 128, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    mirrored = trunk_features(tiny_model, faces, tmp_path, "random", flip=True)
    assert np.abs(mirrored - found).max() > 0.01


def test_a_second_time_nothing_is_computed(tiny_model, faces, tmp_path, computed):
    first = trunk_features(tiny_model, faces, tmp_path / "cache", "random")
    again = trunk_features(tiny_model, faces, tmp_path / "cache", "random")
    np.testing.assert_array_equal(first, again)
    assert computed == [False]
    assert len(os.listdir(tmp_path / "cache")) == 1, "one file, and no temporary one"
    # The same trunk under other heads has the same features.
    other = MultiTaskModel(tiny_model.tasks[:1], "tiny", shared_units=(), head_units=())
    trunk_features(other, faces, tmp_path / "cache", "random")
    assert computed == [False]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "pickled", "rows", "width", "kind", "nan"])
def test_a_damaged_cache_is_computed_anew_and_said(tiny_model, faces, tmp_path, computed, capsys, damage):
    first = trunk_features(tiny_model, faces, tmp_path, "random")
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    others = {"rows": first[:-1], "width": first[:, :-1], "kind": first.astype("float64"), "nan": np.nan * first}
    if damage in ("truncated", "flipped"):
        at = len(whole) // 2
        path.write_bytes(whole[:at] if damage == "truncated" else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    else:
        np.savez(path, features=others.get(damage, np.array({}, object)), allow_pickle=True)
    np.testing.assert_array_equal(trunk_features(tiny_model, faces, tmp_path, "random"), first)
    assert computed == [False, False] and path.read_bytes() == whole
    assert f"{path}: damaged (" in (said := capsys.readouterr().err) and "made anew" in said


def test_an_image_that_has_gone_is_named(tiny_model, faces, tmp_path):
    with pytest.raises(UserError, match="nowhere.jpg: No such file or directory; it was deleted"):
        trunk_features(tiny_model, faces.assign(path="nowhere.jpg"), tmp_path, "random")


def test_flip_weights_images_and_size_make_other_features(tiny_model, faces, tmp_path, computed):
    larger = MultiTaskModel(tiny_model.tasks, "tiny", image_size=40, shared_units=(4,))
    one = trunk_features(tiny_model, faces, tmp_path, "one")
    for model, table, weights, flip in (
        (tiny_model, faces, "one", True),
        (tiny_model, faces, "another", False),
        (tiny_model, faces.iloc[::-1], "one", False),
        (tiny_model, faces.iloc[:5], "one", False),
        (larger, faces, "one", False),
    ):
        before = len(computed)
        found = trunk_features(model, table, tmp_path, weights, flip)
        assert computed[before:] == [flip]
        # The trunk itself is the same one under both names of its weights.
        assert np.array_equal(found, one) == (weights == "another")


def test_the_precision_of_the_model_counts_not_that_of_the_moment(tiny_model, faces, tmp_path, computed):
    exact = trunk_features(tiny_model, faces, tmp_path, "random")
    with computing_in("mixed_bfloat16"):
        mixed = MultiTaskModel.from_config(tiny_model.get_config())
        mixed.set_weights(tiny_model.get_weights())
        np.testing.assert_array_equal(trunk_features(tiny_model, faces, tmp_path, "random"), exact)
        assert len(computed) == 1
        rounded = trunk_features(mixed, faces, tmp_path, "random")
    assert len(computed) == 2
    assert 0 < np.abs(rounded - exact).max() < 0.1


def test_a_changed_file_is_read_again(tiny_model, faces, tmp_path, computed):
    copy = tmp_path / "face.jpg"
    copy.write_bytes(Path(faces["path"][0]).read_bytes())
    table = faces.iloc[:1].assign(path=str(copy))
    before = trunk_features(tiny_model, table, tmp_path / "cache", "random")
    copy.write_bytes(Path(faces["path"][1]).read_bytes())
    os.utime(copy, ns=(1, 1))
    after = trunk_features(tiny_model, table, tmp_path / "cache", "random")
    assert len(computed) == 2 and not np.array_equal(before, after)


def test_a_cache_that_cannot_be_written_is_named(tiny_model, faces, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        trunk_features(tiny_model, faces.iloc[:2], tmp_path / "file", "random")


@pytest.mark.parametrize("version", ["mtl_keras.evaluation.features.__version__", "keras.__version__",
                                     "tensorflow.__version__", "PIL.__version__"])  # fmt: skip
def test_another_version_computes_them_anew(tiny_model, faces, tmp_path, monkeypatch, version):
    before = features.features_path(tiny_model, faces[:3], tmp_path, "random")
    assert before == features.features_path(tiny_model, faces[:3], tmp_path, "random")
    monkeypatch.setattr(version, "9.9")
    assert features.features_path(tiny_model, faces[:3], tmp_path, "random") != before
