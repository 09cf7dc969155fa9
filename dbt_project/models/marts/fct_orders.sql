{{ config(day_column='order_date') }}

with orders as (
    select * from {{ source('silver', 'retail_orders') }}
),

items as (
    select
        order_id,
        sum(quantity) as items,
        sum(line_amount) as gross,
        sum({{ exact_discount() }}) as discount
    from {{ ref('int_order_items_enriched') }}
    group by order_id
),

joined as (
    select
        orders.order_id,
        orders.customer_id,
        orders.order_date,
        orders.status,
        orders.shipping_cost,
        coalesce(items.items, 0) as items,
        coalesce(items.gross, 0) as gross,
        coalesce(items.discount, 0) as discount
    from orders
    left join items on orders.order_id = items.order_id
),

final as (
    select
        order_id,
        customer_id,
        order_date,
        status,
        cast(items as bigint) as items,
        {{ amount('gross') }} as gross_amount,
        {{ amount('discount') }} as discount_amount,
        {{ amount('shipping_cost') }} as shipping_cost,
        {{ amount('gross - discount + shipping_cost') }} as net_amount
    from joined
)

select * from final
