"""Weight files: what is read, what is refused and how, and downloads from a server on this machine."""

import hashlib
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models import weights
from mtl_keras.models.backbones.facenet import facenet, facenet_small
from mtl_keras.models.weights import Published, find_weights, load_facenet_weights, sha256


# === Reading a file ===
def tiny_trunk() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="Conv2d_1a_3x3", use_bias=False)(inputs)
    x = keras.layers.BatchNormalization(scale=False, name="Conv2d_1a_3x3_BatchNorm")(x)
    return keras.Model(inputs, keras.layers.Conv2D(2, 1, name="Block35_1_Conv2d_1x1")(x))


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    model = tiny_trunk()
    return {f"{layer.name}/{v.name}": rng.uniform(1, 2, v.shape) for layer in model.layers for v in layer.weights}


def write(path: Path, contents: dict[str, np.ndarray], dtype: str = "float32", suffix: str = "") -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = sorted({name.split("/")[0] for name in contents})
        for name, value in contents.items():
            file[f"{name.split('/')[0]}/{name}{suffix}"] = np.asarray(value).astype(dtype)
    return path


@pytest.mark.parametrize(("dtype", "suffix"), [("float32", ""), ("float16", ""), ("float32", ":0")])
def test_sets_every_array_by_name(tmp_path, dtype, suffix):
    contents = arrays() | {"Bottleneck/kernel": np.ones((3, 3)), "Block8_6_Conv2d_1x1/bias": np.ones(2)}
    model = tiny_trunk()
    load_facenet_weights(model, write(tmp_path / "w.h5", contents, dtype, suffix))
    for layer in model.layers:
        for v in layer.weights:
            np.testing.assert_array_equal(v, contents[f"{layer.name}/{v.name}"].astype(dtype))


