"""Build PyTorch networks with random weights and write down what they compute.

    echo '{"name": "resnet50", "folder": "/tmp/r", "size": 64, "batch": 4}' | python torch_twin.py

Runs in the environment of torch_requirements.txt, without network. Each line of the input asks for
one network and is answered by the line "done"; it ends with its input. Starting PyTorch takes
longer than most networks do. Writes into the folder:

- state.pth: the state dict, as `torch.save` writes it;
- values.npz: `pixels` (B, S, S, 3) float32; `inference` and `training`, the last feature map
  (B, h, w, C), the second with the batch's statistics and without dropout; `logits` (B, N) in
  inference and, of an auxiliary head, `training_auxiliary` (B, N) in training mode; and after one
  step in training mode each moving statistic, `after:NAME`. All in float64, so that rounding is no
  part of a comparison, but for `inference32` and `training32`, which are PyTorch's own float32.
  `spread:NAME`: the standard deviation with which the library itself starts a kernel. Not written
  when the batch is 0.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch

# torchvision describes two compiled operators at import; beside a CPU build of torch its compiled
# part does not load, and neither is used here.
try:
    import torchvision
except RuntimeError:
    operators = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

import timm
from timm.models.res2net import Bottle2neck
from timm.models.resnet import ResNet


def resnet50_v1():
    """torchvision's ResNet50 with the stride moved to the first 1x1, as the paper has it."""
    model = torchvision.models.resnet50()
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


def res2net_vd(blocks: list[int]):
    """timm's Res2Net with the two things that PaddleClas has otherwise (models/res2net.py)."""
    model = ResNet(
        block=Bottle2neck,
        layers=blocks,
        base_width=26,
        stem_width=32,
        stem_type="deep",
        avg_down=True,
        block_args={"scale": 4},
    )
    model.layer1[0].is_first, model.layer1[0].pool = False, None
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].pool.count_include_pad = False
    return model


def soft(model: torch.nn.Module):
    """Blocks that change little: with scales of one, eighty of them amplify PyTorch's own float32
    rounding to a tenth of the result, and nothing can be compared."""
    for name, parameter in model.named_parameters():
        if name.endswith("bn3.weight"):
            parameter.data.fill_(0.2)
    return model


def alive(model: torch.nn.Module):
    """Kernels that keep a signal's size.

    PyTorch's default kernels shrink it, and in inference no batch statistic scales it up again:
    after forty of them every picture would give the same map, and nothing would be compared.
    """
    model.own_spread = kernel_spread(model)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model


def kernel_spread(model: torch.nn.Module) -> dict[str, float]:
    """Standard deviation of each convolution's kernel, by the name of its module."""
    return {
        name: module.weight.std().item()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    }


def vgg16():
    """torchvision's VGG16, its dense layers of 4096 cut to 16: nobody reads them here."""
    model = torchvision.models.vgg16(init_weights=False)
    linear, relu, dropout = torch.nn.Linear, torch.nn.ReLU(), torch.nn.Dropout()
    model.classifier = torch.nn.Sequential(
        linear(25088, 16), relu, dropout, linear(16, 16), relu, dropout, linear(16, 10)
    )
    return alive(model)


def inception_v3(**options):
    """torchvision's InceptionV3, whose auxiliary head needs pictures of 299 px."""
    return torchvision.models.inception_v3(
        transform_input=False, init_weights=False, **{"aux_logits": False} | options
    )


class Branches(torch.nn.Module):
    """A reduction block of three branches: named convolutions, two 3x3, a pool."""

    def __init__(self, plain: torch.nn.Module, **first: torch.nn.Module):
        super().__init__()
        self.first = list(first)
        for name, convolution in first.items():
            self.add_module(name, convolution)
        self.branch3x3dbl_1 = plain.branch3x3dbl_1
        self.branch3x3dbl_2 = plain.branch3x3dbl_2
        self.branch3x3dbl_3 = plain.branch3x3dbl_3

    def forward(self, x):
        thin = x
        for name in self.first:
            thin = getattr(self, name)(thin)
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([thin, double, torch.nn.functional.max_pool2d(x, 3, 2)], 1)


def inception(reduction: str, drops_6d: bool, **options):
    """A member of S2's family: InceptionV3 with another reduction block, or one block fewer."""
    unit = torchvision.models.inception.BasicConv2d
    model = inception_v3(**options)
    if reduction == "factorised":
        first = {
            "branch1x3": unit(288, 288, kernel_size=(1, 3), padding=(0, 1)),
            "branch3x1": unit(288, 384, kernel_size=(3, 1), padding=(1, 0)),
            "branch3x3": unit(384, 384, kernel_size=3, stride=2),
        }
        model.Mixed_6a = Branches(model.Mixed_6a, **first)
    elif reduction == "figure7":
        first = {
            "branch1x1": unit(288, 288, kernel_size=1),
            "branch1x3": unit(288, 288, kernel_size=(1, 3), stride=(1, 2)),
            "branch3x1": unit(288, 384, kernel_size=(3, 1), stride=(2, 1)),
        }
        model.Mixed_6a = Branches(model.Mixed_6a, **first)
    if drops_6d:
        model.Mixed_6d = torch.nn.Identity()
    return alive(model)


