"""The same costs of a training step with LibMTL on PyTorch, in the table of experiments/step_costs.py.

pip install torch LibMTL scipy cvxpy
python experiments/step_costs_libmtl.py

    measures the network of experiments/step_costs.py with LibMTL's weightings: an Inception-ResNet-v1 of random
    weights with three tasks (23.71 million parameters there, 23.73 here, whose batch norms also learn scales), 32
    images of 160 x 160 pixels; each weighting in a fresh process, in turns with LibMTL's equal weights (EW).

Adds its rows to runs/step_costs/step_costs.csv and table.md, or to those of the folder that --out names. PyTorch and
LibMTL are no dependencies of this project; a virtual environment of their own serves too, if this project is installed
in it. Linux only.
"""

import sys
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro

from mtl_keras.errors import UserError, guarded
from mtl_keras.files import replacing
from mtl_keras.owner import owned
from mtl_keras.studies.step_costs import cost_lines, write_costs
from mtl_keras.studies.timing import check_memory, costs_beside, in_fresh_process

try:
    import torch
    from torch import nn

    # LibMTL 1.1.5 asks torchvision for a function that has moved to torch.hub.
    moved = types.ModuleType("torchvision.models.utils")
    moved.load_state_dict_from_url = torch.hub.load_state_dict_from_url
    sys.modules.setdefault("torchvision.models.utils", moved)
    import LibMTL.weighting as weightings
    from LibMTL.architecture import HPS
except ImportError as error:
    print(
        f"error: {error}; this script needs PyTorch and LibMTL: pip install torch LibMTL scipy cvxpy", file=sys.stderr
    )
    sys.exit(UserError.exit_code)

CLASSES = {"age": 117, "gender": 2, "ethnicity": 5}
# Weighting, whether it can weigh gradients at features and at parameters, and its settings as LibMTL's examples have.
WEIGHTINGS = {
    "EW": ((), {}),
    "MGDA": (("features", "parameters"), {"mgda_gn": "none"}),
    "IMTL": (("features", "parameters"), {}),
    "PCGrad": (("parameters",), {}),
    "GradVac": (("parameters",), {"beta": 0.5}),
    "CAGrad": (("parameters",), {"calpha": 0.5, "rescale": 1}),
}


class Step(NamedTuple):
    """The batch of a step."""

    batch_size: int
    image_size: int


# === Network ===
def convolution(inputs: int, filters: int, kernel=1, stride: int = 1, same: bool = True) -> nn.Sequential:
    """Convolution without bias, batch normalization and ReLU."""
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (rows // 2, columns // 2) if same else 0
    conv = nn.Conv2d(inputs, filters, (rows, columns), stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters, eps=0.001, momentum=0.005), nn.ReLU(inplace=True))


def chain(inputs: int, *steps: tuple) -> nn.Sequential:
    """Convolutions one after the other, each given by its filters, kernel, stride and padding."""
    widths = [inputs, *(step[0] for step in steps)]
    return nn.Sequential(*(convolution(width, *step) for width, step in zip(widths, steps, strict=False)))


class Branches(nn.Module):
    """Parallel branches, concatenated; with `scale` they correct what they read, by way of a 1 x 1 convolution."""

    def __init__(self, branches: list[nn.Module], joined: int = 0, width: int = 0, scale: float = 0.0, relu=True):
        super().__init__()
        self.branches, self.scale, self.relu = nn.ModuleList(branches), scale, relu
        self.join = nn.Conv2d(joined, width, 1) if scale else None

    def forward(self, x):
        joined = torch.cat([branch(x) for branch in self.branches], dim=1)
        if not self.scale:
            return joined
        x = x + self.scale * self.join(joined)
        return torch.relu(x) if self.relu else x


def block35() -> Branches:
    """A residual block of maps with 256 channels."""
    return Branches([chain(256, (32,)), chain(256, (32,), (32, 3)), chain(256, (32,), (32, 3), (32, 3))], 96, 256, 0.17)


def block17() -> Branches:
    """A residual block of maps with 896 channels."""
    return Branches([chain(896, (128,)), chain(896, (128,), (128, (1, 7)), (128, (7, 1)))], 256, 896, 0.1)


