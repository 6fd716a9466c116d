"""The speed of fedfutures, each figure measured beside the standard library in the same run.

``python -m benchmarks`` runs every figure, ``--only NAME`` some of them; ``--write`` records the table in
``results.rst``.

A *figure* (one file in ``figures/``) has *contestants*, fedfutures and its peers. Every sample of every
contestant runs in a fresh process of its own, contestants take turns, and a row compares medians. A crash or
a hang therefore costs the rows of one contestant and no more.
"""
