"""Hard and soft sharing combined: the first stages are the same layers, the later ones are pulled together."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.hard_soft import hard_soft
from mtl_keras.models.sharing.sharing import Settings, Trunk
from mtl_keras.models.sharing.soft import squared_distance
from mtl_keras.tasks import GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")


def network(backbone, sharing="hard_soft", **settings) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    return MultiTaskModel([GENDER, SMILE], backbone, sharing, 8, shared_units=(3,), head_units=(), **settings)


@pytest.mark.parametrize("shared_stages", [1, 2])
def test_the_trunks_share_their_first_stages_and_are_what_the_tasks_read(shared_stages, staged_backbone):
    trunk = Trunk(BACKBONES[staged_backbone], 8)
    shared = hard_soft(trunk, ["a", "b"], Settings((), 0.0), shared_stages=shared_stages)
    inputs = keras.Input((8, 8, 3))
    features = keras.Model(inputs, shared(inputs))(IMAGES)
    first, second = shared.trunks
    alike = [first.get_layer(name) is second.get_layer(name) for name in ("first", "second", "third")]
    assert alike == [True, shared_stages == 2, False]
    for name, one in zip("ab", shared.trunks, strict=True):
        np.testing.assert_allclose(features[name], one(IMAGES), atol=1e-6)
    assert np.abs(features["a"] - features["b"]).max() > 1e-3


def test_only_the_later_stages_and_the_dense_layers_are_pulled(staged_backbone):
    model = network(staged_backbone, "hard_soft:strength=0.5")
    later = [[trunk.get_layer(name).kernel.numpy() for trunk in model.trunks] for name in ("second", "third")]
    later.append([model.get_layer(f"{task.name}_soft_dense_0").kernel.numpy() for task in model.tasks])
    expected = [0.5 * float(squared_distance(group)) for group in later]
    assert [float(loss) for loss in model.losses] == pytest.approx(expected)
    assert len(model.trunk_variables()) == 2 + 2 * 4


def test_parameters_are_those_of_hard_sharing_and_the_later_stages_again(staged_backbone):
    second, third, dense = 9 * 4 * 6 + 6, 6 * 5 + 5, 5 * 3 + 3
    counts = [network(staged_backbone, sharing).count_params() for sharing in ("hard", "hard_soft")]
    assert counts[1] - counts[0] == second + third + dense


def test_pretrained_weights_are_in_all_trunks(staged_backbone, tmp_path):
    trained = BACKBONES[staged_backbone].trunk(8)
    trained.save_weights(tmp_path / "trunk.weights.h5")
    model = network(staged_backbone, weights=tmp_path / "trunk.weights.h5")
    for trunk in model.trunks:
        np.testing.assert_array_equal(trunk(IMAGES), trained(IMAGES))


def test_what_is_frozen_is_frozen_after_a_reload(staged_backbone):
    model = network(staged_backbone)
    model.freeze_stem()
    model.trunks[1].get_layer("second").trainable = False
    again = MultiTaskModel.from_config(model.get_config())
    assert [v.path for v in again.trainable_variables] == [v.path for v in model.trainable_variables]
    assert not again.trunks[0].get_layer("first").trainable and again.trunks[0].get_layer("second").trainable


@pytest.mark.parametrize("number", [0, 3, -1])
def test_only_stages_that_there_are_can_be_shared(number, staged_backbone):
    with pytest.raises(UserError, match=f"shared_stages {number}: expected 1 to 2, the stages of 'staged'; .* 'soft'"):
        network(staged_backbone, f"hard_soft:shared_stages={number}")
