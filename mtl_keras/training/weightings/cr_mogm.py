"""A moving average of the weights that another weighting of gradients finds.

Source: Zhou et al., On the convergence of stochastic multi-objective gradient manipulation and beyond, 2022,
https://papers.neurips.cc/paper_files/paper/2022/hash/f91bd64a3620aad8e70a27ad9cb3ca57-Abstract-Conference.html.
"""

from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings import find
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def cr_mogm(tasks: list[str], *, of: str = "mgda", momentum: float = 0.9) -> Weighting:
    """Weigh the gradients by l_k = m l_(k-1) + (1 - m) w_k, w_k being what the weighting `of` finds and m `momentum`.

    It starts, for each task, with the first w_k that there is. `of` may have settings of its own, as in
    "cr_mogm:momentum=0.5,of=cagrad:c=0.4,rescale=linear".
    """
    if not 0 <= momentum < 1:
        raise UserError(f"cr_mogm: momentum is {momentum}; expected a number from 0 to below 1")
    inner = find(of, tasks)
    if inner.needs != "gramian":
        raise UserError(f"cr_mogm: of is {of!r}; expected a weighting by the Gramian of gradients, such as mgda")
    # A half of a batch has weights of its own.
    width = 2 if inner.halves else 1
    average, steps = variable([[0.0] * width] * len(tasks), "average"), variable([0.0] * len(tasks), "steps")

    def averaged(found):  # (width T,) -> (T, width)
        found = ops.transpose(ops.reshape(found, (width, -1)))
        started = ops.expand_dims(steps > 0, -1)
        old = ops.cast(average, found.dtype)
        return ops.where(started, momentum * old + (1 - momentum) * found, found)

    def weigh(step):  # -> (width T,)
        present = ops.expand_dims(ops.cast(step.present, step.gramian.dtype), -1)
        return ops.reshape(ops.transpose(averaged(inner.weigh(step)) * present), (-1,))

    def update(step):
        found = inner.weigh(step)
        after = averaged(found)
        if inner.update:
            inner.update(step._replace(answer=found))
        average.assign(after)
        steps.assign(steps + 1)

    kept = inner.state or State()
    return Weighting(
        "gramian",
        weigh,
        State([average, steps, *kept.rows], kept.whole),
        update=update,
        end_epoch=inner.end_epoch,
        halves=inner.halves,
    )
