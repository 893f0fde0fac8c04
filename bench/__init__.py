"""Measures `renderers` side by side with transformers and the published package; see README.md.

`worker`, `contenders` and `startup` also run in the contenders' own environments: standard library only in there.
"""
