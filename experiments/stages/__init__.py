"""The stages of a run, in order; each reads files, writes files and marks itself done last."""
