{{ config(day_column='order_date') }}

with items as (
    select * from {{ source('silver', 'retail_order_items') }}
),

orders as (
    select
        order_id,
        customer_id,
        order_date,
        status
    from {{ source('silver', 'retail_orders') }}
),

products as (
    select
        product_id,
        product_name,
        category,
        cost
    from {{ source('silver', 'retail_products') }}
),

valued as (
    select
        items.order_item_id,
        items.order_id,
        items.product_id,
        orders.customer_id,
        orders.order_date,
        orders.status,
        products.product_name,
        products.category,
        items.quantity,
        items.unit_price,
        items.discount,
        cast(items.quantity as decimal(20, 0)) * items.unit_price as line_amount,
        cast(items.quantity as decimal(20, 0)) * items.unit_price * items.discount as discount_amount,
        cast(items.quantity as decimal(20, 0)) * products.cost as cost_amount
    from items
    left join orders on items.order_id = orders.order_id
    left join products on items.product_id = products.product_id
),

final as (
    select
        order_item_id,
        order_id,
        product_id,
        customer_id,
        order_date,
        status,
        product_name,
        category,
        quantity,
        unit_price,
        discount,
        {{ amount('line_amount') }} as line_amount,
        {{ amount('discount_amount') }} as discount_amount,
        {{ amount('cost_amount') }} as cost_amount,
        {{ amount('line_amount - discount_amount - cost_amount') }} as margin
    from valued
)

select * from final
