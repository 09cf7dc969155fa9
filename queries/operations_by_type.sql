-- How many messages of each kind were landed, redeliveries included: c create, u update, d delete, r read of a snapshot;
-- null for a tombstone.
SELECT op AS operation_type, count(*) AS operations
FROM bronze.bank_users
GROUP BY op
ORDER BY operations DESC, operation_type
