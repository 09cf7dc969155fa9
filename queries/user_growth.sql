-- Users created, updated and deleted a day; marts.user_growth_daily holds the same, built day by day.
SELECT
    change_date AS event_date,
    count(CASE WHEN op = 'c' THEN 1 END) AS new_users,
    count(CASE WHEN op = 'u' THEN 1 END) AS updated_users,
    count(CASE WHEN op = 'd' THEN 1 END) AS deleted_users
FROM silver.bank_users_changes
GROUP BY change_date
ORDER BY event_date DESC
