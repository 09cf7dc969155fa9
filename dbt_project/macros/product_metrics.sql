{# Revenue, orders and their mean per period and known product, of orders neither cancelled nor returned. #}
{% macro product_metrics(items, period, name) -%}
with sold as (
    select
        {{ period }} as period,
        product_name,
        order_id,
        line_amount - {{ exact_discount() }} as revenue
    from {{ items }}
    where status not in ('cancelled', 'returned') and product_name is not null
),

summed as (
    select
        period,
        product_name,
        sum(revenue) as revenue,
        count(distinct order_id) as orders
    from sold
    group by period, product_name
)

select
    period as {{ name }},
    product_name as product,
    {{ amount('revenue') }} as revenue,
    orders,
    {{ mean(amount('revenue'), 'orders') }} as avg_order_value
from summed
{%- endmacro %}
