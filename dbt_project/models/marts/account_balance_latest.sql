with present as (
    select * from {{ ref('s_accounts_history') }}
    where valid_to is null and not is_deleted
),

-- A history row keeps the first of equal changes; the account is as of the last one.
last_changes as (
    select
        h_account_hk,
        change_position,
        effective_from,
        row_number() over (partition by h_account_hk order by change_position desc) as age
    from {{ ref('s_accounts') }}
),

final as (
    select
        hub.account_id,
        present.user_id,
        present.currency,
        {{ amount('present.balance') }} as balance,
        last_changes.effective_from as as_of
    from present
    inner join {{ ref('h_accounts') }} as hub on present.h_account_hk = hub.h_account_hk
    inner join last_changes on present.h_account_hk = last_changes.h_account_hk and last_changes.age = 1
)

select * from final
