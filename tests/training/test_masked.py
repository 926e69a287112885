"""Sums and means of labelled examples."""

import numpy as np

from mtl_keras.training.masked import masked_sum, mean_of


def test_masked_sum_counts_the_labelled():
    total, count = masked_sum(np.array([1.0, np.nan, 4.0], "float32"), np.array([1.0, 0.0, 1.0], "float32"))
    assert (float(total), float(count)) == (5.0, 2.0)


def test_the_mean_of_nothing_is_0_and_weights_may_add_up_to_less_than_1():
    means = mean_of(np.array([0.0, 3.0, 1.0], "float32"), np.array([0.0, 2.0, 0.25], "float32"))
    assert np.asarray(means).tolist() == [0.0, 1.5, 4.0]
