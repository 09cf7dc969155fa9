with orders as (
    select
        order_id,
        customer_id,
        order_date,
        shipping_cost
    from {{ source('silver', 'retail_orders') }}
),

items as (
    select
        order_id,
        sum(line_amount - {{ exact_discount() }}) as amount
    from {{ ref('int_order_items_enriched') }}
    group by order_id
),

valued as (
    select
        orders.order_id,
        orders.customer_id,
        orders.order_date,
        coalesce(items.amount, 0) + orders.shipping_cost as net_amount
    from orders
    left join items on orders.order_id = items.order_id
),

summed as (
    select
        customer_id,
        count(order_id) as orders,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        {{ amount('sum(net_amount)') }} as lifetime_amount
    from valued
    group by customer_id
),

final as (
    select
        *,
        {{ mean('lifetime_amount', 'orders') }} as avg_order_amount
    from summed
)

select * from final
