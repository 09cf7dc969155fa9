{{ config(unique_key=['h_shop_order_hk', 'change_position']) }}

{{ effectivity(
    changes=source('silver', 'shop_orders_changes'),
    link_key='l_shop_order_user_hk',
    hash_key='h_shop_order_hk',
    hubs=[
        {'hash_key': 'h_shop_order_hk', 'column': 'id'},
        {'hash_key': 'h_shop_user_hk', 'column': 'user_id'}
    ]
) }}