NETWORKS = {
    "inception_v3": lambda: inception("plain", False),
    "inception_v3_with_heads": lambda: inception("plain", False, aux_logits=True),
    "inception_v100": lambda: inception("factorised", False),
    "inception_v100_figure7": lambda: inception("figure7", False),
    "inception_v200": lambda: inception("factorised", True),
    "inception_v200_figure6": lambda: inception("plain", True),
    "resnet50": torchvision.models.resnet50,
    "resnet50_v1": resnet50_v1,
    "resnet101": torchvision.models.resnet101,
    "se_resnext101": lambda: timm.create_model("seresnext101_32x4d"),
    "vgg16": vgg16,
    # Keras' momentum 0.99, which efficientnet_pytorch has; timm's own default is PyTorch's.
    "efficientnet_b0": lambda: alive(timm.create_model("tf_efficientnet_b0", bn_momentum=0.01)),
    "efficientnet_b0_torchvision": lambda: alive(
        torchvision.models.efficientnet_b0(stochastic_depth_prob=0.0)
    ),
    "resnest269": lambda: soft(timm.create_model("resnest269e")),
    "resnest14": lambda: timm.create_model("resnest14d"),
    "res2net200_vd": lambda: soft(res2net_vd([3, 12, 48, 3])),
    "res2net_vd_small": lambda: res2net_vd([1, 2, 1, 1]),
}


def randomise(model: torch.nn.Module) -> None:
    """Give norms statistics and scales that are nobody's default."""
    generator = torch.Generator().manual_seed(0)

    def noise(like):
        return 0.1 * torch.randn(like.shape, generator=generator)

    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # timm starts some scales at zero: a branch that nothing would test.
            start = torch.where(module.weight == 0, 1.0, module.weight.data)
            module.weight.data = start + noise(module.weight)
            module.bias.data = noise(module.bias)
            module.running_mean = noise(module.running_mean)
            module.running_var = torch.exp(noise(module.running_var))


def last_map(model: torch.nn.Module, pixels: torch.Tensor):
    """(last feature map, outputs): the input of the first pooling over the whole map, the logits.

    Outputs are one array, or two where the network has an auxiliary head.
    """
    seen = []
    pool = getattr(model, "avgpool", None) or model.global_pool
    handle = pool.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    outputs = model(pixels)
    handle.remove()
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return seen[0].permute(0, 2, 3, 1).numpy(), [output.detach().numpy() for output in outputs]


def without_dropout(model: torch.nn.Module) -> None:
    """Training mode with nothing random in it."""
    model.train()
    for module in model.modules():
        if "drop" in type(module).__name__.lower():
            module.eval()


def write(name: str, folder: Path, size: int, batch: int) -> None:
    torch.manual_seed(0)
    model = NETWORKS[name]()
    spread = getattr(model, "own_spread", None) or kernel_spread(model)
    randomise(model)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), folder / "state.pth")
    if batch:
        values = computed(model, size, batch)
        values |= {f"spread:{module}": value for module, value in spread.items()}
        np.savez(folder / "values.npz", **values)


def computed(model: torch.nn.Module, size: int, batch: int) -> dict[str, np.ndarray]:
    model.eval()
    pixels = np.random.default_rng(0).standard_normal((batch, size, size, 3)).astype(np.float32)
    nchw = torch.from_numpy(pixels.transpose(0, 3, 1, 2))
    with torch.no_grad():
        twin32 = copy.deepcopy(model)
        inference32, _ = last_map(twin32, nchw)
        without_dropout(twin32)
        training32, _ = last_map(twin32, nchw)
        del twin32
        model.double()
        inference, (logits, *_) = last_map(model, nchw.double())
        without_dropout(model)
        training, (_, *auxiliary) = last_map(model, nchw.double())
    after = {
        f"after:{name}": value.numpy()
        for name, value in model.state_dict().items()
        if name.endswith(("running_mean", "running_var"))
    }
    values = {"pixels": pixels, "inference": inference, "training": training, "logits": logits}
    values |= {"inference32": inference32, "training32": training32} | after
    return values | ({"training_auxiliary": auxiliary[0]} if auxiliary else {})


def main() -> None:
    # With a second thread, small maps cost ten times the processor's time on a machine that has
    # anything else to do: the threads wait for each other at full speed.
    torch.set_num_threads(1)
    for line in sys.stdin:
        asked = json.loads(line)
        write(asked["name"], Path(asked["folder"]), asked["size"], asked["batch"])
        print("done", flush=True)


if __name__ == "__main__":
    main()
