{{ config(unique_key=['h_account_hk', 'change_position']) }}

{{ effectivity(
    changes=source('silver', 'bank_accounts_changes'),
    link_key='l_user_account_hk',
    hash_key='h_account_hk',
    hubs=[
        {'hash_key': 'h_user_hk', 'column': 'user_id'},
        {'hash_key': 'h_account_hk', 'column': 'id'}
    ]
) }}
