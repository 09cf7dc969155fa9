"""Breaks the lakehouse on purpose for as long as one likes, and says whether anything was lost, doubled or changed.

`python -m tests.chaos --help`, or `make chaos MINUTES=30 SEED=1`. Jobs of every kind in `jobs` take turns, one process
a core; the first that finds a difference ends the run. Where it stops: servers are `tests/servers`'.
"""
