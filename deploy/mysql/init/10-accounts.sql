-- The shop's database and its accounts, each with the rights of one access pattern. The password of an account is the
-- file of its name in secure_file_priv; a file that is missing ends this with an error.
create database shop character set utf8mb4;
create database debezium character set utf8mb4;

delimiter //
create procedure shop.make_account(in account varchar(30), in file varchar(30))
begin
  declare secret varchar(200) default cast(load_file(concat(@@secure_file_priv, '/', file)) as char);
  if coalesce(trim(secret), '') = '' then
    signal sqlstate '45000' set message_text = 'an account has no password file';
  end if;
  set @statement = concat('create user ', quote(account), '@''%'' identified by ', quote(trim(trailing '\n' from secret)));
  prepare statement from @statement;
  execute statement;
  deallocate prepare statement;
  set @statement = null;
end//
delimiter ;

-- Owns the tables, and asks for snapshots.
call shop.make_account('shop', 'shop_password');
grant all on shop.* to 'shop'@'%';
grant all on debezium.* to 'shop'@'%';
grant replication client on *.* to 'shop'@'%';

-- The connector: reads tables and binlog, writes its own heartbeat and marks.
call shop.make_account('debezium', 'connector_password');
grant reload, show databases, replication slave, replication client on *.* to 'debezium'@'%';
grant select, lock tables on shop.* to 'debezium'@'%';
grant select, insert, update on debezium.* to 'debezium'@'%';

-- ClickHouse reads the live tables.
call shop.make_account('clickhouse', 'clickhouse_mysql_password');
grant select on shop.* to 'clickhouse'@'%';

drop procedure shop.make_account;
