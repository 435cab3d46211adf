"""Run a recipe from raw pictures to a Kaggle submission.

    python -m experiments.run --list
    python -m experiments.run --exp inception_v200                  # on the built-in demo data
    python -m experiments.run --exp inception_v200 --data FOLDER    # raw GLDv2 layout, or records
    python -m experiments.run --exp inception_v200 --show --json    # the recipe, before any work
    python -m experiments.run --exp inception_v200 --dry-run        # what its batches hold

    python -m experiments.run --exp inception_v200 --find-lr        # which learning rate
    python -m experiments.run --exp inception_v200 --set train.overfit=true    # can it learn?

A run that was stopped goes on when the same command is given again. Exit codes: 0 done, 1 failed,
2 usage, 3 the check of one batch did not pass, 130 interrupted, 141 nobody read its output.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from experiments.command import exit_code
from experiments.data_source import check_can_be_evaluated, find_data, find_stage_data
from experiments.registry import EXPERIMENTS, get_experiment
from experiments.settings import UnknownSettingError, at_demo_size, with_setting
from experiments.stages.context import Context
from experiments.startup import import_keras
from experiments.tasks import check_evaluation_fits
from experiments.training_stages import last_recipe
from experiments.workdir import Workdir

# As landmarks_tf.training.trackers has them; importing it would make --list slow.
TRACKERS = ("mlflow", "wandb")
STAGES = ("prepare", "train", "evaluate", "index", "export", "report")
# Questions asked of a run once it is evaluated; a plain run asks none of them. Each is a module of
# experiments.stages with `run(context) -> list[Path]`.
STUDIES: tuple[str, ...] = ("scalability", "rerank", "visuals", "open_set")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Keras would go on with an optimizer that has forgotten its moments.
    warnings.filterwarnings("error", message="Skipping variable loading for optimizer")
    return exit_code(
        lambda: _run(options), interrupted="interrupted; the same command goes on from here"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.run",
        description="Run a recipe from raw pictures to a Kaggle submission.",
        epilog="A run that was stopped goes on when the same command is given again.",
    )
    add = parser.add_argument
    add("--exp", metavar="NAME", help="the experiment; see --list")
    add(
        "--data",
        metavar="DIR",
        type=_folder,
        help="raw GLDv2 layout or records (default: the demo)",
    )
    add("--workdir", metavar="DIR", type=_folder, help="default: runs/NAME-SIZE[-DATA]")
    add("--size", choices=("demo", "full"), help="default: full for 100,000 pictures or more")
    add(
        "--set",
        metavar="SECTION.FIELD=VALUE",
        action="append",
        default=[],
        help="replace a setting, for instance train.learning_rate=0.1; may be repeated",
    )
    add(
        "--stage-data",
        metavar="STAGE=DIR",
        action="append",
        default=[],
        help="records, or a raw folder, that a stage of the training (its number or name) trains "
        "on in place of --data; may be repeated",
    )
    add(
        "--stage",
        choices=(*STAGES, *STUDIES),
        help="stop after this stage (earlier ones run if needed); "
        f"{', '.join(STUDIES)}: a study of the evaluated run, no part of a plain one",
    )
    add("--list", action="store_true", help="the experiments, one line each")
    add("--show", action="store_true", help="the whole recipe, its parameters, published numbers")
    add(
        "--find-lr",
        action="store_true",
        help="no training, but a learning-rate range test: lr_finder.json and a picture of it",
    )
    add(
        "--dry-run",
        action="store_true",
        help="no training, but what an epoch's batches hold: classes, repeats, pictures left out",
    )
    add("--log-to", choices=TRACKERS, help="also report the training to MLflow or W&B")
    add("--profile", action="store_true", help="profile steps 10 to 20 for TensorBoard")
    add("--json", action="store_true", help="with --show, --list or --dry-run: as JSON")
    return parser


def _folder(text: str) -> Path:
    """A path; of a shell variable that is not set nothing is left, which is no current folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, received '': use . for this one")
    return Path(text)


def _run(options: argparse.Namespace) -> int:
    try:
        return _dispatch(options)
    except UserWarning as warning:  # the one that `main` made an error
        raise ValueError(str(warning)) from warning


