"""Recorded change events beyond `sample_data`, what the databases answered, and how to record both anew."""
