"""Records -> batches: sampling plans, image operations, augmentation and the tf.data pipeline.

`sampling` is NumPy alone; the other modules import TensorFlow, so nothing is re-exported here.
"""
