with history as (
    select * from {{ ref('s_accounts_history') }}
),

compared as (
    select
        h_account_hk,
        change_position,
        balance,
        is_deleted,
        valid_from,
        lag(balance) over (partition by h_account_hk order by change_position) as earlier_balance,
        lag(is_deleted) over (partition by h_account_hk order by change_position) as earlier_is_deleted
    from history
),

starts as (
    select * from compared
    where
        earlier_is_deleted is null
        or earlier_is_deleted <> is_deleted
        or earlier_balance is distinct from balance
),

intervals as (
    select
        h_account_hk,
        balance,
        valid_from,
        lead(valid_from) over (partition by h_account_hk order by change_position) as valid_to,
        is_deleted
    from starts
),

final as (
    select
        hub.account_id,
        {{ amount('intervals.balance') }} as balance,
        intervals.valid_from,
        intervals.valid_to,
        intervals.is_deleted
    from intervals
    inner join {{ ref('h_accounts') }} as hub on intervals.h_account_hk = hub.h_account_hk
)

select * from final
