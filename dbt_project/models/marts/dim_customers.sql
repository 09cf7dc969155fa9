with customers as (
    select * from {{ source('silver', 'retail_customers') }}
),

orders as (
    select * from {{ ref('int_customer_orders') }}
),

joined as (
    select
        customers.customer_id,
        customers.first_name || ' ' || customers.last_name as full_name,
        customers.email,
        customers.country,
        customers.signup_date,
        coalesce(orders.orders, 0) as orders,
        {{ amount('coalesce(orders.lifetime_amount, 0)') }} as lifetime_amount
    from customers
    left join orders on customers.customer_id = orders.customer_id
),

final as (
    select
        *,
        case when orders >= 5 then 'loyal' when orders >= 2 then 'regular' else 'new' end as segment
    from joined
)

select * from final
