{{ config(meta={'dagster': {'ref': {'name': 'daily_sales_summary'}}}, severity='warn') }}

-- Only a warning: while some days wait for their run, the days of the summary are behind the orders.
with summary as (
    select sum(orders) as orders, sum(net_amount) as net_amount from {{ ref('daily_sales_summary') }}
),

orders as (
    select count(*) as orders, sum(net_amount) as net_amount from {{ ref('fct_orders') }}
)

select summary.*
from summary
cross join orders
where summary.orders is distinct from orders.orders or summary.net_amount is distinct from orders.net_amount
