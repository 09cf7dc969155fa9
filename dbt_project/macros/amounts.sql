{# An exact amount, rounded half up to cents: once, where it is named. #}
{% macro amount(expression) -%}
    cast({{ expression }} as decimal(18, 2))
{%- endmacro %}

{#
    An amount of at most six decimals per `count`, rounded half up to cents. In whole numbers: division of decimals gives
    a double on one engine and cuts digits on another. Amounts are not negative.
#}
{% macro mean(amount, count) -%}
    {%- set dividend = '(2 * cast(' ~ amount ~ ' * 1000000 as bigint) + 10000 * ' ~ count ~ ')' -%}
    {%- set divisor = '(20000 * ' ~ count ~ ')' -%}
    cast(
        cast(({{ dividend }} - {{ dividend }} % {{ divisor }}) / {{ divisor }} as decimal(18, 0))
        * cast(0.01 as decimal(3, 2)) as decimal(18, 2)
    )
{%- endmacro %}

{# The moment that all rows of an invocation share. #}
{% macro load_time() -%}
    {{ adapter.dispatch('load_time', 'lakehouse')() }}
{%- endmacro %}

{% macro default__load_time() -%}
    cast('{{ var("load_time") }}' as timestamp with time zone)
{%- endmacro %}

{% macro trino__load_time() -%}
    cast(from_iso8601_timestamp_nanos('{{ var("load_time") }}') as timestamp(6) with time zone)
{%- endmacro %}

{# The discount of an order item with all its digits: sums are rounded once, not line by line. #}
{% macro exact_discount() -%}
    (line_amount * discount)
{%- endmacro %}
