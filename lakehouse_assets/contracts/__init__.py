"""WHAT each source table is. Imports neither Dagster nor an engine."""
