"""Learning to branch: the choice by hand, that it falls as it is likely, hardens and is learned, and the tree told."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.ltb import Branching, tree, tree_text
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

TASKS = [GENDER, SMILE, EYEGLASSES]
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("uint8")
LABELS = {task.name: np.array([0, 1, 1, 0], "int32") for task in TASKS}
PARENTS = [np.full((2, 1), value, "float32") for value in (1.0, 10.0, 100.0)]


def branched(backbone, sharing="ltb", **settings) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    model = MultiTaskModel(TASKS, backbone, sharing, 8, head_units=(), dropout=0.0, **settings)
    model.compile(keras.optimizers.SGD(0.1))
    return model


def branchings(model) -> list[Branching]:
    return [layer for layer in model.layers if isinstance(layer, Branching)]


def read(answers: list) -> list[float]:
    return [float(answer[0, 0]) for answer in answers]


def test_answering_a_child_reads_the_parent_of_the_highest_score():
    layer = Branching(4, 10.0, 0.1)
    layer(PARENTS)
    layer.scores.assign([[0, 1, 0.5], [2, 1, 0], [-3, -2, -1], [5, 5, 4.9]])
    assert read(layer(PARENTS)) == [10, 1, 100, 1]
    assert layer.parents() == [1, 0, 2, 0] and float(layer.steps) == 0


def test_in_training_it_is_a_softmax_with_gumbel_noise_whose_temperature_falls():
    layer = Branching(2, temperature=6.0, lowest_temperature=2.5)
    layer.seed_generator = keras.random.SeedGenerator(7)
    layer(PARENTS)
    scores = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    layer.scores.assign(scores)
    draws = keras.random.SeedGenerator(7)
    for temperature in (6.0, 6.0 / np.sqrt(2), 6.0 / np.sqrt(3), 3.0, 6.0 / np.sqrt(5), 2.5, 2.5):
        noise = -np.log(-np.log(keras.random.uniform((2, 3), 1e-7, 1.0, seed=draws)))
        likely = np.exp((scores + noise) / temperature)
        likely /= likely.sum(-1, keepdims=True)
        np.testing.assert_allclose(read(layer(PARENTS, training=True)), likely @ [1, 10, 100], rtol=1e-4)
        layer.end_step()


def test_parents_are_drawn_as_often_as_their_scores_say():
    layer = Branching(300, temperature=0.01, lowest_temperature=0.01)
    layer.seed_generator = keras.random.SeedGenerator(0)
    layer.build([(1, 1)] * 3)
    layer.scores.assign(np.log([[0.6, 0.3, 0.1]] * 300))
    chosen = np.ravel([layer([each[:1] for each in PARENTS], training=True) for _ in range(4)])
    often = [np.isclose(chosen, value, rtol=0.2).mean() for value in (1, 10, 100)]
    assert often == pytest.approx([0.6, 0.3, 0.1], abs=0.05)


def test_a_child_learns_to_choose_the_parent_that_serves_it():
    inputs = [keras.Input((1,)) for _ in range(3)]
    layer = Branching(2, temperature=2.0, lowest_temperature=0.5)
    layer.seed_generator = keras.random.SeedGenerator(0)
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.Adam(0.2), "mse")
    x = [np.full((8, 1), value, "float32") for value in (0.0, 1.0, 2.0)]
    model.fit(x, [x[2], x[0]], epochs=30, verbose=0)
    assert layer.parents() == [2, 0]


def test_the_tree_tells_which_tasks_share_each_copy():
    # Of the third stage a and c read copy 1 and b copy 2, both of which read copy 0 of the second, and that copy 2.
    levels = tree([[2, 1, 1], [1, 0, 0], [1, 2, 1]], ["a", "b", "c"])
    assert levels == [{2: ["a", "b", "c"]}, {0: ["a", "b", "c"]}, {1: ["a", "c"], 2: ["b"]}]
    assert tree_text(levels[1:]) == "stage 1: a, b, c\nstage 2: a, c | b"


def test_a_models_report_is_the_tree_of_its_choices(staged_backbone):
    model = branched(staged_backbone)
    assert model.sharing_report() == "\n".join(f"stage {n}: gender, smile, eyeglasses" for n in (1, 2, 3))
    for layer, parents in zip(branchings(model), ([0, 0, 2], [0, 1, 2], [0, 1, 2]), strict=True):
        layer.scores.assign(np.eye(3)[parents])
    later = [f"stage {number}: gender | smile | eyeglasses" for number in (2, 3)]
    assert model.sharing_report() == "\n".join(["stage 1: gender, smile | eyeglasses", *later])


def test_answers_come_along_the_chosen_tree(staged_backbone):
    model = branched(staged_backbone, shared_units=())
    for layer, parents in zip(branchings(model), ([1, 0, 0], [2, 2, 0], [1, 0, 0]), strict=True):
        layer.scores.assign(np.eye(3)[parents])
    x = (IMAGES.astype("float32") - 127.5) / 128
    # Each of these copies, first stage to last, and the tasks that read the last one.
    for path, tasks in (((0, 2, 1), ["gender"]), ((0, 2, 0), ["smile", "eyeglasses"])):
        features = x
        for number, copy in enumerate(path):
            features = model.trunks[copy].get_layer(("first", "second", "third")[number])(features)
        features = np.mean(features, axis=(1, 2))
        for task in tasks:
            scores = features @ model.get_layer(f"{task}_scores").kernel.numpy()
            expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            np.testing.assert_allclose(model(IMAGES)[task], expected, atol=1e-5)


def test_copies_and_parameters_are_as_many_as_asked_for(staged_backbone):
    one = branched(staged_backbone, "hard", shared_units=()).count_params()
    trunk = branched(staged_backbone, "hard").trunks[0].count_params()
    for copies in (1, 2, 4):
        model = branched(staged_backbone, f"ltb:copies={copies}")
        assert len(model.trunks) == copies
        # A choice has a score a pair and a count of steps.
        assert model.count_params() == one + (copies - 1) * trunk + 2 * (copies**2 + 1) + 3 * copies + 1


def test_a_reloaded_network_goes_on_drawing_and_hardening_as_the_saved_one(staged_backbone, tmp_path):
    model = branched(staged_backbone)
    model.train_on_batch(IMAGES, LABELS)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for each in (model, again):
        each.train_on_batch(IMAGES, LABELS)
    assert [float(layer.steps) for layer in branchings(again)] == [2, 2, 2]
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-6)


@pytest.mark.parametrize("settings", ["copies=0", "temperature=0.05", "lowest_temperature=0"])
def test_bad_settings_are_refused(settings, staged_backbone):
    with pytest.raises(UserError, match="expected at least 1 copy, and a lowest temperature above 0"):
        branched(staged_backbone, f"ltb:{settings}")
