"""Fine-tune one network with one loss after another, and compare what it learned to retrieve.

    python -m experiments.benchmarks.learning --data DIR --out DIR
    python -m experiments.benchmarks.learning --data DIR --out DIR --recipes mobilenet_v2_arcface \\
        --seeds 0,1,2 --set model.weights=FILE.h5

Each recipe is run with each seed, through the project's own pipeline, engine and evaluator, as
`python -m experiments.run` at demo size. What is done is not done again, so a run that was stopped
goes on. `--out` gets a folder for each run, learning.json, learning.md and learning.png:

    {"format_version": 1, "data", "index_size", "seeds": [...], "settings": [...], "recipes":
     [{"name", "summary", "runs": [{"seed", "Public": mAP@100, "Private", ...}],
       "Public": {"mean", "low", "high", "queries"}, "Private": {...}}], "untrained": {...}}

Means are over seeds. The interval holds 95 % of what the mean would be with other queries of the
same kind and other seeds: both are drawn anew, with replacement, 10,000 times.

Exit codes: 0 done, 1 a run failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import exit_code

RECIPES = (
    "mobilenet_v2_softmax",
    "mobilenet_v2_arcface",
    "mobilenet_v2_subcenter_arcface",
    "mobilenet_v2_ge2e",
    "mobilenet_v2_triplet",
    "mobilenet_v2_supervised_contrastive",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(
        lambda: _dispatch(options), interrupted="interrupted; the same command goes on from here"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.learning",
        description="Fine-tune one network with one loss after another, and compare.",
    )
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, required=True, help="pictures in GLDv2's layout")
    add("--out", metavar="DIR", type=Path, required=True, help="runs, table, plot")
    add("--recipes", metavar="A,B", default=",".join(RECIPES), help="default: six losses")
    add("--seeds", metavar="N,M", default="0,1,2", help="default: 0,1,2")
    add(
        "--set",
        metavar="SECTION.FIELD=VALUE",
        action="append",
        default=[],
        help="as of experiments.run, for every run; may be repeated",
    )
    return parser


def _dispatch(options: argparse.Namespace) -> int:
    from experiments.benchmarks import learning_report
    from experiments.workdir import write_json

    names = list(dict.fromkeys(name.strip() for name in options.recipes.split(",")))
    seeds = _seeds(options.seeds)
    # All of them before an hour's work, not after it.
    recipes = {(name, seed): _recipe(name, seed, options.set) for seed in seeds for name in names}
    runs: dict[str, dict[int, Path]] = {name: {} for name in names}
    # Seed by seed: each seed completes a table of all recipes.
    for (name, seed), recipe in recipes.items():
        runs[name][seed] = options.out / f"{name}-seed{seed}"
        _run(recipe, seed, runs[name][seed], options)
    report = learning_report.collect(runs, options.set)
    write_json(options.out / "learning.json", report)
    text = learning_report.markdown(report)
    (options.out / "learning.md").write_text(text + "\n", encoding="utf-8")
    learning_report.draw(report, options.out / "learning.png")
    print(text)
    return 0


def _recipe(name: str, seed: int, settings: Sequence[str]):
    from experiments.registry import get_experiment
    from experiments.settings import at_demo_size, with_setting

    recipe = at_demo_size(get_experiment(name))
    for assignment in [*settings, f"train.seed={seed}"]:
        recipe = with_setting(recipe, assignment)
    return recipe


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--seeds takes whole numbers: 0,1,2. Received: {text!r}.") from None
    return list(dict.fromkeys(seeds))


def _run(recipe, seed: int, folder: Path, options: argparse.Namespace) -> None:
    """One run in a process of its own, up to its metrics.

    Raises:
        ValueError: it failed (its own message stands above), or the folder is another recipe's.
    """
    print(f"[{recipe.name}, seed {seed}]", file=sys.stderr, flush=True)
    if (folder / "metrics.json").is_file():
        _check_same(recipe, folder)
        print("done before", file=sys.stderr)
        return
    command = [sys.executable, "-m", "experiments.run", "--exp", recipe.name, "--size", "demo"]
    command += ["--data", str(options.data), "--workdir", str(folder), "--stage", "evaluate"]
    for assignment in [*options.set, f"train.seed={seed}"]:
        command += ["--set", assignment]
    code = subprocess.run(command, check=False).returncode
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    if code:
        raise ValueError(f"{recipe.name} with seed {seed} ended with code {code}; see above.")


def _check_same(recipe, folder: Path) -> None:
    from experiments.recipe import differences, recipe_dict
    from experiments.workdir import read_json

    changed = differences(read_json(folder / "run.json")["recipe"], recipe_dict(recipe))
    if changed:
        raise ValueError(
            f"{folder} holds a run of another recipe: {'; '.join(changed)}. Name another --out, or "
            f"delete that folder."
        )


if __name__ == "__main__":
    sys.exit(main())
