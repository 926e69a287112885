"""Figures: learning curves, errors, confusions, differences between groups of people, faces and runs, as PNG files."""

from mtl_keras.studies.plots.confidence import reliability_diagrams, selective_curves
from mtl_keras.studies.plots.errors import age_scatter, confusion_matrices, fairness
from mtl_keras.studies.plots.faces import face_captions, face_grid, feature_maps, head_axes, note_on
from mtl_keras.studies.plots.relations import task_correlations
from mtl_keras.studies.plots.runs import compare_runs, learning_curves

__all__ = [
    "age_scatter", "compare_runs", "confusion_matrices", "face_captions", "face_grid", "fairness",
    "feature_maps", "head_axes", "learning_curves", "note_on", "reliability_diagrams", "selective_curves",
    "task_correlations",
]  # fmt: skip
