-- The shop's database and its accounts, each with the rights of one access pattern. Passwords are files in
-- secure_file_priv; one that is missing or empty becomes NULL, which no statement takes for a password.
create database shop character set utf8mb4;
create database debezium character set utf8mb4;

-- Owns the tables, and asks for snapshots.
set @file = concat(@@secure_file_priv, '/shop_password');
set @password = nullif(trim(trailing '\n' from cast(load_file(@file) as char)), '');
set @statement = concat('create user ''shop''@''%'' identified by ', quote(@password));
prepare made from @statement;
execute made;
grant all on shop.* to 'shop'@'%';
grant all on debezium.* to 'shop'@'%';
grant replication client on *.* to 'shop'@'%';

-- The connector: reads tables and binlog, writes its own heartbeat and marks.
set @file = concat(@@secure_file_priv, '/connector_password');
set @password = nullif(trim(trailing '\n' from cast(load_file(@file) as char)), '');
set @statement = concat('create user ''debezium''@''%'' identified by ', quote(@password));
prepare made from @statement;
execute made;
grant reload, show databases, replication slave, replication client on *.* to 'debezium'@'%';
grant select, lock tables on shop.* to 'debezium'@'%';
grant select, insert, update on debezium.* to 'debezium'@'%';

-- ClickHouse reads the live tables.
set @file = concat(@@secure_file_priv, '/clickhouse_mysql_password');
set @password = nullif(trim(trailing '\n' from cast(load_file(@file) as char)), '');
set @statement = concat('create user ''clickhouse''@''%'' identified by ', quote(@password));
prepare made from @statement;
execute made;
grant select on shop.* to 'clickhouse'@'%';

deallocate prepare made;
set @password = null, @statement = null;
