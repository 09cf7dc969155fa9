-- The changes that the database made last, in its own order.
SELECT op, change_time, id
FROM silver.bank_users_changes
ORDER BY change_position DESC, id
LIMIT 5
