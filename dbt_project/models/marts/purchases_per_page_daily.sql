{{ config(strategy='days', day_column='event_date') }}

with purchases as (
    select
        event_date,
        page
    from {{ days(source('silver', 'clickstream_user_events')) }}
    where event_type = 'purchase'
),

final as (
    select
        event_date,
        page,
        count(*) as purchase_count,
        {{ load_time() }} as updated_at
    from purchases
    group by event_date, page
)

select * from final
