-- Generated from the contracts by `make sync`: do not edit.
use shop;

create table orders (
  id int not null,
  user_id int not null,
  product_id int not null,
  quantity int not null,
  unit_price decimal(10,2) not null,
  total_amount decimal(12,2) not null,
  status text not null,
  order_date datetime(0) not null,
  updated_at timestamp(0) not null,
  primary key (id)
);

create table products (
  id int not null,
  sku varchar(32) not null,
  name varchar(200) not null,
  category varchar(50) not null,
  price decimal(10,2) not null,
  stock int not null,
  created_at datetime(0) not null,
  updated_at timestamp(0) not null,
  primary key (id)
);

create table user_sessions (
  id bigint not null,
  user_id int not null,
  device text not null,
  ip_address varchar(45) null,
  started_at datetime(0) not null,
  last_activity datetime(3) not null,
  is_active bool not null,
  primary key (id)
);

create table users (
  id int not null,
  username varchar(50) not null,
  email varchar(100) not null,
  full_name varchar(100) not null,
  country varchar(50) not null,
  birth_date date null,
  is_active bool not null,
  created_at datetime(0) not null,
  updated_at timestamp(0) not null,
  primary key (id)
);

alter table orders add foreign key (user_id) references users (id);

alter table orders add foreign key (product_id) references products (id);

alter table user_sessions add foreign key (user_id) references users (id);
