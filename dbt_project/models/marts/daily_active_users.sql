{{ config(strategy='days', day_column='event_date') }}

with events as (
    select
        event_date,
        user_id
    from {{ days(source('silver', 'clickstream_user_events')) }}
),

final as (
    select
        event_date,
        count(distinct user_id) as dau_count,
        {{ load_time() }} as updated_at
    from events
    group by event_date
)

select * from final
