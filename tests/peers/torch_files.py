"""Write small weight files with PyTorch itself, and the numbers that they hold.

    python torch_files.py FOLDER

Runs in the environment of torch_requirements.txt, without network. Writes into FOLDER the files
named below and values.npz: the state dict's numbers, by entry.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import safetensors.torch
import torch


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 5, (1, 7))
    )


def checkpoints(state: dict) -> dict[str, object]:
    """File name -> what `torch.save` puts into it."""
    wide = torch.zeros(4, 6, 3, 3)
    views = dict(state)
    wide[:, 1:4] = state["0.weight"]
    views["0.weight"] = wide[:, 1:4]  # neither its first number nor its strides are plain
    views["2.weight"] = state["2.weight"].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    optimizer = {"param_groups": [{"lr": 0.1}], "state": {0: {"momentum": torch.ones(2)}}}
    return {
        "state.pth": state,
        "views.pth": views,
        "checkpoint.pth": {"epoch": 3, "optimizer": optimizer, "state_dict": state},
        "parallel.pth": {"model": {f"module.{name}": value for name, value in state.items()}},
        "parameters.pth": {k: torch.nn.Parameter(v, False) for k, v in state.items()},
        "half.pth": {name: value.half() for name, value in state.items()},
        "bfloat16.pth": {name: value.bfloat16() for name, value in state.items()},
        "double.pth": {name: value.double() for name, value in state.items()},
        "channels_last.pth": {
            name: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
            for name, value in state.items()
        },
        # What cannot be read.
        "network.pth": network(),
        "complex.pth": {"0.weight": torch.zeros(2, dtype=torch.complex64)},
        "float8.pth": {"0.weight": torch.zeros(2).to(torch.float8_e4m3fn)},
        "list.pth": [torch.zeros(2)],
        "tensor.pth": torch.zeros(2),
        "numbers.pth": {"epoch": 3, "loss": 0.5},
        "sparse.pth": {"0.weight": torch.eye(3).to_sparse()},
    }


def main(folder: Path) -> None:
    state = network().state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in checkpoints(state).items():
        torch.save(found, folder / name)
        old = folder / f"old_{name}"
        try:
            torch.save(found, old, _use_new_zipfile_serialization=False)
        except (RuntimeError, ValueError, AttributeError, TypeError):
            old.unlink(missing_ok=True)  # the old format knows no such numbers
    safetensors.torch.save_file(state, folder / "state.safetensors")
    low = {name: value.bfloat16() for name, value in state.items()}
    safetensors.torch.save_file(low, folder / "bfloat16.safetensors")
    eight = {"0.weight": torch.zeros(2).to(torch.float8_e4m3fn)}
    safetensors.torch.save_file(eight, folder / "float8.safetensors")
    np.savez(folder / "values.npz", **{name: value.numpy() for name, value in state.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
