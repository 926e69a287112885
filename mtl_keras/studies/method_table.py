"""What the methods of a comparison are worth, and what they cost: a row a method, and a row a run."""

import numpy as np
import pandas as pd

from mtl_keras.kinds import metric_of
from mtl_keras.studies.method_scores import (
    half_interval,
    improvement,
    interval,
    mean_ranks,
    resampled_scores,
    score_column,
)
from mtl_keras.studies.method_study import MethodStudy, seconds_a_step
from mtl_keras.studies.methods import Group, Method
from mtl_keras.studies.runs import Run
from mtl_keras.tasks import Task

SINGLE = "one network a task"
# Columns of the table of methods, behind those of the tasks' figures.
WORTH = ("rank", "delta_m", "delta_m.std", "delta_m.low", "delta_m.high", "gain", "gain.low", "gain.high",
         "gain.seeds", "milliseconds_a_step", "parameters", "peak_mib", "why")  # fmt: skip


class Scores:
    """What the methods of a study are worth on its test images; of each run that is measured once."""

    def __init__(self, study: MethodStudy, earlier: pd.DataFrame):
        self.study, self.tasks = study, study.tasks
        self.columns = [score_column(task) for task in self.tasks]
        self.lower = [metric_of(column).lower_is_better for column in self.columns]
        # What an earlier call measured of runs that are not trained again.
        self._earlier = earlier.set_index("run")["peak_mib"].dropna().to_dict() if "peak_mib" in earlier else {}
        self._known: dict[tuple[str, str], np.ndarray] = {}

    def table(self) -> pd.DataFrame:
        """Return a row a method: `method`, `group`, each task's figure, `rank`, `delta_m`, `gain`, costs, and `why`.

        Figures have a `.std` over seeds, `delta_m` and `gain`, which is that over the tuned baseline, the bounds `.low`
        and `.high` of their 95 % intervals over test images. `gain.seeds` is half the width of its 95 % interval over
        seeds. `why` says what a method has no figures for.
        """
        single = self._single()
        tuned = self._deltas(self.study.tuned, single) if self.study.tuned else None
        rows = [{"method": SINGLE, "group": Group.REFERENCE, **self._figures(single), **self._costs(self.study.single)}]
        if np.isfinite(single[..., 0]).any():
            rows[0]["delta_m"] = 0.0
        for method in self.study.compared()[len(self.study.single) :]:
            rows.append({"method": method.name, "group": method.group, **self._row(method, single, tuned)})
        figures = [name for column in self.columns for name in (column, f"{column}.std")]
        table = pd.DataFrame(rows).reindex(columns=["method", "group", *figures, *WORTH])
        return table.assign(rank=mean_ranks(table[self.columns].astype(float), self.lower))

    def runs(self) -> list[dict]:
        """Return the rows of `runs.csv`, one a run, each with its method and what a step of it costs."""
        found: dict[str, dict] = {}
        for method in self.study.compared():
            measured = {run.row["run"]: run for run in method.runs}
            for row in method.rows:
                costs = self._costs([method], [measured[row["run"]]]) if row["run"] in measured else {}
                # Where tuning finds nothing better, the baseline is the run of equal weights.
                found.setdefault(row["run"], {**row, "method": method.name, **costs})
        return list(found.values())

    def _single(self) -> np.ndarray:
        """Return the single-task networks' figures (seeds, T, 1 + R), NaN for a seed that diverged."""
        several = []
        for task, method in zip(self.tasks, self.study.single, strict=True):
            several.append([self._scores(run, task) for run in method.runs])
        seeds, width = max(map(len, several)), max((len(each[0]) for each in several if each), default=1)
        found = np.full((max(seeds, 1), len(self.tasks), width), np.nan)
        for place, each in enumerate(several):
            for seed, scores in enumerate(each):
                found[seed, place] = scores
        return found

    def _row(self, method: Method, single: np.ndarray, tuned: np.ndarray | None) -> dict:
        if method.why:
            return {"why": f"left out: {method.why}"}
        if not method.runs:
            return {"why": "diverged" if method.rows else "not trained yet"}
        missing = len(method.rows) - len(method.runs)
        figures = np.stack([[self._scores(run, task) for task in self.tasks] for run in method.runs])
        each = improvement(figures[..., 0], _mean(single)[:, 0], self.lower)
        deltas = self._deltas(method, single)
        low, high = interval(deltas[1:])
        found = {"delta_m": deltas[0], "delta_m.std": _deviation(each), "delta_m.low": low, "delta_m.high": high}
        if tuned is not None and method is not self.study.tuned:
            low, high = interval(deltas[1:] - tuned[1:])
            found |= {"gain": deltas[0] - tuned[0], "gain.low": low, "gain.high": high}
            found["gain.seeds"] = half_interval(self._differences(method, single))
        why = {"why": f"{missing} of {len(method.rows)} seeds diverged"} if missing else {}
        return {**self._figures(figures), **found, **self._costs([method]), **why}

    def _differences(self, method: Method, single: np.ndarray) -> np.ndarray:
        """Return by how much each seed's delta-m differs from that of the tuned baseline with the same seed."""
        by_seed = []
        for each in (method, self.study.tuned):
            figures = {run.row["seed"]: [self._scores(run, task)[0] for task in self.tasks] for run in each.runs}
            by_seed.append({s: improvement(row, _mean(single)[:, 0], self.lower) for s, row in figures.items()})
        return np.array([by_seed[0][seed] - by_seed[1][seed] for seed in by_seed[0].keys() & by_seed[1].keys()])

    def _deltas(self, method: Method, single: np.ndarray) -> np.ndarray | None:
        """Return the improvement on single tasks (1 + R,) of the mean figures over the seeds."""
        if not method.runs:
            return None
        figures = np.stack([[self._scores(run, task) for task in self.tasks] for run in method.runs])
        return improvement(_mean(figures).T, _mean(single).T, self.lower)

    def _figures(self, figures: np.ndarray) -> dict:
        """Return mean and deviation over the seeds of the figures (seeds, T, 1 + R) of the test images."""
        found = {}
        for place, column in enumerate(self.columns):
            values = figures[:, place, 0]
            values = values[np.isfinite(values)]
            found |= {column: values.mean() if len(values) else np.nan, f"{column}.std": _deviation(values)}
        return found

    def _costs(self, methods: list[Method], runs: list[Run] | None = None) -> dict:
        """Return milliseconds a step and parameters, added up over several networks, and the largest peak of memory."""
        seconds, peaks, parameters = [], [], []
        for method in methods:
            chosen = method.runs if runs is None else runs
            seconds.append(seconds_a_step(self.study.study, method, chosen))
            parameters.append(chosen[0].row.get("parameters") if chosen else None)
            measured = {**self._earlier, **self.study.peaks}
            peaks += [measured[run.row["run"]] for run in chosen if run.row["run"] in measured]
        total = None if None in seconds or not seconds else 1000 * sum(seconds)
        counted = None if None in parameters or not parameters else sum(parameters)
        return {"milliseconds_a_step": total, "parameters": counted, "peak_mib": max(peaks, default=None)}

    def _scores(self, run: Run, task: Task) -> np.ndarray:
        key = (run.row["run"], task.name)
        if key not in self._known:
            self._known[key] = resampled_scores(run.predictions, task, self.study.study.parts[2])
        return self._known[key]


def _mean(figures: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(figures)
    return np.where(known, figures, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def _deviation(values: np.ndarray) -> float:
    """Return the standard deviation of a sample; NaN for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
