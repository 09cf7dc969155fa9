{{ config(unique_key='l_shop_order_product_hk') }}

{{ link(
    changes=source('silver', 'shop_orders_changes'),
    hash_key='l_shop_order_product_hk',
    hubs=[
        {'hash_key': 'h_shop_order_hk', 'column': 'id'},
        {'hash_key': 'h_shop_product_hk', 'column': 'product_id'}
    ]
) }}
