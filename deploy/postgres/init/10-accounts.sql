-- The bank's database and its accounts, each with the rights of one access pattern. Passwords come from the environment.
-- What Debezium may read, `lakehouse connectors apply` grants, table by table.
\set ON_ERROR_STOP on
\getenv bank_password BANK_PASSWORD
\getenv connector_password DATABASE_PASSWORD_BANK

-- Owns the tables; may replicate, so that it can drop the connector's slot.
create role bank login replication password :'bank_password';
create role debezium login replication password :'connector_password';
create database bank owner bank encoding 'UTF8' template template0;
revoke all on database bank from public;
grant connect on database bank to debezium;

\connect bank
alter schema public owner to bank;
revoke all on schema public from public;
