"""Cross-stitch networks: the mixing by hand, separate networks without it, and every matrix learned."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.cross_stitch import CrossStitch
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("uint8")
LABELS = {name: np.array([0, 1, 1, 0], "int32") for name in ("gender", "smile", "eyeglasses")}


def stitched(tasks, backbone="bknet") -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    return MultiTaskModel(tasks, backbone, "cross_stitch", image_size=16, dropout=0.0)


def stitches(model) -> list[CrossStitch]:
    return [layer for layer in model.layers if isinstance(layer, CrossStitch)]


def test_features_are_mixed_by_the_rows_of_the_matrix():
    layer = CrossStitch()
    features = [np.full((2, 3, 3, 1), value, "float32") for value in (1.0, 10.0, 100.0)]
    layer(features)
    np.testing.assert_allclose(layer.matrix, [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
    layer.matrix.assign([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.0]])
    assert [float(mixed[0, 0, 0, 0]) for mixed in layer(features)] == [21.0, 100.0, 0.5]


def test_each_channel_has_a_matrix_of_its_own_if_wanted():
    layer = CrossStitch(own_part=0.8, per_channel=True)
    features = [np.tile(np.float32(row), (2, 3, 3, 1)) for row in ([1.0, 2.0], [10.0, 20.0])]
    layer(features)
    np.testing.assert_allclose(layer.matrix[..., 0], [[0.8, 0.2], [0.2, 0.8]])
    layer.matrix.assign([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.5], [0.0, 0.0]]])
    assert [mixed[0, 0, 0].numpy().tolist() for mixed in layer(features)] == [[1.0, 20.0], [2.0, 1.0]]


def test_settings_reach_every_stage_and_bad_ones_are_refused():
    model = MultiTaskModel([GENDER, SMILE], "bknet", "cross_stitch:own_part=0.6,per_channel=true", image_size=16)
    assert [stitch.matrix.shape for stitch in stitches(model)] == [(2, 2, width) for width in (32, 64, 128, 256)]
    assert all(np.allclose(stitch.matrix[1, 1], 0.6) for stitch in stitches(model))
    with pytest.raises(UserError, match="own_part 1.5: expected 0 to 1"):
        MultiTaskModel([GENDER], "bknet", "cross_stitch:own_part=1.5", image_size=16)


def test_one_task_alone_is_not_mixed():
    np.testing.assert_array_equal(CrossStitch()([np.ones((2, 3), "float32")])[0], np.ones((2, 3)))


def test_with_identity_matrices_it_is_separate_networks():
    tasks = [GENDER, SMILE]
    model = stitched(tasks)
    for stitch in stitches(model):
        stitch.matrix.assign(np.eye(2))
    answers = model(IMAGES)
    for trunk, task in zip(model.trunks, tasks, strict=True):
        alone = MultiTaskModel([task], "bknet", image_size=16, dropout=0.0)
        alone.trunks[0].set_weights(trunk.get_weights())
        for layer in alone.layers:
            if layer.name.startswith(task.name):
                layer.set_weights(model.get_layer(layer.name).get_weights())
        np.testing.assert_allclose(answers[task.name], alone(IMAGES)[task.name], rtol=1e-5)
    for stitch in stitches(model):
        stitch.matrix.assign([[0.5, 0.5], [0.0, 1.0]])
    mixed = model(IMAGES)
    assert np.abs(mixed["gender"] - answers["gender"]).max() > 1e-4
    np.testing.assert_allclose(mixed["smile"], answers["smile"], rtol=1e-5)


@pytest.mark.parametrize(("backbone", "stages"), [("bknet", 4), ("gender_eyeglasses", 1)])
def test_every_matrix_and_every_trunk_learns(backbone, stages):
    model = stitched([GENDER, SMILE, EYEGLASSES], backbone)
    assert len(stitches(model)) == stages and len(model.trunks) == 3
    model.compile(keras.optimizers.SGD(0.1))
    before = [variable.numpy() for variable in model.trainable_variables]
    model.train_on_batch(IMAGES, LABELS, {name: np.ones(4, "float32") for name in LABELS})
    for old, variable in zip(before, model.trainable_variables, strict=True):
        if variable.path.endswith(("kernel", "matrix")):
            assert np.abs(variable.numpy() - old).max() > 0, variable.path
    # A task's loss reaches the other tasks' trunks.
    start = model.trunks[1].get_weights()
    model.train_on_batch(IMAGES, LABELS, {name: np.full(4, float(name == "gender"), "float32") for name in LABELS})
    assert any(np.abs(old - new).max() > 0 for old, new in zip(start, model.trunks[1].get_weights(), strict=True))


def test_the_trunks_are_all_frozen_and_are_frozen_after_a_reload():
    model = stitched([GENDER, SMILE])
    model.freeze_stem()
    frozen = [[layer.name for layer in trunk.layers if not layer.trainable] for trunk in model.trunks]
    assert frozen[0][1:] == frozen[1][1:] and frozen[0][-1] == "block1_pool"
    model.trunks[1].get_layer("block2_conv1").trainable = False
    again = MultiTaskModel.from_config(model.get_config())
    assert [v.path for v in again.trainable_variables] == [v.path for v in model.trainable_variables]
    assert not again.trunks[1].get_layer("block2_conv1").trainable
    assert again.trunks[0].get_layer("block2_conv1").trainable
    assert len(model.trunk_variables()) == 2 * (9 * 3 - 2 * 3) - 1
    assert model.feature_network() is None


def test_a_backbone_without_stages_is_refused():
    with pytest.raises(UserError, match="'features_trunk' cannot be cut into stages"):
        MultiTaskModel([GENDER], "features", "cross_stitch", image_size=5)
