{{ config(unique_key=['h_shop_product_hk', 'change_position']) }}

{{ satellite(
    changes=source('silver', 'shop_products_changes'),
    hash_key='h_shop_product_hk'
) }}
