{{ config(strategy='days', day_column='date') }}

{{ product_metrics(items=days(ref('int_order_items_enriched')), period='order_date', name='date') }}
