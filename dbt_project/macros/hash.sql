{# 32 lower-case hexadecimal characters of MD5 over canonical texts. #}
{% macro hash(texts) -%}
    {{ adapter.dispatch('hash', 'lakehouse')(texts | join(" || '|' || ")) }}
{%- endmacro %}

{% macro default__hash(text) -%}
    md5({{ text or "''" }})
{%- endmacro %}

{% macro trino__hash(text) -%}
    lower(to_hex(md5(to_utf8({{ text or "''" }}))))
{%- endmacro %}

{# The hash key over columns of a `*_changes` source. #}
{% macro hash_key_of(changes, names) -%}
    {%- set texts = [] -%}
    {%- for name in names -%}
        {%- do texts.append(canonical(name, type_of(changes, name))) -%}
    {%- endfor -%}
    {{ hash(texts) }}
{%- endmacro %}

{#
    The hash over whether the key is gone and the descriptive columns that have a value, by name: a column that is added
    or moved leaves the hash of every row that it says nothing of.
#}
{% macro hashdiff_of(changes, is_deleted, alias='') -%}
    {%- set texts = [canonical(is_deleted, 'bool')] -%}
    {%- for column in columns_of(changes, 'payload') | sort(attribute='name') -%}
        {%- set value = escaped((alias ~ '.' if alias else '') ~ column.name, column.data_type) -%}
        {%- do texts.append("coalesce('|" ~ column.name ~ "=' || " ~ value ~ ", '')") -%}
    {%- endfor -%}
    {{ hash([texts | join(' || ')]) }}
{%- endmacro %}
