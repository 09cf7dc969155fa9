{{ config(unique_key='h_shop_user_hk', natural_key='user_id') }}

{{ hub(
    mentions=[
        {'changes': source('silver', 'shop_users_changes'), 'column': 'id'},
        {'changes': source('silver', 'shop_orders_changes'), 'column': 'user_id'},
        {'changes': source('silver', 'shop_user_sessions_changes'), 'column': 'user_id'}
    ],
    hash_key='h_shop_user_hk',
    business_key='user_id'
) }}
