-- Generated from the contracts by `make sync`: do not edit.
\connect bank
set role bank;

create table accounts (
  id uuid not null,
  user_id uuid not null,
  account_type text not null,
  currency char(3) not null,
  balance decimal(15,2) not null,
  status text not null,
  created_at timestamptz(6) not null,
  updated_at timestamptz(6) not null,
  primary key (id)
);
alter table accounts replica identity full;

create table users (
  id uuid not null,
  email text not null,
  name text not null,
  notes text null,
  created_at timestamptz(6) not null,
  updated_at timestamptz(6) not null,
  primary key (id)
);
alter table users replica identity full;

alter table accounts add foreign key (user_id) references users (id);
