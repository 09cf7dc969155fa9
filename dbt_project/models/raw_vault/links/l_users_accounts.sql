{{ config(unique_key='l_user_account_hk') }}

{{ link(
    changes=source('silver', 'bank_accounts_changes'),
    hash_key='l_user_account_hk',
    hubs=[
        {'hash_key': 'h_user_hk', 'column': 'user_id'},
        {'hash_key': 'h_account_hk', 'column': 'id'}
    ]
) }}
