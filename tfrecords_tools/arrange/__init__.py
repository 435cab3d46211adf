"""`arrange`: own pictures, a folder a class or a CSV, laid out as GLDv2 lays out its own."""
