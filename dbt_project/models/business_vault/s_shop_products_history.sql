{{ config(unique_key='h_shop_product_hk') }}

{{ history(
    satellite=ref('s_shop_products'),
    changes=source('silver', 'shop_products_changes'),
    hash_key='h_shop_product_hk'
) }}
