{#
    A value as text that is the same on every engine, for hashing. A value begins with `=` and null is empty; the
    delimiter and the escape are escaped: two rows that differ never give the same text.
#}
{% macro canonical(column, type) -%}
    coalesce('=' || {{ escaped(column, type) }}, '')
{%- endmacro %}

{% macro escaped(column, type) -%}
    replace(replace({{ plain_text(column, type) }}, '\', '\\'), '|', '\|')
{%- endmacro %}

{% macro plain_text(column, type) -%}
    {{ adapter.dispatch('plain_text', 'lakehouse')(column, type) }}
{%- endmacro %}

{% macro default__plain_text(column, type) -%}
    {%- set kind = type.split('(')[0] -%}
    {%- if kind in ('text', 'varchar', 'char', 'uuid', 'json', 'bits', 'numeric', 'interval') -%}
        {{ column }}
    {%- elif kind in ('int', 'bigint', 'unsigned_bigint', 'decimal', 'date', 'duration') -%}
        cast({{ column }} as varchar)
    {%- elif kind == 'bool' -%}
        case when {{ column }} then 'true' when not {{ column }} then 'false' end
    {%- elif kind in ('timestamptz', 'timestamp', 'datetime') -%}
        strftime({{ column }}, '%Y-%m-%d %H:%M:%S.%f')
    {%- elif kind == 'time' -%}
        strftime(date '1970-01-01' + {{ column }}, '%H:%M:%S.%f')
    {%- elif kind == 'bytes' -%}
        hex({{ column }})
    {%- else -%}
        {{ exceptions.raise_compiler_error('a column of type ' ~ type ~ ' has no canonical text: ' ~ column) }}
    {%- endif -%}
{%- endmacro %}

{% macro trino__plain_text(column, type) -%}
    {%- set kind = type.split('(')[0] -%}
    {%- if kind in ('timestamptz', 'timestamp') -%}
        cast(cast({{ column }} at time zone 'UTC' as timestamp(6)) as varchar)
    {%- elif kind == 'datetime' -%}
        cast(cast({{ column }} as timestamp(6)) as varchar)
    {%- elif kind == 'time' -%}
        cast(cast({{ column }} as time(6)) as varchar)
    {%- elif kind == 'bytes' -%}
        to_hex({{ column }})
    {%- else -%}
        {{ lakehouse.default__plain_text(column, type) }}
    {%- endif -%}
{%- endmacro %}
