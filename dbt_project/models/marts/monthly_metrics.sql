{{ product_metrics(
    items=ref('int_order_items_enriched'),
    period="cast(date_trunc('month', order_date) as date)",
    name='month'
) }}
