{{ config(unique_key='h_user_hk') }}

{{ history(
    satellite=ref('s_users'),
    changes=source('silver', 'bank_users_changes'),
    hash_key='h_user_hk'
) }}
