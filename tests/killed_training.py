"""A training that ends itself by SIGKILL at a chosen moment, many times from one TensorFlow import.

    python -m tests.killed_training FOLDER

reads FOLDER/runs.json, a list of {"workdir", "fault", ...}, and lets each run in a process of its
own, forked after the imports and before TensorFlow has started. FOLDER/ends.json tells how each
ended: an exit status, negative for a signal, with what it printed in FOLDER/<number>.txt.

The training has all that has a state or draws numbers: batches balanced by class, augmentation,
dropout, batch norm, class weights, a margin loss, AdamW with a schedule and averaged weights.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import json
import os
import resource
import signal
import sys
from pathlib import Path

STEPS, SIDE, CLASSES, PER_CLASS, PICTURES = 22, 20, 4, 2, 30
LOG_EVERY, CHECKPOINT_EVERY = 2, 4


def write_records(folder: Path) -> None:
    """Pictures of four classes of different size, in one shard, with their index."""
    import numpy as np
    from PIL import Image

    from landmarks_tf import records

    random = np.random.default_rng(0)
    labels = np.sort(random.integers(0, CLASSES, PICTURES)).astype(np.int32)
    offsets, ids = [], [f"{row:016x}".encode() for row in range(PICTURES)]
    with records.ShardWriter(folder / "train-00000-of-00001") as writer:
        for row, label in enumerate(labels):
            coarse = random.integers(40 * label, 100 + 40 * label, (4, 5, 3), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(coarse).resize((30, 24)).save(buffer, "PNG")
            example = records.encode_example(
                buffer.getvalue(), image_id=ids[row].decode(), height=24, width=30, label=int(label)
            )
            offsets.append(writer.write(example))
    np.savez(folder / "index.npz", offset=np.array(offsets, np.int64), label=labels, id=ids)


def read_index(folder: Path):
    """The index of `write_records`."""
    import numpy as np

    from landmarks_tf.records import RecordIndex

    with np.load(folder / "index.npz") as stored:
        return RecordIndex(
            split="train",
            shards=(str(folder / "train-00000-of-00001"),),
            shard=np.zeros(PICTURES, np.int32),
            num_classes=CLASSES,
            **{name: stored[name] for name in stored.files},
        )


def trainer(class_sizes, policy: str):
    """A compiled network in `policy`."""
    import keras

    from landmarks_tf import losses
    from landmarks_tf.layers import BatchNorm, CosineClassifier, GeMPooling2D, PixelScaling
    from landmarks_tf.training.fit import compile_model
    from landmarks_tf.training.optimizers import AdamW
    from landmarks_tf.training.schedules import learning_rate_schedule

    keras.config.set_dtype_policy(policy)
    x = pixels = keras.Input((SIDE, SIDE, 3))
    x = PixelScaling([1 / 127.5] * 3, [-1.0] * 3)(x)
    x = keras.layers.ReLU()(BatchNorm()(keras.layers.Conv2D(8, 3, strides=2)(x)))
    x = keras.layers.Dropout(0.3)(x)
    x = GeMPooling2D()(keras.layers.Conv2D(16, 3)(x))
    x = CosineClassifier(CLASSES, 2)(keras.layers.Dropout(0.3)(x))
    model = keras.Model(pixels, x)
    rate = learning_rate_schedule("cosine", learning_rate=0.01, total_steps=STEPS, warmup_steps=3)
    compile_model(
        model,
        loss=losses.ClassWeightedLoss(losses.ArcFaceLoss(), losses.class_weights(class_sizes)),
        optimizer=AdamW(rate, weight_decay=1e-3, global_clipnorm=1.0, use_ema=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


def train(folder: Path, workdir: Path, callbacks=(), policy: str = "float32") -> None:
    """Train to the end, from wherever an earlier process stopped."""
    import keras
    import numpy as np
    import tensorflow as tf

    from landmarks_tf.data.dataset import make_dataset
    from landmarks_tf.data.sampling import class_balanced
    from landmarks_tf.training.distribution import create_strategy
    from landmarks_tf.training.fit import FitPlan, fit

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    index = read_index(folder)
    plan = class_balanced(index.label, classes_per_batch=3, images_per_class=PER_CLASS, seed=1)
    with create_strategy("one_device").scope():
        model = trainer(np.bincount(index.label), policy)
    fit(
        model,
        lambda step: make_dataset(
            index,
            plan,
            image_size=SIDE,
            augment="flip_jitter",
            seed=2,
            start_step=step,
            num_steps=STEPS - step,
        ),
        FitPlan(STEPS, plan.batch_size, log_every=LOG_EVERY, checkpoint_every=CHECKPOINT_EVERY),
        workdir=workdir,
        extra_callbacks=callbacks,
    )


# --- the moments ---------------------------------------------------------------------------------


def die() -> None:
    """End as a power cut would: nothing is flushed, closed or cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(step: int, action):
    """A callback that acts after a step; where a segment ends, before anything of it is written."""
    import keras
    import numpy as np

    class AtStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(np.asarray(self.model.optimizer.iterations)) == step:
                action()

    return AtStep()


