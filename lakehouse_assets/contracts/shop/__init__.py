"""The web shop database: users, products, orders and sessions, captured from MySQL."""
