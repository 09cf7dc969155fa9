{{ config(unique_key='h_shop_product_hk', natural_key='product_id') }}

{{ hub(
    mentions=[
        {'changes': source('silver', 'shop_products_changes'), 'column': 'id'},
        {'changes': source('silver', 'shop_orders_changes'), 'column': 'product_id'}
    ],
    hash_key='h_shop_product_hk',
    business_key='product_id'
) }}
