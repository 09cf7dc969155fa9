{{ config(unique_key='l_shop_order_user_hk') }}

{{ link(
    changes=source('silver', 'shop_orders_changes'),
    hash_key='l_shop_order_user_hk',
    hubs=[
        {'hash_key': 'h_shop_order_hk', 'column': 'id'},
        {'hash_key': 'h_shop_user_hk', 'column': 'user_id'}
    ]
) }}
