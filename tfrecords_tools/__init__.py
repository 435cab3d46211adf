"""The quarry: GLDv2 as published, or any folder of that shape, to sharded records.

Command line: `python -m tfrecords_tools demo|convert|verify --help`.
"""
