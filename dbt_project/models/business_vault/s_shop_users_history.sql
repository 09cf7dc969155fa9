{{ config(unique_key='h_shop_user_hk') }}

{{ history(
    satellite=ref('s_shop_users'),
    changes=source('silver', 'shop_users_changes'),
    hash_key='h_shop_user_hk'
) }}
