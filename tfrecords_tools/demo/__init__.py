"""The demo data set: made-up landmarks, rendered and laid out like Google Landmarks v2."""

from tfrecords_tools.demo.layout import DemoFolderError, Summary, write_demo

__all__ = ["DemoFolderError", "Summary", "write_demo"]
