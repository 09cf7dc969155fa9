{{ config(strategy='days', day_column='event_date') }}

with events as (
    select
        event_date,
        user_id,
        event_type
    from {{ days(source('silver', 'clickstream_user_events')) }}
),

counted as (
    select
        event_date,
        count(distinct case when event_type = 'purchase' then user_id end) as buyers,
        sum(case when event_type = 'purchase' then 1 else 0 end) as purchases,
        count(distinct user_id) as active_users
    from events
    group by event_date
),

final as (
    select
        event_date,
        case
            when active_users = 0 then cast(0 as double)
            else cast(buyers as double) / cast(active_users as double)
        end as conversion_rate,
        cast(purchases as bigint) as total_purchases,
        active_users as dau_count,
        {{ load_time() }} as updated_at
    from counted
)

select * from final
