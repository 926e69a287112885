"""What is imported for the help of a command, and for lists of names."""

import subprocess
import sys
from pathlib import Path

from mtl_keras.commands.options import COMMANDS, LISTS

ROOT = Path(__file__).parents[2]
# What takes seconds to start.
SLOW = ("tensorflow", "keras", "matplotlib", "scipy", "sklearn")
# Asks for each of its arguments in turn, in one process: a module that one brought along would be there for the next,
# so the first to do so is named.
PROGRAM = f"""
import contextlib, io, runpy, shlex, sys
for line in sys.argv[1:]:
    script, *words = shlex.split(line)
    sys.argv = [script, *words]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(script, run_name="__main__")
            code = 0
        except SystemExit as done:
            code = done.code
    assert not code and printed.getvalue().strip(), line
    if script != "mtl_keras/commands/main.py":
        assert "--frozen-epochs" in printed.getvalue(), line
    slow = [name for name in {SLOW} if name in sys.modules]
    assert not slow, (line, slow)
print("nothing slow")
"""
COMMAND_LINES = ["--help", *(f"{name} --help" for name in COMMANDS), *(f"list {what}" for what in LISTS)]
EXPERIMENTS = ("facenet_utk", "bknet_age_gender_smile", "gender_eyeglasses")


def test_help_and_lists_start_nothing_that_takes_seconds():
    lines = [f"mtl_keras/commands/main.py {line}" for line in COMMAND_LINES]
    lines += [f"experiments/{script}.py --help" for script in EXPERIMENTS]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *lines], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "nothing slow\n", done.stderr[-2000:]


def test_the_package_itself_starts_nothing():
    program = "import mtl_keras, sys; dir(mtl_keras); print([n for n in ('tensorflow', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_beside_keras_the_package_brings_what_a_saved_model_is_made_of():
    program = "import keras, mtl_keras; print(keras.saving.get_registered_object('mtl_keras>MultiTaskModel'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "MultiTaskModel" in done.stdout, done.stderr
