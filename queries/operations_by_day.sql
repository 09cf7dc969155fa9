-- The same by the day of the change.
SELECT change_date AS event_date, op AS operation_type, count(*) AS event_count
FROM silver.bank_users_changes
GROUP BY change_date, op
ORDER BY event_date DESC, operation_type
