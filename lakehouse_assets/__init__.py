"""A Dagster asset-based lakehouse: PostgreSQL, MySQL, Kafka and CSV data landed, typed, historised and served."""
