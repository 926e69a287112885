"""What is imported for the help of a command, and for lists of names."""

import subprocess
import sys
from pathlib import Path

import pytest

from mtl_keras.commands.options import COMMANDS, LISTS

ROOT = Path(__file__).parents[2]
# What takes seconds to start.
SLOW = ("tensorflow", "keras", "matplotlib", "scipy", "sklearn")
PROGRAM = f"""
import runpy, sys
sys.argv = ["mtl-keras", *sys.argv[1:]]
try:
    runpy.run_module("mtl_keras.commands.main", run_name="__main__")
except SystemExit as done:
    assert not done.code, done.code
print("slow:", *[name for name in {SLOW} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], *([name, "--help"] for name in COMMANDS), *(["list", what] for what in LISTS)],
    ids=" ".join,
)
def test_help_and_lists_start_nothing_that_takes_seconds(arguments):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "slow:"


@pytest.mark.parametrize("script", ["facenet_utk", "bknet_age_gender_smile", "gender_eyeglasses"])
def test_help_of_an_experiment_starts_nothing_that_takes_seconds(script):
    program = PROGRAM.replace('runpy.run_module("mtl_keras.commands.main"', f'runpy.run_path("experiments/{script}.py"')
    done = subprocess.run([sys.executable, "-c", program, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert "--frozen-epochs" in done.stdout and done.stdout.splitlines()[-1].strip() == "slow:", done.stderr


def test_the_package_itself_starts_nothing():
    program = "import mtl_keras, sys; dir(mtl_keras); print([n for n in ('tensorflow', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_beside_keras_the_package_brings_what_a_saved_model_is_made_of():
    program = "import keras, mtl_keras; print(keras.saving.get_registered_object('mtl_keras>MultiTaskModel'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "MultiTaskModel" in done.stdout, done.stderr
