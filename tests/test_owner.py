"""A folder of results has one owner: another process is refused, and takes over when its owner is dead."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mtl_keras.errors import UserError
from mtl_keras.owner import NOTE, owned

# One line on standard output says that the folder is owned; whoever reads it may then kill the process.
OWNER = """
import sys, time
from mtl_keras.owner import owned
with owned(sys.argv[1]):
    print("owned", flush=True)
    time.sleep(300)
"""


def test_another_process_is_refused_with_its_owners_name_and_takes_over_from_a_dead_one(tmp_path, one_line):
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, env=place) as other:
        try:
            assert other.stdout.readline() == b"owned\n"
            with one_line(f"process {other.pid} on .*writes there; wait", tmp_path), owned(tmp_path):
                pass
        finally:
            other.kill()
    assert os.listdir(tmp_path)  # What a killed process leaves.
    with owned(tmp_path):
        (tmp_path / "runs.csv").touch()
    assert os.listdir(tmp_path) == ["runs.csv"]


def test_an_owner_may_own_its_folder_again_and_another_thread_may_not(tmp_path):
    with owned(tmp_path / "out"):
        with owned(os.path.relpath(tmp_path / "out")):
            pass
        with ThreadPoolExecutor(1) as pool:
            refused = pool.submit(lambda: owned(tmp_path / "out").__enter__()).exception()
    assert isinstance(refused, UserError) and f"process {os.getpid()} on" in str(refused)


def test_an_owner_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="wrong"), owned(tmp_path / "a" / "out"):
        raise ValueError("wrong")
    assert not (tmp_path / "a" / "out").exists()
    (tmp_path / "empty").mkdir()
    with owned(tmp_path / "empty"):
        pass
    assert (tmp_path / "empty").is_dir() and not os.listdir(tmp_path / "empty")


def test_a_folder_that_is_removed_meanwhile_is_no_mistake(tmp_path):
    with owned(tmp_path / "out"):
        shutil.rmtree(tmp_path / "out")
    with owned(tmp_path / "out"):
        assert os.listdir(tmp_path / "out")


def test_nothing_is_written_through_a_link_or_into_a_pipe_in_place_of_the_note(tmp_path):
    (tmp_path / "precious").write_text("of somebody else")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NOTE).symlink_to("../precious")
    with owned(tmp_path / "out"):
        assert f"process {os.getpid()}" in (tmp_path / "out" / NOTE).read_text()
    os.mkfifo(tmp_path / "out" / NOTE)
    with owned(tmp_path / "out"):
        assert (tmp_path / "out" / NOTE).is_file()
    assert (tmp_path / "precious").read_text() == "of somebody else"


def test_a_place_that_cannot_be_owned_is_one_line(tmp_path, one_line):
    (tmp_path / "file").touch()
    with one_line("is a file; expected a folder", tmp_path / "file"), owned(tmp_path / "file"):
        pass
    (tmp_path / "link").symlink_to("nowhere")
    with one_line("is a link that leads nowhere; expected a folder", tmp_path / "link"), owned(tmp_path / "link"):
        pass