def _dispatch(options: argparse.Namespace) -> int:
    from experiments import show

    if options.list:
        print(show.experiment_list(as_json=options.json))
        return 0
    if options.exp is None:
        raise UnknownSettingError(
            f"--exp NAME says what to run. Known: {', '.join(EXPERIMENTS)}. See --list."
        )
    experiment = get_experiment(options.exp)
    source = None if options.show and options.data is None else find_data(options.data)
    if options.show and options.size is None:
        # What is published is the full size; a person asks for the demo's by name.
        size, reason = ("full", "") if source is None else source.default_size()
    elif options.size is not None:
        size, reason = options.size, "as asked"
    else:
        size, reason = source.default_size()
    if size == "demo":
        experiment = at_demo_size(experiment)
    for assignment in options.set:
        experiment = with_setting(experiment, assignment)
    stage_data = find_stage_data(options.stage_data, experiment)
    if options.show:
        print(show.recipe(experiment, size, stage_data, as_json=options.json))
        return 0
    from experiments.stages.evaluation_settings import check_evaluation

    check_evaluation(last_recipe(experiment).evaluation)
    workdir = Workdir(options.workdir or _default_workdir(options, size))
    if not workdir.is_done("train"):
        from experiments.recipe_checks import check_recipe

        check_recipe(experiment)
    print(f"{experiment.name}, {size} size ({reason}), in {workdir.root}", file=sys.stderr)
    overfit = experiment.train.overfit
    _check_alone(options, overfit)
    is_trial = options.find_lr or options.dry_run or overfit
    if not is_trial and options.stage not in ("prepare", "train"):
        check_can_be_evaluated(source)
        evaluation = last_recipe(experiment).evaluation
        check_evaluation_fits(source, evaluation, study=options.stage)
    if options.log_to is not None:
        from landmarks_tf.training.trackers import check_installed

        check_installed(options.log_to)
    context = Context(
        experiment, size, source, workdir, options.log_to, options.profile, stage_data
    )
    if options.dry_run and not context.makes_records:
        # Nothing is written: settings can be compared without a folder for each.
        return _try(context, options)
    is_demo = source.kind == "demo"
    given = {stage: data.identity() for stage, data in stage_data.items()}
    with workdir.claim(experiment, source.folder, given, None if is_demo else source.identity()):
        # A trial belongs to the run of the recipe that it tries: same folder, same records.
        if is_trial:
            _run_stages(context, "prepare")
            return _try(context, options)
        if options.stage in STUDIES:
            _run_study(context, options.stage)
        else:
            _run_stages(context, options.stage)
        if options.stage in (None, "report"):
            print(show.summary(context))
    return 0


def _check_alone(options: argparse.Namespace, overfit: bool) -> None:
    """Refuse flags of a training with a trial, which would not obey them."""
    trials = {
        "train.overfit=true": overfit,
        "--find-lr": options.find_lr,
        "--dry-run": options.dry_run,
    }
    asked = [name for name, value in trials.items() if value]
    if not asked:
        return
    others = {"--stage": options.stage, "--log-to": options.log_to, "--profile": options.profile}
    given = asked[1:] + [name for name, value in others.items() if value]
    if given:
        raise UnknownSettingError(
            f"{asked[0]} is a trial in place of a training, so {given[0]} has nothing to do. "
            f"Leave one of them out."
        )


def _try(context: Context, options: argparse.Namespace) -> int:
    if options.dry_run:
        from experiments import dry_run

        print(dry_run.told(context, as_json=options.json))
        return 0
    from experiments.stages import trials

    if options.find_lr:
        print(trials.find_rate(context))
        return 0
    passed, text = trials.overfit(context)
    print(text)
    return 0 if passed else 3


def _default_workdir(options: argparse.Namespace, size: str) -> Path:
    name = f"{options.exp}-{size}"
    if options.data is not None:
        name += f"-{options.data.resolve().name}"
    return Path("runs") / name


def _stage_functions() -> dict[str, Callable[[Context], list[Path]]]:
    import_keras()
    from experiments.stages import deliver, evaluate, prepare, publish, train

    return {
        "prepare": prepare.run,
        "train": train.run,
        "evaluate": evaluate.run,
        "index": deliver.build_index,
        "export": deliver.export,
        "report": publish.run,
    }


def _run_stages(context: Context, last: str | None) -> None:
    from experiments.stages.changes import look_for_changes

    workdir = context.workdir
    look_for_changes(context)
    for name, run in _stage_functions().items():
        if workdir.is_done(name):
            print(f"[{name}] done before", file=sys.stderr)
        else:
            print(f"[{name}]", file=sys.stderr)
            # What comes later was made from what is about to be made again.
            place = STAGES.index(name)
            studied = STUDIES if place <= STAGES.index("evaluate") else ()
            for later in (*STAGES[place:], *studied):
                workdir.unmark(later)
            started = time.time()
            workdir.mark_done(name, started, run(context))
        if name == last:
            return


def _run_study(context: Context, name: str) -> None:
    """One study, on top of an evaluated run; a report that is there already is made again."""
    workdir = context.workdir
    _run_stages(context, "evaluate")
    if not workdir.is_done(name):
        print(f"[{name}]", file=sys.stderr)
        workdir.unmark(name)
        started = time.time()
        study = import_module(f"experiments.stages.{name}")
        workdir.mark_done(name, started, study.run(context))
        if workdir.is_done("report"):
            workdir.unmark("report")
            _run_stages(context, "report")
    for path in workdir.outputs(name):
        print(path)


if __name__ == "__main__":
    code = main()
    if code == 130:
        # An interrupted tf.data iterator can hang the interpreter's own shutdown.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
