"""What callers of the public `renderers` package, of either generation, expect beside our own names.

One thin layer: types that serialise as plain values, configs, classes and factories under their older names. The engine
knows nothing of it, and no rule of rendering or reading is written here a second time.
"""
