"""Training: optimizers and schedules, checkpoints by step, callbacks, devices, and `fit`."""
