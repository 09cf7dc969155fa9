{{ config(unique_key='h_account_hk') }}

{{ history(
    satellite=ref('s_accounts'),
    changes=source('silver', 'bank_accounts_changes'),
    hash_key='h_account_hk'
) }}
