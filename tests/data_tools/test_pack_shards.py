"""The data tool: it packs a data set's folder, and tells mistakes in one line."""

import sys
from pathlib import Path

import pytest

from mtl_keras.data.shards import read_shards, shard_table


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the tool in this process and return its exit code and what it printed to either stream."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "data_tools"))
    from pack_shards import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pack_shards.py", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    yield call
    sys.modules.pop("pack_shards")


def test_a_folder_is_packed_and_what_is_unreadable_is_listed(run, faces_folder, tmp_path):
    images = sorted(faces_folder.glob("*.jpg"))
    (tmp_path / "faces").mkdir()
    for path in images[:5]:
        (tmp_path / "faces" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "faces" / images[0].name).write_bytes(b"no image")
    settings = ["--dataset", "utkface", "--data", tmp_path / "faces", "--out", tmp_path / "shards"]
    code, out, errors = run(*settings, "--rows-per-shard", 2, "--seed", 1)
    assert code == 1 and "4 images in 2 shards" in out and "error: 1 of 5 images could not be used" in errors
    assert f"skipped {tmp_path / 'faces' / images[0].name}: " in errors
    packed = shard_table(read_shards(tmp_path / "shards"))
    assert sorted(packed["path"]) == [path.name for path in images[1:5]]
    assert run(*settings, "--rows-per-shard", 2, "--seed", 1)[0] == 1
    code, _, errors = run(*settings, "--rows-per-shard", 2, "--seed", 2)
    assert code == 2 and "error: " in errors and "other settings" in errors and "Traceback" not in errors


def test_an_unknown_data_set_is_one_line(run, tmp_path):
    code, _, errors = run("--dataset", "utkfaces", "--data", tmp_path, "--out", tmp_path / "shards")
    assert code == 2 and errors.startswith("error: unknown dataset 'utkfaces'") and errors.count("\n") == 1


def test_help_shows_an_example(run):
    code, out, _ = run("--help")
    assert code == 0 and "python data_tools/pack_shards.py --dataset utkface" in out