def in_checkpoint(step: int, moment: str) -> None:
    """Inside the writing of one checkpoint: half of it written, or named but the older not gone."""
    import numpy as np

    from landmarks_tf.training import checkpoints

    own_savez, own_flush = np.savez, checkpoints._flush_names

    def half(stream, **arrays):
        if f"{step:09d}" not in stream.name:
            return own_savez(stream, **arrays)
        whole = io.BytesIO()
        own_savez(whole, **arrays)
        stream.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        stream.flush()
        return die()

    def named(folder):
        own_flush(folder)
        if (folder / f"step-{step:09d}.npz").exists():
            die()

    if moment == "half":
        np.savez = half
    else:
        checkpoints._flush_names = named


def in_line(step: int) -> None:
    """After half a line of metrics.jsonl."""
    from landmarks_tf.training import callbacks

    own = callbacks.json.dumps

    def cut(line, **options):
        text = own(line, **options)
        if line.get("step") != step:
            return text
        (descriptor,) = [n for n in range(3, 256) if _is(n, "metrics.jsonl")]
        os.write(descriptor, text.encode()[: len(text) // 2])
        return die()

    callbacks.json.dumps = cut


def _is(descriptor: int, name: str) -> bool:
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name == name
    except OSError:
        return False


def limit_files(size: int) -> None:
    """From now on the kernel lets no file grow beyond `size` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def on_a_full_disk(folder: Path, workdir: Path) -> None:
    """A disk of 512 KiB that fills up during step 10 and has room again for a second run."""
    import keras

    workdir.mkdir()
    if not _mounts_memory(workdir, "512k"):
        print("no file system of one's own")
        return
    ballast = workdir / "ballast"

    def fill():
        with ballast.open("wb", buffering=0) as stream:
            for size in (1 << 14, 1):
                with contextlib.suppress(OSError):
                    while stream.write(bytes(size)):
                        pass

    try:
        train(folder, workdir, [at_step(10, fill)])
    except OSError as error:
        print(f"stopped: {error}")
    print("left:", *sorted(path.name for path in (workdir / "checkpoints").iterdir()))
    ballast.unlink()
    keras.backend.clear_session()
    train(folder, workdir)
    last = f"step-{STEPS:09d}.npz"
    outside = folder / f"{workdir.name}-{last}"
    outside.write_bytes((workdir / "checkpoints" / last).read_bytes())


def _mounts_memory(folder: Path, size: str) -> bool:
    """Puts a small disk in memory at `folder`, which this process alone sees; False if it may not.

    Root needs a namespace of mounts for that, others one of users around it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    new_mounts, new_users = 0x00020000, 0x10000000
    if libc.unshare(new_mounts):
        if libc.unshare(new_mounts | new_users):
            return False
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        except OSError:
            return False
    own_to_us, with_all_below = 1 << 18, 1 << 14
    if libc.mount(b"none", b"/", None, own_to_us | with_all_below, None):
        return False
    options = f"size={size}".encode()
    return not libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, options)


# --- the runs ------------------------------------------------------------------------------------


def run(folder: Path, task: dict) -> None:
    """One run with its fault."""
    workdir, policy = folder / task["workdir"], task.get("policy", "float32")
    kind, *numbers = (task["fault"] or "none").split(":")
    callbacks = []
    if kind == "step":
        callbacks = [at_step(int(numbers[0]), die)]
    elif kind in ("half", "named"):
        in_checkpoint(int(numbers[0]), kind)
    elif kind == "line":
        in_line(int(numbers[0]))
    elif kind == "limit":
        callbacks = [at_step(int(numbers[0]), lambda: limit_files(int(numbers[1])))]
    elif kind == "full":
        on_a_full_disk(folder, workdir)
        return
    train(folder, workdir, callbacks, policy)


def main() -> int:
    """Run all that runs.json says."""
    # Nothing of TensorFlow may run before the forks, only be imported.
    import keras  # noqa: F401
    import tensorflow as tf  # noqa: F401

    import landmarks_tf.data.dataset
    import landmarks_tf.losses
    import landmarks_tf.training.fit  # noqa: F401

    # Neither copied by the children's collections, nor looked through.
    gc.freeze()
    folder = Path(sys.argv[1])
    ends = []
    for number, task in enumerate(json.loads((folder / "runs.json").read_text())):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with (folder / f"{number}.txt").open("w", buffering=1) as out:
                    os.dup2(out.fileno(), 1)
                    os.dup2(out.fileno(), 2)
                    run(folder, task)
                code = 0
            except Exception as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    (folder / "ends.json").write_text(json.dumps(ends))
    return 0


if __name__ == "__main__":
    sys.exit(main())
