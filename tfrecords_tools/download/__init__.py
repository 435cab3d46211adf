"""GLDv2 as published, fetched: resumed within a file, verified by MD5, extracted image by image.

Everything on disk is safe at any moment: a file is fetched under the name `<name>.part`, gets its
name when its MD5 is right, and a tar counts as done when a note written after its last image says
so. Whatever ends a download early, the same command goes on.
"""
