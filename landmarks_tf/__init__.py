"""Landmark retrieval and recognition on Google Landmarks Dataset v2 with Keras 3."""

__version__ = "0.1.0"
