"""The plan of `convert` on an Apache Beam runner; `pip install apache-beam` (the extra `beam`)."""
