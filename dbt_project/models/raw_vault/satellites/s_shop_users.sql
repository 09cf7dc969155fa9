{{ config(unique_key=['h_shop_user_hk', 'change_position']) }}

{{ satellite(
    changes=source('silver', 'shop_users_changes'),
    hash_key='h_shop_user_hk'
) }}
