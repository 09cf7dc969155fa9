-- The newest balance of each account that was ever created or updated, deleted ones included.
WITH ranked AS (
    SELECT
        id AS account_id,
        balance,
        change_time,
        row_number() OVER (PARTITION BY id ORDER BY change_position DESC) AS place
    FROM silver.bank_accounts_changes
    WHERE op IN ('c', 'r', 'u')
)

SELECT account_id, balance, change_time
FROM ranked
WHERE place = 1
ORDER BY account_id
