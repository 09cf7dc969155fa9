{{ config(unique_key=['h_user_hk', 'change_position']) }}

{{ satellite(
    changes=source('silver', 'bank_users_changes'),
    hash_key='h_user_hk'
) }}
