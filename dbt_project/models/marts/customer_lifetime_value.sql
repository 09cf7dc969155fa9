with users as (
    select
        hub.user_id,
        history.username,
        history.country
    from {{ ref('s_shop_users_history') }} as history
    inner join {{ ref('h_shop_users') }} as hub on history.h_shop_user_hk = hub.h_shop_user_hk
    where history.valid_to is null and not history.is_deleted
),

orders as (
    select
        user_id,
        order_date,
        case when status not in ('cancelled', 'returned') then total_amount end as kept_amount
    from {{ ref('s_shop_orders_history') }}
    where valid_to is null and not is_deleted
),

newest as (
    select max(order_date) as order_date from orders
),

summed as (
    select
        orders.user_id,
        count(*) as orders,
        sum(orders.kept_amount) as lifetime_value,
        sum(case when orders.order_date >= newest.order_date - interval '30' day then 1 else 0 end) as recent_orders,
        max(orders.order_date) as last_order_date
    from orders
    cross join newest
    group by orders.user_id
),

final as (
    select
        users.user_id,
        users.username,
        users.country,
        coalesce(summed.orders, 0) as orders,
        {{ amount('coalesce(summed.lifetime_value, 0)') }} as lifetime_value,
        cast(coalesce(summed.recent_orders, 0) as bigint) as recent_orders,
        summed.last_order_date
    from users
    left join summed on users.user_id = summed.user_id
)

select * from final
