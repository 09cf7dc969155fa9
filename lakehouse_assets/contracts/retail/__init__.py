"""The retail chain's daily CSV exports: customers, products, orders and their items."""