def refuse(path: Path, *parts: str) -> None:
    """The file is refused in one line that names it and holds all `parts`; the model stays as it was."""
    model = tiny_trunk()
    before = model.get_weights()
    with pytest.raises(UserError) as caught:
        load_facenet_weights(model, path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for part in parts:
        assert part in message
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_missing_file(tmp_path):
    refuse(tmp_path / "none.h5", "no such weight file")


def test_text_file_and_empty_file(tmp_path):
    for text in ("this is no HDF5\n", ""):
        path = tmp_path / "w.h5"
        path.write_text(text)
        refuse(path, "not a readable HDF5 file")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_file(tmp_path, part):
    path = write(tmp_path / "w.h5", arrays())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    refuse(path, "truncated")


def test_damaged_file_is_refused_or_read_but_never_crashes(tmp_path):
    path = write(tmp_path / "w.h5", arrays())
    whole = path.read_bytes()
    filled = [position for position, byte in enumerate(whole) if byte]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.choice(filled)] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            load_facenet_weights(tiny_trunk(), path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 10


def test_whole_model_file(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.create_group("model_weights")
    refuse(path, "layer_names", "-weights.h5")


@pytest.mark.parametrize("name", ["Conv2d_1a_3x3/kernel", "Block35_1_Conv2d_1x1/bias"])
def test_missing_array(tmp_path, name):
    contents = arrays()
    del contents[name]
    refuse(write(tmp_path / "w.h5", contents), f"array {name} is missing")


def test_group_in_place_of_an_array(tmp_path):
    contents = arrays()
    contents["Conv2d_1a_3x3/kernel/inner"] = contents.pop("Conv2d_1a_3x3/kernel")
    refuse(write(tmp_path / "w.h5", contents), "array Conv2d_1a_3x3/kernel is missing")


def test_wrong_shape(tmp_path):
    contents = arrays() | {"Conv2d_1a_3x3/kernel": np.ones((3, 3, 1, 4))}
    refuse(write(tmp_path / "w.h5", contents), "Conv2d_1a_3x3/kernel", "(3, 3, 1, 4)", "(3, 3, 3, 4)")


def test_integers(tmp_path):
    refuse(write(tmp_path / "w.h5", arrays(), "int32"), "int32", "expected float")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite(tmp_path, bad):
    contents = arrays()
    contents["Conv2d_1a_3x3_BatchNorm/moving_variance"][1] = bad
    refuse(write(tmp_path / "w.h5", contents), "Conv2d_1a_3x3_BatchNorm/moving_variance", "not finite")


def test_link_to_another_file_is_not_followed(tmp_path):
    write(tmp_path / "other.h5", arrays())
    path = write(tmp_path / "w.h5", arrays())
    with h5py.File(path, "a") as file:
        del file["Conv2d_1a_3x3"]
        file["Conv2d_1a_3x3"] = h5py.ExternalLink("other.h5", "Conv2d_1a_3x3")
    refuse(path, "Conv2d_1a_3x3/kernel lies in another file")


# === Finding a file ===
def test_sha256_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    # The example of FIPS 180-2, appendix B.1.
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_published_are_the_two_models_with_fixed_standardization():
    if not weights.PUBLISHED:
        pytest.skip("keras-facenet is not installed")
    assert set(weights.PUBLISHED) == {"20180402-114759", "20180408-102900"}
    for name, published in weights.PUBLISHED.items():
        assert published.url.startswith("https://") and published.url.endswith(published.file)
        assert published.file == f"{name}-weights.h5" and len(published.sha256) == 64


def test_a_path_is_taken_as_it_is(tmp_path):
    path = write(tmp_path / "mine.h5", arrays())
    assert find_weights(str(path)) == path


def test_unknown_name_lists_the_known(monkeypatch):
    monkeypatch.setattr(weights, "PUBLISHED", {"known": Published("http://127.0.0.1:9/x", "0", "x")})
    with pytest.raises(UserError, match=r"'nonsense'.*known"):
        find_weights("nonsense")
    monkeypatch.setattr(weights, "PUBLISHED", {})
    with pytest.raises(UserError, match="keras-facenet is not installed"):
        find_weights("20180408-102900")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on this machine with one published file, `name-weights.h5`; the cache is an empty folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "name-weights.h5").write_bytes(b"weights" * 300_000)  # more than one chunk
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{http.server_port}/name-weights.h5"
    published = Published(url, hashlib.sha256(b"weights" * 300_000).hexdigest(), "name-weights.h5")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(weights, "PUBLISHED", {"name": published})
    yield http
    http.shutdown()
    http.server_close()


def cached_files(tmp_path: Path) -> list[str]:
    return sorted(os.listdir(tmp_path / "keras" / "mtl_keras"))


def test_download_is_checked_cached_and_not_repeated(server, tmp_path):
    path = find_weights("name")
    assert path == tmp_path / "keras" / "mtl_keras" / "name-weights.h5"
    assert path.read_bytes() == b"weights" * 300_000
    assert cached_files(tmp_path) == ["name-weights.h5"]
    (tmp_path / "web" / "name-weights.h5").unlink()
    assert find_weights("name") == path


def test_wrong_checksum_leaves_nothing_behind(server, tmp_path):
    (tmp_path / "web" / "name-weights.h5").write_bytes(b"something else")
    with pytest.raises(UserError, match="sha256 of the download is .*, expected .* try again"):
        find_weights("name")
    assert cached_files(tmp_path) == []


def test_wrong_file_in_the_cache_is_named_and_kept(server, tmp_path):
    cached = find_weights("name")
    cached.write_bytes(b"damaged")
    with pytest.raises(UserError, match="name-weights.h5: sha256 is .* delete the file"):
        find_weights("name")
    assert cached.read_bytes() == b"damaged"


def test_server_without_the_file(server, tmp_path):
    (tmp_path / "web" / "name-weights.h5").unlink()
    with pytest.raises(UserError, match="download failed .*404.* put it at"):
        find_weights("name")
    assert cached_files(tmp_path) == []


def test_no_server_tells_where_to_get_the_file_and_where_to_put_it(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError) as caught:
        find_weights("name")
    message = str(caught.value)
    assert "/name-weights.h5: download failed" in message and "\n" not in message
    assert f"put it at {tmp_path / 'keras' / 'mtl_keras' / 'name-weights.h5'}" in message
    assert cached_files(tmp_path) == []


# === Real weights ===
@pytest.mark.realdata
def test_real_weights_load_into_both_trunks(real_data):
    path = real_data / "facenet" / "20180408-102900-weights.h5"
    images = np.random.default_rng(0).uniform(-1, 1, (2, 160, 160, 3)).astype("float32")
    for build in (facenet, facenet_small):
        model = build()
        fresh = model(images).numpy()
        load_facenet_weights(model, path)
        assert all(float(keras.ops.min(v)) > 0 for v in model.weights if v.name == "moving_variance")
        features = model(images).numpy()
        assert np.isfinite(features).all() and not np.allclose(features, fresh, atol=1e-2)
