{{ config(strategy='days', day_column='order_date') }}

with orders as (
    select * from {{ days(ref('fct_orders')) }}
),

summed as (
    select
        order_date,
        count(*) as orders,
        count(distinct customer_id) as customers,
        sum(items) as items,
        sum(gross_amount) as gross,
        sum(discount_amount) as discount,
        sum(net_amount) as net
    from orders
    group by order_date
),

final as (
    select
        order_date,
        orders,
        customers,
        cast(items as bigint) as items,
        {{ amount('gross') }} as gross_amount,
        {{ amount('discount') }} as discount_amount,
        {{ amount('net') }} as net_amount,
        {{ mean('net', 'orders') }} as avg_order_amount
    from summed
)

select * from final
