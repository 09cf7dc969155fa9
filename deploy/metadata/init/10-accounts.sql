-- A database and an account for each server that keeps its own state: none may see another's.
\set ON_ERROR_STOP on
\getenv catalog_password CATALOG_POSTGRES_PASSWORD
\getenv dagster_password DAGSTER_POSTGRES_PASSWORD
\getenv metabase_password METABASE_POSTGRES_PASSWORD

create role catalog login password :'catalog_password';
create role dagster login password :'dagster_password';
create role metabase login password :'metabase_password';
create database catalog owner catalog;
create database dagster owner dagster;
create database metabase owner metabase;
revoke all on database catalog, dagster, metabase from public;
