{{ config(unique_key=['h_shop_order_hk', 'change_position']) }}

{{ satellite(
    changes=source('silver', 'shop_orders_changes'),
    hash_key='h_shop_order_hk'
) }}
