{#
    Ways to read less of a table than the whole. The call of source() or ref() stays in the model, so that lineage is
    kept. What the rows are is decided in Python, per invocation; no file is opened that cannot hold one.
#}

{# What came since the model's own mark: new rows of `*_changes`, files that were written of a vault table. #}
{% macro slice(relation) -%}
    {{ return(narrowed(relation, 'slice')) }}
{%- endmacro %}

{# The rows of the run's days. #}
{% macro days(relation) -%}
    {{ return(narrowed(relation, 'days')) }}
{%- endmacro %}

{# The rows of `*_changes` that have no key: truncates. #}
{% macro truncates(relation) -%}
    {{ return(narrowed(relation, 'truncates')) }}
{%- endmacro %}

{# The rows of the model's own table that new truncates may reach, by unique key; none where the parent has none. #}
{% macro held(relation) -%}
    {{ return(narrowed(relation, 'held')) }}
{%- endmacro %}

{#
    What a test reads of its model: of one by day, the rows of the days that were touched since its tests passed.
    dbt calls this for the argument `model` of every generic test.
#}
{% macro duckdb__get_where_subquery(relation) -%}
    {{ return(untested(relation)) }}
{%- endmacro %}

{% macro trino__get_where_subquery(relation) -%}
    {{ return(untested(relation)) }}
{%- endmacro %}

{% macro untested(relation) -%}
    {%- set models = graph.get('nodes', {}).values() | selectattr('alias', 'equalto', relation.identifier) -%}
    {%- if models | selectattr('config.strategy', 'equalto', 'days') | list -%}
        {{ return(narrowed(relation, 'untested', relation.identifier)) }}
    {%- else -%}
        {{ return(dbt.default__get_where_subquery(relation)) }}
    {%- endif -%}
{%- endmacro %}

{% macro narrowed(relation, kind, name=none) -%}
    {%- if execute -%}
        {{ return(adapter.dispatch('narrowed', 'lakehouse')(relation, kind, name or model.name)) }}
    {%- else -%}
        {{ return(relation) }}
    {%- endif -%}
{%- endmacro %}

{# A view that was made before. #}
{% macro duckdb__narrowed(relation, kind, name) -%}
    {{ return(relation.incorporate(path={'schema': relation.schema ~ '__' ~ kind ~ '__' ~ name})) }}
{%- endmacro %}

{# A query that is made now: Trino keeps no view for one invocation. #}
{% macro trino__narrowed(relation, kind, name) -%}
    {{ return(adapter.narrowed(relation, kind, name)) }}
{%- endmacro %}
