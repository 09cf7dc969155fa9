"""Random tables and random histories of them, played against the real lakehouse and held against the model.

`shapes` draws a table, `steps` what happens to it, `source` tells it as Debezium does, `play` runs it with every kind
of interruption and compares. `test_any_history.py` plays a few hundred, `tests/chaos` as many as there is time for.
"""
