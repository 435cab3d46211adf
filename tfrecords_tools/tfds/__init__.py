"""GLDv2 as a TensorFlow Datasets data set: importing this registers `google_landmarks_v2`."""

from tfrecords_tools.tfds.builder import GoogleLandmarksV2, LandmarksConfig

__all__ = ["GoogleLandmarksV2", "LandmarksConfig"]
