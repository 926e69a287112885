"""An exported network is read only as it was written, and only from its folder."""

import json
import shutil

import pytest

from mtl_keras.serving.runtime import open_runtime


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of an exported network."""
    return shutil.copytree(exported("openvino"), tmp_path / "copy")


def change(folder, **export) -> None:
    """Change what a sidecar says of the export."""
    about = json.loads((folder / "model.json").read_text())
    about["export"] |= export
    (folder / "model.json").write_text(json.dumps(about))


def test_a_copy_is_read(folder):
    assert open_runtime(folder).image_size == 32


@pytest.mark.parametrize("name", ["../model.bin", "/etc/passwd", "a/../../b", "C:\\model.bin", "..\\model.bin"])
def test_names_that_lead_out_of_the_folder_are_refused(folder, one_line, name):
    files = json.loads((folder / "model.json").read_text())["export"]["files"]
    change(folder, files={**files, name: "0"})
    with one_line("expected files inside the folder only", folder / "model.json"):
        open_runtime(folder)


def test_other_files_than_those_that_were_written_are_refused(folder, one_line):
    files = json.loads((folder / "model.json").read_text())["export"]["files"]
    whole = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with one_line("is not the file that was exported .other sha256.", folder / "model.bin"):
        open_runtime(folder)
    (folder / "model.bin").unlink()
    with one_line("lacks model.bin", folder):
        open_runtime(folder)
    (folder / "model.bin").write_bytes(whole)
    change(folder, files={"model.xml": files["model.xml"]})
    with one_line("holds model.bin, which model.json does not list", folder):
        open_runtime(folder)
    change(folder, files={**files, "model.bin": "0"})
    with one_line("is not the file that was exported"):
        open_runtime(folder)


def test_links_out_of_the_folder_are_refused(folder, tmp_path, one_line):
    (folder / "model.bin").rename(tmp_path / "elsewhere.bin")
    (folder / "model.bin").symlink_to(tmp_path / "elsewhere.bin")
    with one_line("is a link that leads out of the folder", folder / "model.bin"):
        open_runtime(folder)
    (folder / "model.bin").unlink()
    (folder / "variables").symlink_to(tmp_path)
    with one_line("is a link that leads out of the folder", folder / "variables"):
        open_runtime(folder)


@pytest.mark.parametrize(
    ("export", "says"),
    [
        ({"format": "torch"}, "format 'torch' with precision 'float32' is unknown"),
        ({"precision": "int4"}, "precision 'int4' is unknown"),
        ({"files": {}}, "damaged"),
        ({"files": 5}, "damaged"),
        ({"format": ["openvino"]}, "damaged"),
    ],
)
def test_a_sidecar_that_makes_no_sense_is_refused(folder, one_line, export, says):
    change(folder, **export)
    with one_line(says, folder / "model.json"):
        open_runtime(folder)
