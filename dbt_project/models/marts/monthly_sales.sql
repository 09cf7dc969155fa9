with orders as (
    select
        cast(date_trunc('month', order_date) as date) as month,  -- noqa: RF04
        user_id,
        total_amount
    from {{ ref('s_shop_orders_history') }}
    where valid_to is null and not is_deleted and status not in ('cancelled', 'returned')
),

final as (
    select
        month,
        {{ amount('sum(total_amount)') }} as revenue,
        count(distinct user_id) as customers,
        count(*) as orders
    from orders
    group by month
)

select * from final
