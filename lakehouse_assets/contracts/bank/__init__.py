"""The core banking database: users and their accounts, captured from PostgreSQL."""
