{{ config(unique_key='h_shop_order_hk', natural_key='order_id') }}

{{ hub(
    mentions=[
        {'changes': source('silver', 'shop_orders_changes'), 'column': 'id'}
    ],
    hash_key='h_shop_order_hk',
    business_key='order_id'
) }}
