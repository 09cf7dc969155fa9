{{ config(unique_key=['h_account_hk', 'change_position']) }}

{{ satellite(
    changes=source('silver', 'bank_accounts_changes'),
    hash_key='h_account_hk'
) }}
