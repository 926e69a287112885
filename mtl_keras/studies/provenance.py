"""How figures came about: `run.json` with command, commit, packages, machine and data."""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.files import plain, replacing, without_folders

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "mtl_keras")


# === How the figures came about ===


def data_fingerprint(table: pd.DataFrame) -> str:
    """Return the sha256 of a label table's file names and labels, whatever the order of its columns.

    The order of its rows counts only as far as copies of one photo are numbered by it. What images show does not count,
    nor do folders, splits and groups, nor does what a face detector found, which depends on the machine; a column of
    empty cells is the same as none, and 25 the same as 25.0.
    """
    labels = sorted(table.columns.difference(["path", "source", "split", "group", "photo", "faces", "confidence"]))
    names = [json.dumps(os.path.basename(path)) for path in table["path"]]
    cells = zip(*(_as_members(table[label]) for label in labels), strict=True) if labels else [()] * len(names)
    # Each row as JSON writes [name, {label: cell}].
    rows = [f"[{name}, {{{', '.join(filter(None, row))}}}]" for name, row in zip(names, cells, strict=True)]
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def _as_members(column: pd.Series) -> list[str]:
    """Return each cell of a column as a member of a JSON object, "" for an empty one; labels repeat, so each once."""
    if pd.api.types.is_numeric_dtype(column):
        # By their bits, in which -0 is another number than 0.
        codes, bits = pd.factorize(column.to_numpy(np.float64, na_value=np.nan).view(np.int64))
        values = bits.view(np.float64)
    else:
        codes, values = pd.factorize(column.astype(object))
    name = json.dumps(column.name)
    shown = (json.dumps(value) if isinstance(value, str) else f'"{float(value):g}"' for value in values)
    # An empty cell has the code -1, and so the last of these; as a float it is unlike itself.
    members = [f"{name}: {text}" if value == value else "" for value, text in zip(values, shown, strict=True)] + [""]
    return [members[code] for code in codes.tolist()]


def write_run_json(folder: Path | str, info: dict) -> Path:
    """Write `run.json` (command, commit, packages, machine, then `info`) and return its path.

    `info` holds what the caller knows: `seconds`, `settings`, `data_fingerprint`, `weights_sha256` and such. Every
    path, also of the command, is cut to its last part, so that nothing about the machine's folders goes in.
    """
    root, script = Path(__file__).resolve().parents[2], Path(sys.argv[0]).resolve()
    name = script.relative_to(root).as_posix() if script.is_relative_to(root) else script.name
    installed = {str(found.name).replace("-", "_"): found.version for found in importlib.metadata.distributions()}
    packages = {package: installed.get(package.replace("-", "_")) for package in PACKAGES}
    command = shlex.join([name, *map(without_folders, sys.argv[1:])])
    record = {"commit": _commit(root), "packages": {"python": platform.python_version(), **packages}}
    record |= {"machine": machine(), **info}
    # The script's own folder within the project stays.
    text = json.dumps({"command": command, **plain(record, without_folders)}, indent=2, ensure_ascii=False)
    with replacing(path := Path(folder) / "run.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def _commit(root: Path) -> str | None:
    """Commit of the source in use, with "-dirty" if Python files differ from it; None outside of its repository."""
    # An installed package may lie inside some other project's repository, whose commit says nothing about it.
    if not (root / ".git").exists() or not shutil.which("git"):
        return None
    git = ["git", "-C", str(root)]
    commit = subprocess.run([*git, "rev-parse", "--verify", "HEAD"], capture_output=True, text=True).stdout.strip()
    changes = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "*.py"], capture_output=True).returncode
    return commit + "-dirty" * bool(changes) if commit else None


def machine() -> dict[str, object]:
    """Return how many cores this computer has, what its processor is called, and its memory in GiB."""
    found = {"cores": os.cpu_count(), "processor": platform.processor() or None, "memory_gib": None}
    if (cpuinfo := Path("/proc/cpuinfo")).exists():  # Linux, where `platform` often knows no processor
        found["processor"] = (re.findall(r"model name\s*: (.+)", cpuinfo.read_text()) or [found["processor"]])[0]
        found["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return found