def block8(last: bool = False) -> Branches:
    """A residual block of maps with 1792 channels; the last is linear."""
    branches = [chain(1792, (192,)), chain(1792, (192,), (192, (1, 3)), (192, (3, 1)))]
    return Branches(branches, 384, 1792, 1.0 if last else 0.2, relu=not last)


class Encoder(nn.Sequential):
    """Inception-ResNet-v1 and two dense layers, all that the tasks share: (B, 3, S, S) to (B, 256)."""

    def __init__(self):
        half = (3, 2, False)
        mixed_6a = [chain(256, (384, *half)), chain(256, (192,), (192, 3), (256, *half)), nn.MaxPool2d(3, 2)]
        mixed_7a = [chain(896, (256,), (384, *half)), chain(896, (256,), (256, *half))]
        mixed_7a += [chain(896, (256,), (256, 3), (256, *half)), nn.MaxPool2d(3, 2)]
        super().__init__(
            chain(3, (32, *half), (32, 3, 1, False), (64, 3)),
            nn.MaxPool2d(3, 2),
            chain(64, (80,), (192, 3, 1, False), (256, *half)),
            *(block35() for _ in range(5)),
            Branches(mixed_6a),
            *(block17() for _ in range(10)),
            Branches(mixed_7a),
            *(block8(last=number == 5) for number in range(6)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            *(nn.Linear(1792, 512), nn.LeakyReLU(0.1), nn.Dropout(0.3)),
            *(nn.Linear(512, 256), nn.LeakyReLU(0.1), nn.Dropout(0.3)),
        )


def head(classes: int) -> nn.Sequential:
    """What a task makes of the shared features: (B, 256) to (B, classes)."""
    return nn.Sequential(nn.Linear(256, 128), nn.LeakyReLU(0.1), nn.Dropout(0.3), nn.Linear(128, classes))


# === Measuring ===
class Sharing(HPS):
    """LibMTL's hard parameter sharing, whose gradients stay there as zeros, as in the PyTorch that it was made for."""

    def zero_grad_share_params(self):
        self.encoder.zero_grad(set_to_none=False)


def training_step(step: Step, name: str, place: str):
    """Return what trains a new network on the same made-up batch, as LibMTL's trainer does."""
    torch.manual_seed(0)
    network = type("Network", (Sharing, vars(weightings)[name]), {})
    heads = nn.ModuleDict({task: head(classes) for task, classes in CLASSES.items()})
    model = network(list(CLASSES), Encoder, heads, place == "features", False, torch.device("cpu"))
    model.init_param()
    model.epoch, model.train_loss_buffer = 0, np.zeros((len(CLASSES), 1))
    optimizer = torch.optim.Adam(model.parameters())
    images = torch.randn(step.batch_size, 3, step.image_size, step.image_size)
    labels = {task: torch.randint(classes, (step.batch_size,)) for task, classes in CLASSES.items()}

    def train():
        answers = model(images)
        losses = torch.stack([nn.functional.cross_entropy(answers[task], labels[task]) for task in CLASSES])
        optimizer.zero_grad(set_to_none=False)
        model.backward(losses, **WEIGHTINGS[name][1])
        optimizer.step()

    return train


def measured(step: Step, name: str, place: str, repeats: int) -> dict:
    """Return the `ms`, `ratio` and `peak_mb` of a weighting's step, measured in this process."""
    return costs_beside(lambda: training_step(step, name, place), lambda: training_step(step, "EW", ""), repeats)


def main(batch_size: int = 32, image_size: int = 160, repeats: int = 5, out: Path = Path("runs/step_costs")) -> None:
    """Measure LibMTL's weightings and add their rows to the table."""
    check_memory()
    with owned(out):
        rows = []
        for name, (places, _) in WEIGHTINGS.items():
            for place in places or ("",):
                known = {"library": "LibMTL", "weighting": name, "gradients_at": place}
                known["needs"] = "gradients" if place else "losses"
                rows.append({**known, **in_fresh_process(measured, Step(batch_size, image_size), name, place, repeats)})
                print(f"{name} {place}: {rows[-1]['ms']:.0f} ms, {rows[-1]['ratio']:.2f} of equal weights")
                write_costs(rows, out)
        with replacing(out / "table.md") as temporary:
            temporary.write_text("\n".join(cost_lines(out)) + "\n", encoding="utf-8")
        print(f"table: {out / 'table.md'}")


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))
