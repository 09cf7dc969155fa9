{{ config(strategy='days', day_column='event_date') }}

-- The satellite does not keep the operation, and a snapshot read must not count as a new user: the same changes say it.
with satellite as (
    select
        h_user_hk,
        change_position
    from {{ days(ref('s_users')) }}
),

operations as (
    select
        {{ hash_key_of(source('silver', 'bank_users_changes'), ['id']) }} as h_user_hk,
        change_position,
        change_date,
        op
    from {{ days(source('silver', 'bank_users_changes')) }}
    where op in ('c', 'u', 'd')
),

changes as (
    select
        operations.change_date as event_date,
        operations.op
    from satellite
    inner join operations
        on satellite.h_user_hk = operations.h_user_hk and satellite.change_position = operations.change_position
),

final as (
    select
        event_date,
        cast(sum(case when op = 'c' then 1 else 0 end) as bigint) as new_users,
        cast(sum(case when op = 'u' then 1 else 0 end) as bigint) as updated_users,
        cast(sum(case when op = 'd' then 1 else 0 end) as bigint) as deleted_users,
        {{ load_time() }} as updated_at
    from changes
    group by event_date
)

select * from final
