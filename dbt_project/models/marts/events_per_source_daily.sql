{{ config(strategy='days', day_column='event_date') }}

with events as (
    select
        event_date,
        source
    from {{ days(source('silver', 'clickstream_user_events')) }}
),

final as (
    select
        event_date,
        source,
        count(*) as event_count,
        {{ load_time() }} as updated_at
    from events
    group by event_date, source
)

select * from final
