"""The costs with LibMTL: without that library, one line says what to install."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "experiments" / "step_costs_libmtl.py"


@pytest.mark.skipif(find_spec("LibMTL") is not None, reason="LibMTL is installed")
def test_without_libmtl_one_line_says_what_to_install():
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, SCRIPT, "--repeats", "1"], capture_output=True, text=True, env=settings)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1 and "pip install torch LibMTL scipy cvxpy" in found.stderr
