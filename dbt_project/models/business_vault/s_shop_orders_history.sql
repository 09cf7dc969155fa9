{{ config(unique_key='h_shop_order_hk') }}

{{ history(
    satellite=ref('s_shop_orders'),
    changes=source('silver', 'shop_orders_changes'),
    hash_key='h_shop_order_hk'
) }}
